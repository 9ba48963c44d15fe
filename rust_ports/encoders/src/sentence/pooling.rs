//! The settings of sentence-transformers' Pooling module: how a text's token vectors become
//! one.

use std::path::Path;

use encoders_models::pooling::Pooling;
use encoders_models::{Result, config_error};
use serde_json::Value;

use crate::files::{Part, read_object, shown};

/// The ways of pooling with the switch that the old spelling has for each, in the order in
/// which sentence-transformers lays them side by side.
const SWITCHES: [(&str, &str); 6] = [
    ("cls", "pooling_mode_cls_token"),
    ("max", "pooling_mode_max_tokens"),
    ("mean", "pooling_mode_mean_tokens"),
    ("mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"),
    ("weightedmean", "pooling_mode_weightedmean_tokens"),
    ("lasttoken", "pooling_mode_lasttoken"),
];
/// What a Pooling module's config.json says besides.
const KEYS: [&str; 4] =
    ["word_embedding_dimension", "embedding_dimension", "pooling_mode", "include_prompt"];

/// The ways that a Pooling module's config.json names, and whether they see a prompt.
pub(super) fn read_pooling(path: &Path, hidden_size: usize) -> Result<(Vec<Pooling>, bool)> {
    let values = read_object(path)?;
    let wrong = |what: String| config_error!("{}: {what}", path.display());
    for key in ["word_embedding_dimension", "embedding_dimension"] {
        if values.get(key).is_some_and(|size| *size != hidden_size) {
            let size = shown(&values[key]);
            return Err(wrong(format!(
                "it pools vectors of {size}; the model's have hidden_size {hidden_size}"
            )));
        }
    }
    let include_prompt = match values.get("include_prompt") {
        None => true,
        Some(Value::Bool(include)) => *include,
        Some(other) => {
            let shown = shown(other);
            return Err(wrong(format!("include_prompt is {shown}; it must be true or false")));
        }
    };
    for (key, value) in values.iter().filter(|(key, _)| !KEYS.contains(&key.as_str())) {
        let shown = shown(value);
        if !key.starts_with("pooling_mode_") {
            return Err(wrong(format!(
                "it has the key {key:.80}, which sentence-transformers does not take"
            )));
        }
        match SWITCHES.iter().any(|(_, switch)| key == switch) {
            true if !value.is_boolean() => {
                return Err(wrong(format!("{key} is {shown}; it must be true or false")));
            }
            false if !(value.is_null() || value == false) => {
                return Err(wrong(format!("pooling mode {key:.80} is not implemented")));
            }
            _ => {}
        }
    }
    let ways = chosen_ways(&values).ok_or_else(|| {
        let shown = shown(&values["pooling_mode"]);
        wrong(format!("pooling_mode is {shown}; it must be a name or a list of names"))
    })?;
    let ways: Result<Vec<Pooling>> = ways.into_iter().map(str::parse).collect();
    Ok((ways.map_err(|error| error.at(path.display()))?, include_prompt))
}

/// The new spelling, one key with a name or several; or the old, one switch each. No switch at
/// all is the mean.
fn chosen_ways(values: &Part) -> Option<Vec<&str>> {
    match values.get("pooling_mode") {
        Some(Value::String(name)) => Some(vec![name]),
        Some(Value::Array(names)) if !names.is_empty() => {
            names.iter().map(Value::as_str).collect()
        }
        Some(_) => None,
        None => {
            let on = |switch: &str| values.get(switch) == Some(&Value::Bool(true));
            let ways = SWITCHES.iter().filter(|(_, switch)| on(switch)).map(|(way, _)| *way);
            let ways: Vec<&str> = ways.collect();
            Some(if ways.is_empty() { vec!["mean"] } else { ways })
        }
    }
}
