//! The RoPE encoder's embeddings and layers.

use candle_core::Tensor;

use super::{RopeEncoderConfig, norm};
use crate::attention::{Attend, Projections, merge_heads};
use crate::error::Result;
use crate::inputs::Batch;
use crate::layers::{Activation, Embedding, LayerNorm, Linear, activated, activation, dropout};
use crate::rope::{Tables, apply_exact_rope};
use crate::trace::note;
use crate::weights::{Path, Weights};

/// A looked-up vector, and nothing of its position.
#[derive(Debug, Clone)]
pub struct RopeEncoderEmbeddings {
    /// A vector for each word.
    pub word_embeddings: Embedding,
    /// The share of features that training drops.
    pub rate: f64,
    path: Path,
}

impl RopeEncoderEmbeddings {
    /// Takes the table.
    pub fn new(config: &RopeEncoderConfig, weights: &Weights) -> Result<Self> {
        let (rows, size) = (config.vocab_size, config.hidden_size);
        let table = &weights.under("word_embeddings");
        Ok(Self {
            word_embeddings: Embedding::new(rows, size, config.pad_token_id, table)?,
            rate: config.dropout,
            path: weights.path(),
        })
    }

    /// A vector for every token: `[batch, tokens, hidden]`, or packed `[tokens, hidden]`.
    pub fn forward(&self, inputs: &Batch) -> Result<Tensor> {
        let words = self.word_embeddings.forward(&inputs.input_ids)?;
        let words = dropout(&words, self.rate)?;
        Ok(note(&self.path, words))
    }
}

/// Queries and keys turned by position, attention, a projection.
#[derive(Debug, Clone)]
pub struct RopeEncoderAttention {
    /// hidden to hidden.
    pub query: Linear,
    /// hidden to hidden.
    pub key: Linear,
    /// hidden to hidden.
    pub value: Linear,
    /// hidden to hidden, of what the heads gave.
    pub output: Linear,
    /// The share of features that training drops.
    pub rate: f64,
    projections: Projections,
}

impl RopeEncoderAttention {
    /// Takes all four projections.
    pub fn new(config: &RopeEncoderConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        let dense = |name: &str| Linear::new(size, size, true, &weights.under(name));
        let (query, key, value) = (dense("query")?, dense("key")?, dense("value")?);
        let projections = Projections::new(&query, &key, &value, config.num_attention_heads)?;
        let output = dense("output")?.noting_input();
        Ok(Self { query, key, value, output, rate: config.dropout, projections })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result; `tables` are `[tokens,
    /// head_dim]`.
    pub fn forward(&self, hidden: &Tensor, tables: &Tables, attend: &Attend) -> Result<Tensor> {
        let [query, key, value] = self.projections.forward(hidden)?;
        let (cos, sin) = tables;
        let query = apply_exact_rope(&query, cos, sin)?;
        let key = apply_exact_rope(&key, cos, sin)?;
        let context = merge_heads(&attend(&query, &key, &value)?)?;
        dropout(&self.output.forward(&context)?, self.rate)
    }
}

/// Widen, activate, narrow.
#[derive(Debug, Clone)]
pub struct RopeEncoderFeedForward {
    /// hidden to the intermediate size.
    pub up: Linear,
    /// The intermediate size to hidden.
    pub down: Linear,
    /// What follows `up`.
    pub activation: Activation,
    /// The share of features that training drops.
    pub rate: f64,
}

impl RopeEncoderFeedForward {
    /// Takes `up` and `down`.
    pub fn new(config: &RopeEncoderConfig, weights: &Weights) -> Result<Self> {
        let (size, wide) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            up: Linear::new(size, wide, true, &weights.under("up"))?,
            down: Linear::new(wide, size, true, &weights.under("down"))?.noting_input(),
            activation: activation(&config.hidden_act)?,
            rate: config.dropout,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let wide = dropout(&activated(&self.up, self.activation, hidden)?, self.rate)?;
        dropout(&self.down.forward(&wide)?, self.rate)
    }
}

/// Attention and the feed-forward network, each behind a norm and added to what went in.
#[derive(Debug, Clone)]
pub struct RopeEncoderLayer {
    /// Of what goes into attention.
    pub attention_norm: LayerNorm,
    /// Where tokens look at each other.
    pub attention: RopeEncoderAttention,
    /// Of what goes into the feed-forward network.
    pub feed_forward_norm: LayerNorm,
    /// What transforms each token by itself.
    pub feed_forward: RopeEncoderFeedForward,
    path: Path,
}

impl RopeEncoderLayer {
    /// Takes the tensors of all parts.
    pub fn new(config: &RopeEncoderConfig, weights: &Weights) -> Result<Self> {
        let at = |name| weights.under(name);
        Ok(Self {
            attention_norm: norm(config, &at("attention_norm"))?.noted(),
            attention: RopeEncoderAttention::new(config, &at("attention"))?,
            feed_forward_norm: norm(config, &at("feed_forward_norm"))?.noted(),
            feed_forward: RopeEncoderFeedForward::new(config, &at("feed_forward"))?,
            path: weights.path(),
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result; `tables` are `[tokens,
    /// head_dim]`.
    pub fn forward(&self, hidden: &Tensor, tables: &Tables, attend: &Attend) -> Result<Tensor> {
        let normed = self.attention_norm.forward(hidden)?;
        let hidden = (hidden + self.attention.forward(&normed, tables, attend)?)?;
        let normed = self.feed_forward_norm.forward(&hidden)?;
        let hidden = (hidden + self.feed_forward.forward(&normed)?)?;
        Ok(note(&self.path, hidden))
    }
}
