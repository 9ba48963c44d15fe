//! The configuration of the character encoder: what all towers share, and each tower's own.

use std::ops::Deref;

use encoders_kernels::config_error;
use serde_json::{Map, Value};

use super::FAMILY;
use super::embeddings::PRIMES;
use super::tower_config::{TowerConfig, check_heads, towers};
use crate::config::{Defaults, EncoderConfig, Fields, Limits, TransformerConfig};
use crate::error::Result;
use crate::family::{Config, Family, FamilyConfig};
use crate::rope_encoder::RopeEncoderConfig;

/// The configuration of the character encoder. `vocab_size` is how many ids of characters there
/// are, `num_outputs` how many output tokens its masked language model chooses among.
#[derive(Debug, Clone, PartialEq)]
pub struct CharEncoderConfig {
    /// What every encoder has; its fields are read through this one.
    pub encoder: EncoderConfig,
    /// 0 is a table with a vector for each id. With 8 there is none: a character's vector is
    /// put together from eight tables, at places to which its id is hashed, and so none is
    /// unknown.
    pub num_hashes: usize,
    /// How many rows each of these tables has.
    pub num_hash_buckets: usize,
    /// How many numbers a character's vector has.
    pub char_emb_size: usize,
    /// How wide what all towers share is.
    pub n_filters: usize,
    /// So many characters the first convolution sees at once.
    pub kernel_size: usize,
    /// So many characters a text may have.
    pub max_example_len: usize,
    /// How many output tokens there are.
    pub num_outputs: usize,
    /// Side by side.
    pub towers: Vec<TowerConfig>,
    /// One of [`ACTIVATIONS`](crate::layers::ACTIVATIONS).
    pub hidden_act: String,
    /// The share of features, and of attention, that training drops.
    pub dropout: f64,
    /// What layer norms add to the variance.
    pub layer_norm_eps: f64,
    /// The base of RoPE's frequencies.
    pub rope_theta: f64,
}

const SPELLINGS: [(&str, &str); 1] = [("hidden_act", "activation")];

impl CharEncoderConfig {
    /// Checks the text of a config.json and turns it into a configuration.
    pub fn from_json(text: &str) -> Result<Self> {
        Config::from_json(text)?.get().cloned()
    }

    pub(super) fn from_map(map: &Map<String, Value>) -> Result<Config> {
        let mut map = map.clone();
        if let Some(value) = map.get("hidden_act").cloned() {
            // A file may have either name; in one with both, the usual one counts.
            map.insert("activation".into(), value);
        }
        // Characters go in and output tokens come out: no table serves both.
        let tied = map.entry("tie_word_embeddings").or_insert(Value::Bool(false));
        if *tied != Value::Bool(false) {
            return Err(config_error!(
                "tie_word_embeddings is {tied}, which is not implemented; supported: false"
            ));
        }
        let towers = towers(map.get("towers"))?;
        let width = towers.iter().map(|tower| tower.n_conv_filters).sum();
        match map.remove("hidden_size") {
            Some(given) if !given.is_null() && given != width => {
                return Err(config_error!(
                    "hidden_size is {given}; the towers' n_conv_filters sum to {width}, and \
                     that is what their outputs side by side have"
                ));
            }
            _ => {}
        }
        let config = Self::read(&Fields::spelled_by(&map, &SPELLINGS), towers, width)?;
        config.check()?;
        Ok(config.into())
    }

    fn read(fields: &Fields, towers: Vec<TowerConfig>, width: usize) -> Result<Self> {
        for key in ["num_hashes", "activation", "dropout", "layer_norm_eps", "rope_theta"] {
            fields.refuse_null(key)?;
        }
        let defaults =
            Defaults { vocab_size: 128, pad_token_id: 0, hidden_size: width, ..Defaults::BERT };
        Ok(Self {
            encoder: EncoderConfig::read(fields, &defaults)?,
            num_hashes: fields.integer("num_hashes", 0)?.unwrap_or(0),
            num_hash_buckets: fields.size("num_hash_buckets", 16_384)?,
            char_emb_size: fields.size("char_emb_size", 32)?,
            n_filters: fields.size("n_filters", 256)?,
            kernel_size: fields.size("kernel_size", 5)?,
            max_example_len: fields.size("max_example_len", 128)?,
            num_outputs: fields.size("num_outputs", 10_000)?,
            towers,
            hidden_act: fields.activation("hidden_act", "gelu")?,
            dropout: fields.probability("dropout")?.unwrap_or(0.1),
            layer_norm_eps: fields.positive("layer_norm_eps", 1e-5)?,
            rope_theta: fields.positive("rope_theta", 10_000.0)?,
        })
    }

    fn check(&self) -> Result<()> {
        if self.num_hashes > PRIMES.len() {
            return Err(config_error!(
                "num_hashes is {}; there are {} hashes, or 0 for a table with a vector for \
                 each character",
                self.num_hashes,
                PRIMES.len()
            ));
        }
        if self.num_hashes > 0 && !self.char_emb_size.is_multiple_of(self.num_hashes) {
            return Err(config_error!(
                "char_emb_size {} is not a multiple of num_hashes {}; each table gives its \
                 share of a vector",
                self.char_emb_size,
                self.num_hashes
            ));
        }
        for (place, tower) in self.towers.iter().enumerate().filter(|(_, t)| t.window.is_some())
        {
            check_heads("n_filters", self.n_filters, tower.num_heads)
                .map_err(|error| error.at(format!("towers[{place}]")))?;
        }
        Ok(())
    }

    /// What the layer is built from that attends among neighbouring characters.
    pub fn local(&self, tower: &TowerConfig) -> RopeEncoderConfig {
        self.layer(tower, self.n_filters, 1)
    }

    /// What the layers are built from that attend in the shortened text.
    pub fn short(&self, tower: &TowerConfig) -> RopeEncoderConfig {
        self.layer(tower, tower.n_conv_filters, tower.num_layers)
    }

    fn layer(&self, tower: &TowerConfig, size: usize, layers: usize) -> RopeEncoderConfig {
        RopeEncoderConfig {
            transformer: TransformerConfig {
                encoder: EncoderConfig { hidden_size: size, ..self.encoder.clone() },
                num_hidden_layers: layers,
                num_attention_heads: tower.num_heads,
                intermediate_size: tower.hidden_dim,
                max_position_embeddings: self.max_example_len,
            },
            hidden_act: self.hidden_act.clone(),
            dropout: self.dropout,
            layer_norm_eps: self.layer_norm_eps,
            rope_theta: self.rope_theta,
            is_masked_language: false,
            use_temperature: false,
            temperature_init: 1.0,
        }
    }
}

impl FamilyConfig for CharEncoderConfig {
    fn family(&self) -> &'static Family {
        &FAMILY
    }

    fn encoder(&self) -> &EncoderConfig {
        self
    }

    /// Texts are laid out from their first character on, so that pads before one change
    /// nothing. Of token types there is 0 only.
    fn limits(&self) -> Limits {
        Limits {
            vocab_size: self.vocab_size,
            type_vocab_size: 1,
            max_tokens: self.max_example_len,
            max_position_embeddings: self.max_example_len,
            uncounted: None,
            relative: true,
        }
    }
}

impl Deref for CharEncoderConfig {
    type Target = EncoderConfig;

    fn deref(&self) -> &EncoderConfig {
        &self.encoder
    }
}
