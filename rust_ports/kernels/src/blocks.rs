//! Attention in blocks: which queries meet which keys at a time.

/// How many queries meet their keys at a time: the scores of a long text are never all in
/// memory.
pub const BLOCK: usize = 128;

/// Some queries in a row and the keys that any of them reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The place of the first query in its text.
    pub first_query: usize,
    /// How many queries there are.
    pub queries: usize,
    /// The place of the first key in the same text.
    pub first_key: usize,
    /// How many keys there are.
    pub keys: usize,
}

impl Block {
    /// The block that begins at query `start` of a text of `tokens`, each of which sees
    /// `window` tokens on either side; None is all of them.
    pub fn new(start: usize, tokens: usize, window: Option<usize>) -> Self {
        let end = tokens.min(start + BLOCK);
        let reach = window.unwrap_or(tokens);
        let first_key = start.saturating_sub(reach);
        Self {
            first_query: start,
            queries: end - start,
            first_key,
            keys: tokens.min(end.saturating_add(reach)) - first_key,
        }
    }
}
