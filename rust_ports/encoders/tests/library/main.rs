//! The library from outside, on folders. One binary: linking is the slow part.

mod checkpoints;
#[path = "../../../models/tests/library/common.rs"]
#[allow(dead_code)] // the models' tests use all of it
mod common;
mod embedder;
mod families;
mod files;
mod headed;
mod masked_lm;
mod masked_sequence;
mod modernbert;
mod modules;
mod options;
mod rope_encoder;
mod settings;
mod text_classification;
#[path = "../../../models/tests/library/tiny_families.rs"]
#[allow(dead_code)]
mod tiny_families;
#[path = "../../../models/tests/library/tiny_modernbert.rs"]
#[allow(dead_code)]
mod tiny_modernbert;
#[path = "../../../models/tests/library/tiny_rope_encoder.rs"]
#[allow(dead_code)]
mod tiny_rope_encoder;
mod token_classification;
mod tokenizers;
