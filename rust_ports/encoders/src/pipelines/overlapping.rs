//! Long texts by windows that overlap, each token read where it has most text around it.

use super::labelled_tokens::without_space;
use crate::text::{Encoding, Token};

/// Where windows of `size` tokens begin and end, one where all fit. Each begins `overlap`
/// tokens before the end of the last; the final one ends with the text and is as long as the
/// others, so that it may overlap more.
pub(crate) fn windows_over(tokens: usize, size: usize, overlap: usize) -> Vec<(usize, usize)> {
    if tokens <= size {
        return vec![(0, tokens)];
    }
    let last = tokens - size;
    let starts = (0..last).step_by(size - overlap).chain([last]);
    starts.map(|start| (start, start + size)).collect()
}

/// For each token the number of the window that it is read in: of those that hold it the one in
/// which it is furthest from an edge, and the first of two alike. The text's own beginning and
/// end are no edges: there is nothing to be seen beyond them.
pub(crate) fn widest_context(windows: &[(usize, usize)]) -> Vec<usize> {
    let tokens = windows.last().map_or(0, |(_, end)| *end);
    let mut chosen: Vec<(usize, Option<usize>)> = vec![(0, None); tokens];
    for (number, (start, end)) in windows.iter().enumerate() {
        for (place, widest) in chosen.iter_mut().enumerate().take(*end).skip(*start) {
            let before = if *start > 0 { place - start } else { usize::MAX };
            let after = if *end < tokens { end - 1 - place } else { usize::MAX };
            let context = before.min(after);
            if widest.1.is_none_or(|known| context > known) {
                *widest = (number, Some(context));
            }
        }
    }
    chosen.into_iter().map(|(number, _)| number).collect()
}

/// The tokens of a whole text, between the special ones that its tokenizer puts before and
/// after them.
pub(crate) struct Framed {
    before: Vec<Token>,
    pub tokens: Vec<Token>,
    after: Vec<Token>,
}

impl Framed {
    pub fn new(encoding: Encoding) -> Self {
        let mut before = encoding.tokens;
        let own = |token: &Token| !token.special;
        let first = before.iter().position(own).unwrap_or(before.len());
        let end = before.iter().rposition(own).map_or(before.len(), |last| last + 1);
        let after = before.split_off(end);
        let tokens = before.split_off(first);
        Self { before, tokens, after }
    }

    /// How many tokens stand before the text's own.
    pub fn first(&self) -> usize {
        self.before.len()
    }

    /// How many the tokenizer adds.
    pub fn specials(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// These of the text's tokens, framed as the whole text is.
    pub fn window(&self, start: usize, end: usize) -> Encoding {
        let tokens = self.before.iter().chain(&self.tokens[start..end]).chain(&self.after);
        Encoding { tokens: tokens.copied().collect(), cut: 0 }
    }

    /// Where in the text each token stands, without the space that it may begin with.
    pub fn offsets(&self, text: &str) -> Vec<(usize, usize)> {
        let place = |token: &Token| without_space(text, token.start, token.end);
        self.tokens.iter().map(place).collect()
    }

    /// The number of the word that each token is in; None for a word of white space.
    pub fn words(&self, text: &str) -> Vec<Option<usize>> {
        let mut numbered = Vec::with_capacity(self.tokens.len());
        let mut count = 0;
        for tokens in self.tokens.chunk_by(|a, b| a.word == b.word) {
            let blank = tokens
                .iter()
                .all(|token| text[token.start..token.end].chars().all(crate::text::is_space));
            numbered.extend(tokens.iter().map(|_| (!blank).then_some(count)));
            count += usize::from(!blank);
        }
        numbered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_a_text_and_overlap() {
        assert_eq!(windows_over(5, 8, 2), [(0, 5)]);
        assert_eq!(windows_over(8, 8, 2), [(0, 8)]);
        assert_eq!(windows_over(9, 8, 2), [(0, 8), (1, 9)]);
        assert_eq!(windows_over(20, 8, 2), [(0, 8), (6, 14), (12, 20)]);
        assert_eq!(windows_over(4, 2, 0), [(0, 2), (2, 4)]);
    }

    #[test]
    fn each_token_is_read_where_it_sees_most() {
        let chosen = widest_context(&[(0, 6), (4, 10)]);
        assert_eq!(chosen, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
        assert_eq!(widest_context(&[(0, 3)]), [0, 0, 0]);
        assert!(widest_context(&[]).is_empty());
    }
}
