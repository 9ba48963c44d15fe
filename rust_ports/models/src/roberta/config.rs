//! The configuration of RoBERTa and of its relatives.

use std::ops::Deref;

use encoders_kernels::config_error;
use serde_json::{Map, Value};

use super::FAMILY;
use crate::bert::BertConfig;
use crate::config::{Defaults, EncoderConfig, Fields, Limits};
use crate::error::Result;
use crate::family::{Config, Family, FamilyConfig};

/// BERT's configuration, of a model that counts positions from the padding's id on.
#[derive(Debug, Clone, PartialEq)]
pub struct XLMRobertaConfig {
    /// All fields; they are read through this one.
    pub bert: BertConfig,
    /// The same id as there; here there must be one.
    pub(super) pad: usize,
}

/// XLM-RoBERTa's under another name.
pub type RobertaConfig = XLMRobertaConfig;

impl XLMRobertaConfig {
    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.get().cloned()
    }

    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Config> {
        let roberta = map.get("model_type") == Some(&Value::from("roberta"));
        let defaults = Defaults {
            vocab_size: if roberta { 50265 } else { 30522 },
            pad_token_id: 1,
            ..Defaults::BERT
        };
        let bert = BertConfig::read(&Fields::new(map), &defaults)?;
        let (name, positions) = (&bert.model_type, bert.max_position_embeddings);
        let Some(pad) = bert.pad_token_id else {
            return Err(config_error!(
                "{name} counts positions from pad_token_id, which is null here"
            ));
        };
        if positions <= pad + 1 {
            return Err(config_error!(
                "max_position_embeddings {positions} leaves no position for a token: {name} \
                 starts at pad_token_id + 1 = {}",
                pad + 1
            ));
        }
        Ok(Self { bert, pad }.into())
    }
}

impl FamilyConfig for XLMRobertaConfig {
    fn family(&self) -> &'static Family {
        &FAMILY
    }

    fn encoder(&self) -> &EncoderConfig {
        self
    }

    /// Positions start after the pad id, and pads have none.
    fn limits(&self) -> Limits {
        Limits {
            max_tokens: self.max_position_embeddings - self.pad - 1,
            uncounted: Some(self.pad),
            ..self.bert.limits()
        }
    }
}

impl Deref for XLMRobertaConfig {
    type Target = BertConfig;

    fn deref(&self) -> &BertConfig {
        &self.bert
    }
}
