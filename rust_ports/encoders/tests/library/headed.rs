//! Small checkpoints with a head and with WordPieces.

use candle_core::DType;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{config, config_json, tensors};
use crate::files::{write, write_json};

/// One fewer than the model has rows for.
pub const WORDS: [&str; 12] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "sat", "on", "mat", ".",
];

/// A BERT of that architecture, whose config.json has these values too.
pub fn folder(architecture: &str, changes: Value) -> TempDir {
    let folder = TempDir::new().unwrap();
    let tensors = tensors(&config("bert", changes.clone()), architecture, DType::F32);
    write(folder.path(), &config_json("bert", changes), &tensors);
    std::fs::write(folder.path().join("vocab.txt"), WORDS.join("\n")).unwrap();
    folder
}

/// Puts a file beside the model.
pub fn beside(folder: &TempDir, name: &str, value: Value) {
    write_json(&folder.path().join(name), &value);
}

/// What `from_pretrained` takes.
pub fn path(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

/// Texts are cut at so many tokens.
pub fn max_length(folder: &TempDir, tokens: usize) {
    beside(folder, "tokenizer_config.json", json!({"model_max_length": tokens}));
}
