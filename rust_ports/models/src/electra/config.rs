//! The configuration of ELECTRA.

use std::ops::Deref;

use serde_json::{Map, Value, json};

use super::FAMILY;
use crate::bert::BertConfig;
use crate::config::{Defaults, EncoderConfig, Fields, Limits};
use crate::error::Result;
use crate::family::{Config, Family, FamilyConfig};

/// ELECTRA's configuration, under Transformers' names.
#[derive(Debug, Clone, PartialEq)]
pub struct ElectraConfig {
    /// All that BERT has; its fields are read through this one.
    pub bert: BertConfig,
    /// How many numbers a looked-up vector has.
    pub embedding_size: usize,
    /// Whether a text's vector is projected before its choice is scored.
    pub summary_use_proj: bool,
    /// One of [`ACTIVATIONS`](crate::layers::ACTIVATIONS), for that vector; None, in
    /// config.json the empty name, leaves it as it is.
    pub summary_activation: Option<String>,
    /// The share of that vector that training drops.
    pub summary_last_dropout: f64,
}

/// Keys with a single implemented value; the other summaries look at the last place or at all
/// of them, padded ones too.
fn only_values() -> [(&'static str, Value); 2] {
    [("summary_type", json!("first")), ("summary_proj_to_labels", json!(false))]
}

impl ElectraConfig {
    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.get().cloned()
    }

    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Config> {
        let fields = Fields::new(map);
        fields.check_only_values(&only_values())?;
        for key in ["summary_type", "summary_activation"] {
            fields.refuse_null(key)?;
        }
        let defaults =
            Defaults { hidden_size: 256, heads: 4, intermediate_size: 1024, ..Defaults::BERT };
        let config = Self {
            bert: BertConfig::read(&fields, &defaults)?,
            embedding_size: fields.size("embedding_size", 128)?,
            summary_use_proj: fields.flag("summary_use_proj", true)?,
            summary_activation: summary_activation(&fields)?,
            summary_last_dropout: fields.probability("summary_last_dropout")?.unwrap_or(0.1),
        };
        Ok(config.into())
    }

    /// Whether a projection leads from the embeddings to the layers.
    pub fn projects(&self) -> bool {
        self.embedding_size != self.hidden_size
    }
}

fn summary_activation(fields: &Fields) -> Result<Option<String>> {
    let none = fields.text("summary_activation")?.is_some_and(|name| name.is_empty());
    (!none).then(|| fields.activation("summary_activation", "gelu")).transpose()
}

impl FamilyConfig for ElectraConfig {
    fn family(&self) -> &'static Family {
        &FAMILY
    }

    fn encoder(&self) -> &EncoderConfig {
        self
    }

    fn limits(&self) -> Limits {
        self.bert.limits()
    }
}

impl Deref for ElectraConfig {
    type Target = BertConfig;

    fn deref(&self) -> &BertConfig {
        &self.bert
    }
}
