//! What a checkpoint's config.json says.
//!
//! Every value that shapes the computation is read and checked. One that this crate does not
//! implement
//! raises: a model that ignores part of its configuration loads without complaint and is wrong.

mod bert;
mod fields;
mod modernbert;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

pub use bert::BertConfig;
pub use modernbert::{LayerType, ModernBertConfig};

use crate::error::{Error, Result, checkpoint_error, config_error};

/// The losses that a sequence classifier may be configured for.
pub const PROBLEM_TYPES: [&str; 3] =
    ["regression", "single_label_classification", "multi_label_classification"];

/// The configuration of any encoder.
#[derive(Debug, Clone, PartialEq)]
pub enum Config {
    Bert(BertConfig),
    ModernBert(ModernBertConfig),
}

/// What inputs must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub vocab_size: usize,
    pub type_vocab_size: usize,
    /// How many tokens a text may have.
    pub max_tokens: usize,
    pub max_position_embeddings: usize,
    /// An id that takes up no position.
    pub uncounted: Option<usize>,
}

impl Config {
    /// Reads `folder`/config.json.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let text = std::fs::read_to_string(&path).map_err(|problem| {
            checkpoint_error!("{} cannot be read: {problem}", path.display())
        })?;
        Self::from_json(&text).map_err(|error| error.at(path.display()))
    }

    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|problem| config_error!("this is not valid JSON: {problem}"))?;
        let Value::Object(map) = value else {
            return Err(config_error!("a configuration is a JSON object, not {value}"));
        };
        let supported = || {
            let names = bert::MODEL_TYPES.into_iter().chain([modernbert::MODEL_TYPE]);
            names.collect::<Vec<_>>().join(", ")
        };
        match map.get("model_type").and_then(Value::as_str) {
            Some(modernbert::MODEL_TYPE) => {
                Ok(Self::ModernBert(ModernBertConfig::from_map(&map)?))
            }
            Some(name) if bert::MODEL_TYPES.contains(&name) => {
                Ok(Self::Bert(BertConfig::from_map(&map)?))
            }
            Some(name) => Err(config_error!(
                "model_type is {name:?}, which is not implemented; supported: {}",
                supported()
            )),
            None => Err(config_error!("model_type is missing; supported: {}", supported())),
        }
    }

    pub fn model_type(&self) -> &str {
        match self {
            Self::Bert(config) => &config.model_type,
            Self::ModernBert(_) => modernbert::MODEL_TYPE,
        }
    }

    /// What the names of Transformers' classes for this configuration begin with; the first is
    /// the usual one.
    pub fn class_prefixes(&self) -> &'static [&'static str] {
        match self {
            Self::Bert(config) if config.is_bert() => &["Bert"],
            Self::Bert(_) => &["XLMRoberta", "Roberta"],
            Self::ModernBert(_) => &["ModernBert"],
        }
    }

    /// The attribute, and so the key prefix, of the encoder under a head.
    pub fn base(&self) -> &'static str {
        match self {
            Self::Bert(config) if config.is_bert() => "bert",
            Self::Bert(_) => "roberta",
            Self::ModernBert(_) => "model",
        }
    }

    /// (key, key of the tensor that it shares) for the tensors of a masked language model that
    /// a checkpoint may repeat.
    pub fn tied_keys(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Bert(config) if !config.tie_word_embeddings => &[],
            Self::Bert(config) if config.is_bert() => &[
                ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
                ("cls.predictions.decoder.bias", "cls.predictions.bias"),
            ],
            Self::Bert(_) => &[
                ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
                ("lm_head.decoder.bias", "lm_head.bias"),
            ],
            Self::ModernBert(config) if !config.tie_word_embeddings => &[],
            Self::ModernBert(_) => {
                &[("decoder.weight", "model.embeddings.tok_embeddings.weight")]
            }
        }
    }

    pub fn architectures(&self) -> &[String] {
        match self {
            Self::Bert(config) => &config.architectures,
            Self::ModernBert(config) => &config.architectures,
        }
    }

    pub fn id2label(&self) -> &BTreeMap<usize, String> {
        match self {
            Self::Bert(config) => &config.id2label,
            Self::ModernBert(config) => &config.id2label,
        }
    }

    /// What inputs must keep to.
    pub fn limits(&self) -> Limits {
        match self {
            Self::Bert(config) => config.limits(),
            Self::ModernBert(config) => config.limits(),
        }
    }
}

impl From<BertConfig> for Config {
    fn from(config: BertConfig) -> Self {
        Self::Bert(config)
    }
}

impl From<ModernBertConfig> for Config {
    fn from(config: ModernBertConfig) -> Self {
        Self::ModernBert(config)
    }
}

impl TryFrom<Config> for BertConfig {
    type Error = Error;

    fn try_from(config: Config) -> Result<Self> {
        match config {
            Config::Bert(config) => Ok(config),
            other => Err(config_error!(
                "model_type is {:?}; here it must be one of {}",
                other.model_type(),
                bert::MODEL_TYPES.join(", ")
            )),
        }
    }
}

impl TryFrom<Config> for ModernBertConfig {
    type Error = Error;

    fn try_from(config: Config) -> Result<Self> {
        match config {
            Config::ModernBert(config) => Ok(config),
            other => Err(config_error!(
                "model_type is {:?}; here it must be {}",
                other.model_type(),
                modernbert::MODEL_TYPE
            )),
        }
    }
}
