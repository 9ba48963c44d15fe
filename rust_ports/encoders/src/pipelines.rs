//! A model with a head, a tokenizer, and what a user wants of both: text in, words, labels,
//! rankings or spans out. The names and the rules are those of the Python package's
//! `reference.pipelines`, and so are the results, to the rounding of float32.

mod base;
mod batching;
mod cloze;
mod cross_encoder;
mod gaps;
mod labelled_tokens;
pub mod masked_lm;
pub mod masked_sequence;
mod overlapping;
pub mod probabilities;
mod tags;
mod targets;
pub mod text_classification;
pub mod token_classification;

pub(crate) use self::batching::{TOKENS_A_ROW, rows};
