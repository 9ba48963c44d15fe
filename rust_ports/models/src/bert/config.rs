//! The configuration of BERT.

use std::ops::Deref;

use serde_json::{Map, Value, json};

use super::FAMILY;
use crate::config::{Defaults, EncoderConfig, Fields, Limits, TransformerConfig};
use crate::error::Result;
use crate::family::{Config, Family, FamilyConfig};

/// What BERT's layers are built from, and those of the families that took them over.
#[derive(Debug, Clone, PartialEq)]
pub struct BertLayerConfig {
    /// What every transformer has; its fields are read through this one.
    pub transformer: TransformerConfig,
    /// One of [`ACTIVATIONS`](crate::layers::ACTIVATIONS).
    pub hidden_act: String,
    /// The share of features that training drops.
    pub hidden_dropout_prob: f64,
    /// The share of attention that training drops.
    pub attention_probs_dropout_prob: f64,
    /// What layer norms add to the variance.
    pub layer_norm_eps: f64,
}

/// BERT's configuration, under Transformers' names.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    /// What the layers are built from; its fields are read through this one.
    pub layers: BertLayerConfig,
    /// The share of features that training drops before a classifier.
    pub classifier_dropout: Option<f64>,
    /// How many token types there are.
    pub type_vocab_size: usize,
}

impl BertLayerConfig {
    pub(crate) fn read(fields: &Fields, defaults: &Defaults) -> Result<Self> {
        let share = |key| -> Result<f64> { Ok(fields.probability(key)?.unwrap_or(0.1)) };
        Ok(Self {
            transformer: TransformerConfig::read(fields, defaults)?,
            hidden_act: fields.activation("hidden_act", "gelu")?,
            hidden_dropout_prob: share("hidden_dropout_prob")?,
            attention_probs_dropout_prob: share("attention_probs_dropout_prob")?,
            layer_norm_eps: fields.positive("layer_norm_eps", 1e-12)?,
        })
    }
}

impl BertLayerConfig {
    /// The share of features that training drops in front of a classifier.
    pub fn classifier_rate(&self) -> f64 {
        self.hidden_dropout_prob
    }
}

impl BertConfig {
    /// The share of features that training drops in front of a classifier.
    pub fn classifier_rate(&self) -> f64 {
        self.classifier_dropout.unwrap_or(self.hidden_dropout_prob)
    }

    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.get().cloned()
    }

    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Config> {
        Ok(Self::read(&Fields::new(map), &Defaults::BERT)?.into())
    }

    pub(crate) fn read(fields: &Fields, defaults: &Defaults) -> Result<Self> {
        fields.check_only_values(&[("position_embedding_type", json!("absolute"))])?;
        Ok(Self {
            layers: BertLayerConfig::read(fields, defaults)?,
            classifier_dropout: fields.probability("classifier_dropout")?,
            type_vocab_size: fields.size("type_vocab_size", 2)?,
        })
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
        Limits { type_vocab_size: self.type_vocab_size, ..self.usual_limits() }
    }
}

impl Deref for BertLayerConfig {
    type Target = TransformerConfig;

    fn deref(&self) -> &TransformerConfig {
        &self.transformer
    }
}

impl Deref for BertConfig {
    type Target = BertLayerConfig;

    fn deref(&self) -> &BertLayerConfig {
        &self.layers
    }
}
