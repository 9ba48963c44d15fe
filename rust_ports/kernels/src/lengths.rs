//! Where the texts of a packed row begin and end.

use crate::error::Result;
use crate::input_error;

/// The cumulative lengths of the texts in a row, found sound: 0, n1, n1 + n2, ..., tokens.
///
/// Whoever holds one need not look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths<'a>(&'a [usize]);

impl<'a> Lengths<'a> {
    /// `cu_seqlens` `[texts + 1]` must cut a row of `tokens` into texts, each with a token.
    pub fn new(cu_seqlens: &'a [usize], tokens: usize) -> Result<Self> {
        let rising = cu_seqlens.windows(2).all(|bounds| bounds[0] < bounds[1]);
        let ends = (cu_seqlens.first(), cu_seqlens.last()) == (Some(&0), Some(&tokens));
        if cu_seqlens.len() > 1 && ends && rising {
            return Ok(Self(cu_seqlens));
        }
        Err(input_error!(
            "cu_seqlens must rise from 0 to the number of tokens, {tokens}, by at least one a \
             text; it is {:?}",
            &cu_seqlens[..cu_seqlens.len().min(10)]
        ))
    }

    /// How many tokens all texts have together.
    pub fn tokens(self) -> usize {
        self.0[self.0.len() - 1]
    }

    /// How many texts there are.
    pub fn count(self) -> usize {
        self.0.len() - 1
    }

    /// (start, length) of each text.
    pub fn texts(self) -> impl Iterator<Item = (usize, usize)> + Clone + 'a {
        self.0.windows(2).map(|bounds| (bounds[0], bounds[1] - bounds[0]))
    }

    /// How many tokens the longest text has.
    pub fn longest(self) -> usize {
        self.texts().map(|(_, length)| length).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_a_start_and_a_length() {
        let lengths = Lengths::new(&[0, 3, 4, 6], 6).unwrap();
        assert_eq!(lengths.texts().collect::<Vec<_>>(), [(0, 3), (3, 1), (4, 2)]);
        assert_eq!((lengths.tokens(), lengths.count(), lengths.longest()), (6, 3, 3));
    }

    #[test]
    fn what_does_not_cut_the_row_into_texts_is_refused() {
        for wrong in [&[][..], &[0], &[1, 6], &[0, 2, 2, 6], &[0, 7, 6], &[0, 5], &[0, 7]] {
            assert!(Lengths::new(wrong, 6).is_err(), "{wrong:?}");
        }
        assert!(Lengths::new(&[0], 0).is_err());
    }
}
