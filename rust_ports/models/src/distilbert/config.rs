//! The configuration of DistilBERT, which spells five of its keys in its own way.

use std::ops::Deref;

use serde_json::{Map, Value};

use super::FAMILY;
use crate::config::{Defaults, EncoderConfig, Fields, Limits, TransformerConfig};
use crate::error::Result;
use crate::family::{Config, Family, FamilyConfig};

/// DistilBERT's configuration, its sizes under the names that the other families have.
#[derive(Debug, Clone, PartialEq)]
pub struct DistilBertConfig {
    /// What every transformer has; its fields are read through this one.
    pub transformer: TransformerConfig,
    /// One of [`ACTIVATIONS`](crate::layers::ACTIVATIONS).
    pub hidden_act: String,
    /// The share of features that training drops.
    pub dropout: f64,
    /// The share of attention that training drops.
    pub attention_dropout: f64,
    /// The share of features that training drops before spans are scored.
    pub qa_dropout: f64,
    /// The share of features that training drops before a text is classified.
    pub seq_classif_dropout: f64,
    /// Whether positions began as sines and cosines; a checkpoint holds them either way.
    pub sinusoidal_pos_embds: bool,
}

/// (the usual name, DistilBERT's own).
const SPELLINGS: [(&str, &str); 5] = [
    ("hidden_size", "dim"),
    ("num_hidden_layers", "n_layers"),
    ("num_attention_heads", "n_heads"),
    ("intermediate_size", "hidden_dim"),
    ("hidden_act", "activation"),
];

/// How many of [`SPELLINGS`], from the first on, Transformers takes under either name.
const EITHER: usize = 3;

impl DistilBertConfig {
    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.get().cloned()
    }

    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Config> {
        let mut map = map.clone();
        for (usual, own) in &SPELLINGS[..EITHER] {
            // In a file with both, Transformers takes the usual one.
            if let Some(value) = map.get(*usual).cloned() {
                map.insert((*own).to_string(), value);
            }
        }
        let defaults = Defaults { layers: 6, ..Defaults::BERT };
        Ok(Self::read(&Fields::spelled_by(&map, &SPELLINGS), &defaults)?.into())
    }

    fn read(fields: &Fields, defaults: &Defaults) -> Result<Self> {
        let share =
            |key, default| -> Result<f64> { Ok(fields.probability(key)?.unwrap_or(default)) };
        Ok(Self {
            transformer: TransformerConfig::read(fields, defaults)?,
            hidden_act: fields.activation("hidden_act", "gelu")?,
            dropout: share("dropout", 0.1)?,
            attention_dropout: share("attention_dropout", 0.1)?,
            qa_dropout: share("qa_dropout", 0.1)?,
            seq_classif_dropout: share("seq_classif_dropout", 0.2)?,
            sinusoidal_pos_embds: fields.flag("sinusoidal_pos_embds", false)?,
        })
    }
}

impl FamilyConfig for DistilBertConfig {
    fn family(&self) -> &'static Family {
        &FAMILY
    }

    fn encoder(&self) -> &EncoderConfig {
        self
    }

    /// Of token types there is 0 only.
    fn limits(&self) -> Limits {
        self.usual_limits()
    }
}

impl Deref for DistilBertConfig {
    type Target = TransformerConfig;

    fn deref(&self) -> &TransformerConfig {
        &self.transformer
    }
}
