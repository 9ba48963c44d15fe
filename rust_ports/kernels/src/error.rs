//! The errors of all crates: what was wrong, where, and what would be right.

/// Everything that can go wrong, sorted by whose mistake it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration asks for something that is malformed or that is not implemented.
    #[error("{0}")]
    Config(String),
    /// A checkpoint is missing, damaged, or does not hold the tensors that its configuration
    /// calls for.
    #[error("{0}")]
    Checkpoint(String),
    /// An argument (ids, a mask, texts, labels) cannot be used.
    #[error("{0}")]
    Input(String),
    /// candle refused an operation; its own error is the source.
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
}

/// A result with the crates' own [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The same error with the file or the argument that it concerns put in front.
    pub fn at(self, place: impl std::fmt::Display) -> Self {
        match self {
            Error::Config(text) => Error::Config(format!("{place}: {text}")),
            Error::Checkpoint(text) => Error::Checkpoint(format!("{place}: {text}")),
            Error::Input(text) => Error::Input(format!("{place}: {text}")),
            Error::Candle(error) => Error::Candle(error),
        }
    }
}

/// An [`Error::Config`] with a message as `format!` makes it.
#[macro_export]
macro_rules! config_error {
    ($($part:tt)*) => { $crate::Error::Config(format!($($part)*)) };
}

/// An [`Error::Checkpoint`] with a message as `format!` makes it.
#[macro_export]
macro_rules! checkpoint_error {
    ($($part:tt)*) => { $crate::Error::Checkpoint(format!($($part)*)) };
}

/// An [`Error::Input`] with a message as `format!` makes it.
#[macro_export]
macro_rules! input_error {
    ($($part:tt)*) => { $crate::Error::Input(format!($($part)*)) };
}

/// The first few of many names, for a message that stays readable.
pub fn some<S: AsRef<str>>(names: &[S]) -> String {
    const MOST: usize = 4;
    let shown: Vec<&str> = names.iter().take(MOST).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
