//! The configuration of the RoPE encoder, which has names of its own for its sizes.

use std::ops::Deref;

use encoders_kernels::config_error;
use serde_json::{Map, Value};

use super::FAMILY;
use crate::config::{Defaults, EncoderConfig, Fields, Limits, TransformerConfig};
use crate::error::Result;
use crate::family::{Config, Family, FamilyConfig};

/// The configuration of the RoPE encoder, its sizes under the names that the other families
/// have.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeEncoderConfig {
    /// What every transformer has; its fields are read through this one.
    pub transformer: TransformerConfig,
    /// One of [`ACTIVATIONS`](crate::layers::ACTIVATIONS).
    pub hidden_act: String,
    /// The share of features, and of attention, that training drops.
    pub dropout: f64,
    /// What layer norms add to the variance.
    pub layer_norm_eps: f64,
    /// The base of RoPE's frequencies.
    pub rope_theta: f64,
    /// Whether it scores the vocabulary: it is a RopeEncoderForMaskedLM then, and no other.
    pub is_masked_language: bool,
    /// Whether there is a temperature that training moves.
    pub use_temperature: bool,
    /// What that begins at.
    pub temperature_init: f64,
}

/// (the usual name, the RoPE encoder's own).
const SPELLINGS: [(&str, &str); 6] = [
    ("hidden_size", "embedding_dim"),
    ("num_hidden_layers", "num_layers"),
    ("num_attention_heads", "num_heads"),
    ("intermediate_size", "hidden_dim"),
    ("max_position_embeddings", "context_window"),
    ("hidden_act", "activation"),
];

const MASKED: &str = "RopeEncoderForMaskedLM";

impl RopeEncoderConfig {
    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.get().cloned()
    }

    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Config> {
        let mut map = map.clone();
        for (usual, own) in &SPELLINGS {
            // A file may have either name; in one with both, the usual one counts.
            if let Some(value) = map.get(*usual).cloned() {
                map.insert((*own).to_string(), value);
            }
        }
        let mut config = Self::read(&Fields::spelled_by(&map, &SPELLINGS))?;
        config.check()?;
        if config.is_masked_language {
            config.transformer.encoder.architectures = vec![MASKED.into()];
        }
        Ok(config.into())
    }

    fn read(fields: &Fields) -> Result<Self> {
        let defaults = Defaults {
            vocab_size: 20_000,
            pad_token_id: 0,
            hidden_size: 256,
            layers: 6,
            heads: 8,
            intermediate_size: 512,
            positions: 16,
        };
        let transformer = TransformerConfig::read(fields, &defaults)?;
        let named = transformer.architectures.iter().any(|name| name == MASKED);
        Ok(Self {
            hidden_act: fields.activation("hidden_act", "gelu")?,
            dropout: fields.probability("dropout")?.unwrap_or(0.1),
            layer_norm_eps: fields.positive("layer_norm_eps", 1e-5)?,
            rope_theta: fields.positive("rope_theta", 10_000.0)?,
            // A file that names the class need not say it twice.
            is_masked_language: fields.flag("is_masked_language", named)?,
            use_temperature: fields.flag("use_temperature", true)?,
            temperature_init: fields.positive("temperature_init", 1.0)?,
            transformer,
        })
    }

    fn check(&self) -> Result<()> {
        if !self.head_dim().is_multiple_of(2) {
            return Err(config_error!(
                "embedding_dim / num_heads is {}; RoPE turns pairs, so it must be even",
                self.head_dim()
            ));
        }
        match self.architectures.first() {
            Some(named) if self.is_masked_language != (named == MASKED) => Err(config_error!(
                "is_masked_language is {}, but architectures names {named}; it is true of a \
                 {MASKED}, and of no other",
                self.is_masked_language
            )),
            _ => Ok(()),
        }
    }
}

impl FamilyConfig for RopeEncoderConfig {
    fn family(&self) -> &'static Family {
        &FAMILY
    }

    fn encoder(&self) -> &EncoderConfig {
        self
    }

    /// The context ends where it says; within it, pads before a text change nothing. Of token
    /// types there is 0 only.
    fn limits(&self) -> Limits {
        Limits { relative: true, ..self.usual_limits() }
    }
}

impl Deref for RopeEncoderConfig {
    type Target = TransformerConfig;

    fn deref(&self) -> &TransformerConfig {
        &self.transformer
    }
}
