//! The configuration of BERT.

use std::ops::Deref;

use serde_json::{Map, Value, json};

use super::FAMILY;
use crate::config::{
    Config, Defaults, EncoderConfig, FamilyConfig, Fields, Limits, TransformerConfig,
};
use crate::error::Result;
use crate::families::Family;
use crate::layers::activation;

/// BERT's configuration, under Transformers' names.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    /// What every transformer has; its fields are read through this one.
    pub transformer: TransformerConfig,
    /// One of [`ACTIVATIONS`](crate::layers::ACTIVATIONS).
    pub hidden_act: String,
    /// The share of features that training drops.
    pub hidden_dropout_prob: f64,
    /// The share of attention that training drops.
    pub attention_probs_dropout_prob: f64,
    /// The share of features that training drops before a classifier.
    pub classifier_dropout: Option<f64>,
    /// How many token types there are.
    pub type_vocab_size: usize,
    /// What layer norms add to the variance.
    pub layer_norm_eps: f64,
}

/// Keys with a single implemented value: anything else changes the computation.
fn only_values() -> [(&'static str, Value); 7] {
    [
        ("position_embedding_type", json!("absolute")),
        ("is_decoder", json!(false)),
        ("add_cross_attention", json!(false)),
        ("is_encoder_decoder", json!(false)),
        ("cross_attention_hidden_size", Value::Null),
        ("pruned_heads", json!({})),
        ("quantization_config", Value::Null),
    ]
}

impl BertConfig {
    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.get().cloned()
    }

    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Config> {
        let defaults = Defaults {
            vocab_size: 30522,
            pad_token_id: 0,
            layers: 12,
            intermediate_size: 3072,
            positions: 512,
        };
        Ok(Self::read(&Fields(map), &defaults)?.into())
    }

    pub(crate) fn read(fields: &Fields, defaults: &Defaults) -> Result<Self> {
        fields.check_only_values(&only_values())?;
        let share = |key| fields.probability(key);
        let config = Self {
            transformer: TransformerConfig::read(fields, defaults)?,
            hidden_act: fields.text("hidden_act")?.unwrap_or("gelu".into()),
            hidden_dropout_prob: share("hidden_dropout_prob")?.unwrap_or(0.1),
            attention_probs_dropout_prob: share("attention_probs_dropout_prob")?.unwrap_or(0.1),
            classifier_dropout: share("classifier_dropout")?,
            type_vocab_size: fields.size("type_vocab_size", 2)?,
            layer_norm_eps: fields.positive("layer_norm_eps", 1e-12)?,
        };
        activation(&config.hidden_act)?;
        Ok(config)
    }
}

impl FamilyConfig for BertConfig {
    fn family(&self) -> &'static Family {
        &FAMILY
    }

    fn encoder(&self) -> &EncoderConfig {
        self
    }

    fn limits(&self) -> Limits {
        Limits {
            vocab_size: self.vocab_size,
            type_vocab_size: self.type_vocab_size,
            max_tokens: self.max_position_embeddings,
            max_position_embeddings: self.max_position_embeddings,
            uncounted: None,
        }
    }
}

impl Deref for BertConfig {
    type Target = TransformerConfig;

    fn deref(&self) -> &TransformerConfig {
        &self.transformer
    }
}
