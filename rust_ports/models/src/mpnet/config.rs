//! The configuration of MPNet.

use std::ops::Deref;

use encoders_kernels::config_error;
use serde_json::{Map, Value, json};

use super::{FAMILY, PAD};
use crate::bert::BertLayerConfig;
use crate::config::{Defaults, EncoderConfig, Fields, Limits};
use crate::error::Result;
use crate::family::{Config, Family, FamilyConfig};

/// MPNet's configuration, under Transformers' names.
#[derive(Debug, Clone, PartialEq)]
pub struct MPNetConfig {
    /// What the layers are built from; its fields are read through this one.
    pub layers: BertLayerConfig,
}

impl MPNetConfig {
    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.get().cloned()
    }

    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Config> {
        let fields = Fields::new(map);
        // Transformers sizes the table by this key, and looks it up as if there were 32 rows.
        fields.check_only_values(&[("relative_attention_num_buckets", json!(32))])?;
        let defaults = Defaults { vocab_size: 30527, pad_token_id: PAD, ..Defaults::BERT };
        let config = Self { layers: BertLayerConfig::read(&fields, &defaults)? };
        if config.pad_token_id != Some(PAD) {
            return Err(config_error!(
                "pad_token_id is {}; mpnet pads with {PAD} and counts positions from there",
                map.get("pad_token_id").unwrap_or(&Value::Null)
            ));
        }
        if config.max_position_embeddings <= PAD + 1 {
            return Err(config_error!(
                "max_position_embeddings {} leaves no position for a token: mpnet starts at {}",
                config.max_position_embeddings,
                PAD + 1
            ));
        }
        Ok(config.into())
    }
}

impl FamilyConfig for MPNetConfig {
    fn family(&self) -> &'static Family {
        &FAMILY
    }

    fn encoder(&self) -> &EncoderConfig {
        self
    }

    /// Positions start after the pad id, and pads have none. Of token types there is 0 only.
    fn limits(&self) -> Limits {
        Limits {
            max_tokens: self.max_position_embeddings - PAD - 1,
            uncounted: Some(PAD),
            ..self.usual_limits()
        }
    }
}

impl Deref for MPNetConfig {
    type Target = BertLayerConfig;

    fn deref(&self) -> &BertLayerConfig {
        &self.layers
    }
}
