//! What may be put before a text: the prompts that config_sentence_transformers.json names.

use std::collections::BTreeMap;
use std::path::Path;

use encoders_models::{Result, config_error};
use serde_json::{Map, Value};

use crate::files::{Part, shown};

/// The prompts by their names, and the name of that which is put before every text.
#[derive(Debug, Default)]
pub(crate) struct Prompts {
    pub named: BTreeMap<String, String>,
    pub default: Option<String>,
}

impl Prompts {
    /// `known` are there in any case, if only as "".
    pub fn read(values: &Part, path: &Path, known: &[&str]) -> Result<Self> {
        let wrong = |what: String| config_error!("{}: {what}", path.display());
        let nothing = Map::new();
        let given = match values.get("prompts") {
            None | Some(Value::Null) => &nothing,
            Some(Value::Object(given)) => given,
            Some(other) => {
                return Err(wrong(format!(
                    "prompts is {}; it must be an object from name to text",
                    shown(other)
                )));
            }
        };
        let mut named: BTreeMap<String, String> =
            known.iter().map(|name| (name.to_string(), String::new())).collect();
        for (name, prompt) in given {
            let prompt = match prompt {
                Value::String(prompt) => prompt.clone(),
                Value::Null => String::new(),
                other => {
                    let shown = shown(other);
                    return Err(wrong(format!(
                        "the prompt {name:?} is {shown}; it must be a string"
                    )));
                }
            };
            named.insert(name.clone(), prompt);
        }
        let default = match values.get("default_prompt_name") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if name.is_empty() => None,
            Some(Value::String(name)) if named.contains_key(name) => Some(name.clone()),
            Some(Value::String(name)) => {
                let known = names(&named);
                return Err(wrong(format!(
                    "default_prompt_name is {name:?}; prompts has {known:.200}"
                )));
            }
            Some(other) => {
                let shown = shown(other);
                return Err(wrong(format!(
                    "default_prompt_name is {shown}; it must be a string"
                )));
            }
        };
        Ok(Self { named, default })
    }
}

/// As they stand in an error.
pub(crate) fn names(prompts: &BTreeMap<String, String>) -> String {
    prompts.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
