//! What both programs read of a checkpoint folder.

use std::{error::Error, fs, path::Path};

use candle_transformers::models::modernbert::Config;
use serde_json::{Value, json};

/// What can go wrong is said and ends the program.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A JSON file.
pub fn read_json(path: &Path) -> Outcome<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// ModernBERT's configuration. candle reads the spelling of the first ModernBERTs; Transformers
/// 5 writes another.
pub fn modernbert_config(mut values: Value) -> Outcome<Config> {
    let rope = values["rope_parameters"].clone();
    let kinds = values["layer_types"].clone();
    let kinds = kinds.as_array().ok_or("layer_types is no list")?;
    let full = |kind: &Value| kind == "full_attention";
    let every = kinds
        .iter()
        .skip(1)
        .position(full)
        .map_or(kinds.len(), |n| n + 1);
    if kinds
        .iter()
        .enumerate()
        .any(|(n, kind)| full(kind) != (n % every == 0))
    {
        return Err("candle knows a full layer and n sliding ones, over and over".into());
    }
    values["global_attn_every_n_layers"] = json!(every);
    values["layer_norm_eps"] = values["norm_eps"].clone();
    values["global_rope_theta"] = rope["full_attention"]["rope_theta"].clone();
    values["local_rope_theta"] = rope["sliding_attention"]["rope_theta"].clone();
    Ok(serde_json::from_value(values)?)
}
