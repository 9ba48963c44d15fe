//! The tokens of a text with what each may be, and what is labelled: tokens, or words.

use std::ops::Range;
use std::str::FromStr;

use encoders_models::{Error, Result, input_error};

use super::tags::first_best;
use crate::text::is_space;

/// A piece of a text and its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its first byte: `&text[span.start..span.end]` is `span.text`.
    pub start: usize,
    /// The byte after its last one.
    pub end: usize,
    /// The tag that it has.
    pub label: String,
    /// The mean of the probabilities of its tokens or words.
    pub score: f64,
    /// What stands there.
    pub text: String,
}

impl Span {
    /// The same place in `text`, which it was found in, in characters: as Python counts.
    ///
    /// ```
    /// use encoders::token_classification::Span;
    ///
    /// let text = "né in Köln";
    /// let (label, score) = ("LOC".to_string(), 0.9);
    /// let span = Span { start: 7, end: 12, label, score, text: "Köln".to_string() };
    /// assert_eq!(&text[span.start..span.end], span.text);
    /// assert_eq!(span.characters(text), 6..10);
    /// ```
    pub fn characters(&self, text: &str) -> Range<usize> {
        let start = text[..self.start].chars().count();
        start..start + text[self.start..self.end].chars().count()
    }
}

/// The tokens of a text, special ones left out, and what each of them may be.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenProbabilities {
    /// The first byte of each token and the one after its last, without the white space that it
    /// may begin with.
    pub offsets: Vec<(usize, usize)>,
    /// They count the words that the tokenizer splits the text into; white space that is a word
    /// by itself has None.
    pub words: Vec<Option<usize>>,
    /// For each token that of every label.
    pub probabilities: Vec<Vec<f64>>,
}

/// What is labelled, in Transformers' meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// Each token, with the label as it is.
    None,
    /// Each token; those that belong together are one span.
    Simple,
    /// Each word, by its first token.
    First,
    /// Each word, by the mean of its tokens.
    Average,
    /// Each word, by its surest token.
    Max,
}

/// By the names that Transformers has for them.
const NAMES: [(&str, Aggregation); 5] = [
    ("none", Aggregation::None),
    ("simple", Aggregation::Simple),
    ("first", Aggregation::First),
    ("average", Aggregation::Average),
    ("max", Aggregation::Max),
];

impl FromStr for Aggregation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let named = NAMES.iter().find(|(known, _)| *known == name);
        named.map(|(_, aggregation)| *aggregation).ok_or_else(|| {
            let known = NAMES.map(|(known, _)| known).join(", ");
            input_error!("aggregation {name:?} is unknown; it is one of {known}")
        })
    }
}

/// What is labelled: where it stands, and the probabilities of its labels.
pub(crate) type Units = (Vec<(usize, usize)>, Vec<Vec<f64>>);

impl TokenProbabilities {
    /// What that aggregation labels.
    pub(crate) fn units(&self, aggregation: Aggregation) -> Units {
        match aggregation {
            Aggregation::None => (self.offsets.clone(), self.probabilities.clone()),
            Aggregation::Simple => {
                let of_words =
                    (0..self.words.len()).filter(|token| self.words[*token].is_some());
                let unit =
                    |token: usize| (self.offsets[token], self.probabilities[token].clone());
                of_words.map(unit).unzip()
            }
            Aggregation::First => self.by_word(|rows| rows[0].clone()),
            Aggregation::Average => self.by_word(mean),
            Aggregation::Max => self.by_word(surest),
        }
    }

    fn by_word(&self, reduce: impl Fn(&[Vec<f64>]) -> Vec<f64>) -> Units {
        let (mut places, mut rows) = (Vec::new(), Vec::new());
        let mut first = 0;
        for word in self.words.chunk_by(|a, b| a == b) {
            let tokens = first..first + word.len();
            first = tokens.end;
            if word[0].is_some() {
                places.push((self.offsets[tokens.start].0, self.offsets[tokens.end - 1].1));
                rows.push(reduce(&self.probabilities[tokens]));
            }
        }
        (places, rows)
    }
}

fn mean(rows: &[Vec<f64>]) -> Vec<f64> {
    let total = |label: usize| rows.iter().map(|row| row[label]).sum::<f64>();
    (0..rows[0].len()).map(|label| total(label) / rows.len() as f64).collect()
}

fn surest(rows: &[Vec<f64>]) -> Vec<f64> {
    let highest = |row: &Vec<f64>| first_best(row.iter().copied()).1;
    rows[first_best(rows.iter().map(highest)).0].clone()
}

/// The same piece without white space about it; nothing but white space stays as it is.
pub(crate) fn without_space(text: &str, start: usize, end: usize) -> (usize, usize) {
    let end = end.max(start);
    let piece = &text[start..end];
    let inside = piece.trim_start_matches(is_space);
    if inside.is_empty() {
        return (start, end);
    }
    let start = end - inside.len();
    (start, start + inside.trim_end_matches(is_space).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_about_a_piece_is_left_out() {
        assert_eq!(without_space("a \u{a0}é\t", 1, 7), (4, 6));
        assert_eq!(without_space("  ", 0, 2), (0, 2));
        assert_eq!(without_space("a\u{1c}b", 1, 3), (2, 3));
    }

    #[test]
    fn words_are_labelled_by_their_tokens() {
        let read = TokenProbabilities {
            offsets: vec![(0, 2), (2, 4), (4, 5), (5, 8)],
            words: vec![Some(0), Some(0), None, Some(1)],
            probabilities: vec![vec![0.6, 0.4], vec![0.1, 0.9], vec![1.0, 0.0], vec![0.5, 0.5]],
        };
        let places = vec![(0, 4), (5, 8)];
        for (aggregation, first) in [
            (Aggregation::First, vec![0.6, 0.4]),
            (Aggregation::Average, vec![0.35, 0.65]),
            (Aggregation::Max, vec![0.1, 0.9]),
        ] {
            assert_eq!(read.units(aggregation), (places.clone(), vec![first, vec![0.5, 0.5]]));
        }
        assert_eq!(read.units(Aggregation::Simple).0, [(0, 2), (2, 4), (5, 8)]);
        assert_eq!(read.units(Aggregation::None).0.len(), 4);
    }
}
