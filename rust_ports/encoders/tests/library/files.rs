//! Checkpoints as files.

use std::path::Path;

use encoders::weights::Tensors;
use serde_json::Value;

/// Writes a folder with config.json and model.safetensors.
pub fn write(folder: &Path, config: &Value, tensors: &Tensors) {
    write_json(&folder.join("config.json"), config);
    write_tensors(&folder.join("model.safetensors"), tensors);
}

pub fn write_tensors(path: &Path, tensors: &Tensors) {
    safetensors::serialize_to_file(tensors.iter(), None, path).unwrap();
}

pub fn write_json(path: &Path, value: &Value) {
    std::fs::write(path, value.to_string()).unwrap();
}
