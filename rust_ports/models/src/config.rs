//! What a checkpoint's config.json says: what all encoders have in common, and what
//! transformers add.
//!
//! Every value that shapes the computation is read and checked. One that is not implemented
//! raises: a model that ignores part of its configuration loads without complaint and is wrong.

mod detections;
mod fields;

use std::collections::BTreeMap;
use std::ops::Deref;

use encoders_kernels::config_error;
use serde_json::{Value, json};

pub(crate) use detections::unwrapped;
pub use detections::{Detections, SpanPooling};
pub use fields::PROBLEM_TYPES;
pub(crate) use fields::{Fields, one_of};

use crate::error::Result;

/// The deepest encoder ever trained has fewer; a list of more layers cannot be meant.
pub(crate) const MOST_LAYERS: usize = 1000;

/// What inputs must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Ids lie below it.
    pub vocab_size: usize,
    /// Token types lie below it.
    pub type_vocab_size: usize,
    /// How many tokens a text may have.
    pub max_tokens: usize,
    /// As config.json has it.
    pub max_position_embeddings: usize,
    /// An id that takes up no position.
    pub uncounted: Option<usize>,
    /// Whether a position says only how far tokens are apart.
    pub relative: bool,
}

impl Limits {
    /// Whether pads before a text push it to later positions.
    pub fn pads_take_positions(&self) -> bool {
        self.uncounted.is_none() && !self.relative
    }
}

/// What the layers of one kind attend to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerType {
    /// The whole text.
    FullAttention,
    /// A window around each token.
    SlidingAttention,
}

impl LayerType {
    /// Every kind that there is.
    pub const ALL: [Self; 2] = [Self::FullAttention, Self::SlidingAttention];
    const NAMES: [&'static str; 2] = ["full_attention", "sliding_attention"];

    /// The name in config.json.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Result<Self> {
        one_of("a kind of layer", name, &Self::NAMES)?;
        Ok(Self::ALL[usize::from(name == Self::NAMES[1])])
    }
}

/// What every encoder has, whatever it computes with: a vocabulary, vectors of one size,
/// labels.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// What config.json calls the kind of model.
    pub model_type: String,
    /// How many words there are.
    pub vocab_size: usize,
    /// How many numbers a token's vector has.
    pub hidden_size: usize,
    /// The standard deviation of weights before training.
    pub initializer_range: f64,
    /// The id of padding.
    pub pad_token_id: Option<usize>,
    /// Whether a masked-LM decoder shares the word embeddings' weight.
    pub tie_word_embeddings: bool,
    /// One of [`PROBLEM_TYPES`], or None: then the labels decide.
    pub problem_type: Option<String>,
    /// The name of each label.
    pub id2label: BTreeMap<usize, String>,
    /// Transformers' names of what the checkpoint was saved as.
    pub architectures: Vec<String>,
    /// Of a model for chosen positions: what is on the encoder.
    pub detections: Option<Detections>,
}

/// What a transformer has besides: layers, heads, a feed-forward network, positions.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformerConfig {
    /// What every encoder has; its fields are read through this one.
    pub encoder: EncoderConfig,
    /// How many layers there are.
    pub num_hidden_layers: usize,
    /// How many heads attention has.
    pub num_attention_heads: usize,
    /// How wide the feed-forward network is.
    pub intermediate_size: usize,
    /// How many positions there are.
    pub max_position_embeddings: usize,
}

/// What a family's configuration is where config.json does not say.
pub(crate) struct Defaults {
    pub vocab_size: usize,
    pub pad_token_id: usize,
    pub hidden_size: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate_size: usize,
    pub positions: usize,
}

impl Defaults {
    /// BERT's.
    pub const BERT: Self = Self {
        vocab_size: 30522,
        pad_token_id: 0,
        hidden_size: 768,
        layers: 12,
        heads: 12,
        intermediate_size: 3072,
        positions: 512,
    };
}

/// Keys with a single implemented value: anything else changes the computation.
fn only_values() -> [(&'static str, Value); 6] {
    [
        ("is_decoder", json!(false)),
        ("add_cross_attention", json!(false)),
        ("is_encoder_decoder", json!(false)),
        ("cross_attention_hidden_size", Value::Null),
        ("pruned_heads", json!({})),
        ("quantization_config", Value::Null),
    ]
}

impl EncoderConfig {
    pub(crate) fn read(fields: &Fields, defaults: &Defaults) -> Result<Self> {
        fields.check_only_values(&only_values())?;
        let id2label = fields.id2label()?;
        let config = Self {
            detections: Detections::read(fields, id2label.len())?,
            model_type: fields.text("model_type")?.unwrap_or_default(),
            vocab_size: fields.size("vocab_size", defaults.vocab_size)?,
            hidden_size: fields.size("hidden_size", defaults.hidden_size)?,
            initializer_range: fields.positive("initializer_range", 0.02)?,
            pad_token_id: fields.id("pad_token_id", defaults.pad_token_id)?,
            tie_word_embeddings: fields.flag("tie_word_embeddings", true)?,
            problem_type: fields.problem_type()?,
            id2label,
            architectures: fields.architectures()?,
        };
        match config.pad_token_id {
            Some(pad) if pad >= config.vocab_size => Err(config_error!(
                "pad_token_id {pad} lies outside the vocabulary of {}",
                config.vocab_size
            )),
            _ => Ok(config),
        }
    }

    /// How many labels a classification head has.
    pub fn num_labels(&self) -> usize {
        self.id2label.len()
    }

    /// The inverse of `id2label`.
    pub fn label2id(&self) -> BTreeMap<String, usize> {
        self.id2label.iter().map(|(id, label)| (label.clone(), *id)).collect()
    }
}

impl TransformerConfig {
    pub(crate) fn read(fields: &Fields, defaults: &Defaults) -> Result<Self> {
        let config = Self {
            encoder: EncoderConfig::read(fields, defaults)?,
            num_hidden_layers: fields.size("num_hidden_layers", defaults.layers)?,
            num_attention_heads: fields.size("num_attention_heads", defaults.heads)?,
            intermediate_size: fields.size("intermediate_size", defaults.intermediate_size)?,
            max_position_embeddings: fields
                .size("max_position_embeddings", defaults.positions)?,
        };
        if config.num_hidden_layers > MOST_LAYERS {
            return Err(config_error!(
                "{} is {}; no encoder has more than {MOST_LAYERS}",
                fields.spelled("num_hidden_layers"),
                config.num_hidden_layers
            ));
        }
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            return Err(config_error!(
                "{} {} is not a multiple of {} {}",
                fields.spelled("hidden_size"),
                config.hidden_size,
                fields.spelled("num_attention_heads"),
                config.num_attention_heads
            ));
        }
        Ok(config)
    }

    /// What inputs must keep to where each token has a position in the table, and there are no
    /// token types.
    pub(crate) fn usual_limits(&self) -> Limits {
        Limits {
            vocab_size: self.vocab_size,
            type_vocab_size: 1,
            max_tokens: self.max_position_embeddings,
            max_position_embeddings: self.max_position_embeddings,
            uncounted: None,
            relative: false,
        }
    }

    /// How many features a head has.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}

impl Deref for TransformerConfig {
    type Target = EncoderConfig;

    fn deref(&self) -> &EncoderConfig {
        &self.encoder
    }
}
