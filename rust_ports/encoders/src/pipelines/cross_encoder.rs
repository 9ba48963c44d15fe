//! What sentence-transformers writes beside a cross-encoder, a classifier of pairs: what makes
//! a score of a logit, and what is put before a text. Read and checked, so that a checkpoint
//! ranks here as it does there.

use std::path::Path;

use encoders_models::{Result, checkpoint_error, config_error};
use serde_json::Value;

use crate::files::{Part, is_there, read_object, read_optional, shown};
use crate::listing::{module_kind, read_list};
use crate::sentence::{Prompts, check_no_chat};
use crate::text::{is_cross_encoder, sentence_files};

/// What a logit goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    Identity,
    Sigmoid,
}

/// How PyTorch's modules may be called.
const ACTIVATIONS: [(&str, Activation); 6] = [
    ("torch.nn.Identity", Activation::Identity),
    ("torch.nn.modules.Identity", Activation::Identity),
    ("torch.nn.modules.linear.Identity", Activation::Identity),
    ("torch.nn.Sigmoid", Activation::Sigmoid),
    ("torch.nn.modules.Sigmoid", Activation::Sigmoid),
    ("torch.nn.modules.activation.Sigmoid", Activation::Sigmoid),
];

/// How a checkpoint scores pairs.
#[derive(Debug, Default)]
pub(crate) struct CrossEncoderSettings {
    /// None where the files leave that to the number of labels.
    pub activation: Option<Activation>,
    /// What stands before the first text of a pair.
    pub prompt: String,
}

impl CrossEncoderSettings {
    /// The settings in config_sentence_transformers.json, if they are a cross-encoder's; and
    /// what older releases wrote into config.json, which counts after them.
    ///
    /// keep_in_fp32_modules asks for what is so here of all modules.
    pub fn read(folder: &Path) -> Result<Self> {
        let of_config = of_config(&folder.join("config.json"))?;
        let alone = Self { activation: of_config, ..Self::default() };
        if !is_cross_encoder(folder)? {
            return Ok(alone);
        }
        check_no_chat(folder, "pair")?;
        let path = folder.join("config_sentence_transformers.json");
        let values = read_optional(&path)?;
        if !is_there(&folder.join("modules.json")) {
            check_alone(folder, &values)?;
            return Ok(alone);
        }
        check_modules(&folder.join("modules.json"))?;
        let stated = activation(values.get("activation_fn"))
            .map_err(|error| error.at(format!("{}: activation_fn", path.display())))?;
        let Prompts { mut named, default } = Prompts::read(&values, &path, &[])?;
        let prompt = default.and_then(|name| named.remove(&name));
        Ok(Self { activation: stated.or(of_config), prompt: prompt.unwrap_or_default() })
    }
}

/// Under today's key or, where that is missing, under that of releases before 4.0.
fn of_config(path: &Path) -> Result<Option<Activation>> {
    let values = read_object(path)?;
    let inside = match values.get("sentence_transformers") {
        None | Some(Value::Null) => None,
        Some(Value::Object(inside)) => inside.get("activation_fn"),
        Some(other) => {
            return Err(config_error!(
                "{}: sentence_transformers is {}; it must be an object",
                path.display(),
                shown(other)
            ));
        }
    };
    let old = "sbert_ce_default_activation_function";
    let (named, key) = match inside {
        Some(named) => (Some(named), "sentence_transformers.activation_fn"),
        None => (values.get(old), old),
    };
    activation(named).map_err(|error| error.at(format!("{}: {key}", path.display())))
}

fn activation(named: Option<&Value>) -> Result<Option<Activation>> {
    let Some(named) = named.filter(|named| !named.is_null()) else {
        return Ok(None);
    };
    let found = ACTIVATIONS.iter().find(|(name, _)| named == name);
    found.map(|(_, activation)| Some(*activation)).ok_or_else(|| {
        config_error!(
            "it is {}; supported: torch.nn.modules.activation.Sigmoid and \
             torch.nn.modules.linear.Identity",
            shown(named)
        )
    })
}

/// Without a modules.json sentence-transformers reads none of the other files: those may say
/// what a folder is, and nothing that would count.
fn check_alone(folder: &Path, values: &Part) -> Result<()> {
    let says = |key: &&str| values.get(*key).is_some_and(|value| !is_empty(value));
    let keys = ["activation_fn", "default_prompt_name", "keep_in_fp32_modules"];
    let mut found: Vec<String> = keys
        .into_iter()
        .filter(says)
        .map(|key| format!("config_sentence_transformers.json with {key}"))
        .collect();
    let files = sentence_files(folder).filter(|path| is_there(path));
    found.extend(files.filter_map(|path| Some(path.file_name()?.to_string_lossy().into())));
    match found.is_empty() {
        true => Ok(()),
        false => Err(checkpoint_error!(
            "{} has {} but no modules.json, without which sentence-transformers does not read \
             them: the copy is not whole. Bring modules.json, or remove the others",
            folder.display(),
            found.join(", ")
        )),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.is_empty(),
        value => value.is_null() || *value == false || value == "",
    }
}

fn check_modules(path: &Path) -> Result<()> {
    let modules = read_list(path)?;
    let kinds: Vec<&str> =
        modules.iter().map(|module| module["type"].as_str().unwrap_or("?")).collect();
    let here = |module: &Value| matches!(module["path"].as_str(), None | Some(""));
    match modules.as_slice() {
        [only] if module_kind(only).is_ok_and(|kind| kind == "Transformer") && here(only) => {
            Ok(())
        }
        _ => Err(config_error!(
            "{} lists the modules {:.200}; supported in a cross-encoder: \
             sentence-transformers' Transformer alone, in the folder itself",
            path.display(),
            if kinds.is_empty() { "none".to_string() } else { kinds.join(", ") }
        )),
    }
}
