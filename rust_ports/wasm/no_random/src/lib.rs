//! In the place of the crate getrandom, for those who never need what they ask it for: every
//! answer is an error.

use std::fmt;

/// There is no randomness.
#[derive(Debug)]
pub struct Error;

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("there is no randomness here")
    }
}

impl std::error::Error for Error {}

/// Fills nothing.
pub fn fill(_: &mut [u8]) -> Result<(), Error> {
    Err(Error)
}

/// Draws nothing.
pub fn u64() -> Result<u64, Error> {
    Err(Error)
}
