//! BERT's layers, from attention up.

use candle_core::Tensor;

use super::{BertLayerConfig, norm};
use crate::attention::{Attend, Projections, merge_heads};
use crate::error::Result;
use crate::layers::{
    Activation, LayerNorm, Linear, activated, activation, add_norm, in_turn, stack,
};
use crate::trace::note;
use crate::weights::{Path, Weights};

/// Three projections, and attention in every head.
#[derive(Debug, Clone)]
pub struct BertSelfAttention {
    /// hidden to hidden.
    pub query: Linear,
    /// hidden to hidden.
    pub key: Linear,
    /// hidden to hidden.
    pub value: Linear,
    projections: Projections,
    path: Path,
}

impl BertSelfAttention {
    /// Takes `query`, `key` and `value`.
    pub fn new(config: &BertLayerConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        let dense = |name: &str| Linear::new(size, size, true, &weights.under(name));
        let (query, key, value) = (dense("query")?, dense("key")?, dense("value")?);
        let projections = Projections::new(&query, &key, &value, config.num_attention_heads)?;
        Ok(Self { query, key, value, projections, path: weights.path() })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the context that is returned.
    pub fn forward(&self, hidden: &Tensor, attend: &Attend) -> Result<Tensor> {
        let [query, key, value] = self.projections.forward(hidden)?;
        let context = merge_heads(&attend(&query, &key, &value)?)?;
        Ok(note(&self.path, context))
    }
}

/// The projection that mixes the heads, the residual, and the norm after it.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct BertSelfOutput {
    /// hidden to hidden.
    pub dense: Linear,
    /// Of the sum with the residual.
    pub LayerNorm: LayerNorm,
    /// The share of features that training drops.
    pub rate: f64,
    path: Path,
}

impl BertSelfOutput {
    /// Takes `dense` and `LayerNorm`.
    pub fn new(config: &BertLayerConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            dense: Linear::new(size, size, true, &weights.under("dense"))?,
            LayerNorm: norm(config, weights)?,
            rate: config.hidden_dropout_prob,
            path: weights.path(),
        })
    }

    /// `context` and `residual` are `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, context: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let normed = add_norm(&self.dense, &self.LayerNorm, context, residual, self.rate)?;
        Ok(note(&self.path, normed))
    }
}

/// Self-attention and its output block.
#[derive(Debug, Clone)]
pub struct BertAttention {
    /// Attention itself; its key is `self`.
    pub self_attention: BertSelfAttention,
    /// What follows it.
    pub output: BertSelfOutput,
}

impl BertAttention {
    /// Takes the tensors of both parts.
    pub fn new(config: &BertLayerConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            self_attention: BertSelfAttention::new(config, &weights.under("self"))?,
            output: BertSelfOutput::new(config, &weights.under("output"))?,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor, attend: &Attend) -> Result<Tensor> {
        self.output.forward(&self.self_attention.forward(hidden, attend)?, hidden)
    }
}

/// The widening half of the feed-forward network.
#[derive(Debug, Clone)]
pub struct BertIntermediate {
    /// hidden to the intermediate size.
    pub dense: Linear,
    /// What follows it.
    pub activation: Activation,
    path: Path,
}

impl BertIntermediate {
    /// Takes `dense`.
    pub fn new(config: &BertLayerConfig, weights: &Weights) -> Result<Self> {
        let (size, wide) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            dense: Linear::new(size, wide, true, &weights.under("dense"))?,
            activation: activation(&config.hidden_act)?,
            path: weights.path(),
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, the result `[..., tokens, intermediate]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let wide = activated(&self.dense, self.activation, hidden)?;
        Ok(note(&self.path, wide))
    }
}

/// The narrowing half of the feed-forward network, the residual, and the norm after it.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct BertOutput {
    /// The intermediate size to hidden.
    pub dense: Linear,
    /// Of the sum with the residual.
    pub LayerNorm: LayerNorm,
    /// The share of features that training drops.
    pub rate: f64,
    path: Path,
}

impl BertOutput {
    /// Takes `dense` and `LayerNorm`.
    pub fn new(config: &BertLayerConfig, weights: &Weights) -> Result<Self> {
        let (size, wide) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            dense: Linear::new(wide, size, true, &weights.under("dense"))?,
            LayerNorm: norm(config, weights)?,
            rate: config.hidden_dropout_prob,
            path: weights.path(),
        })
    }

    /// `wide` is `[..., tokens, intermediate]`; `residual` and the result are `[..., tokens,
    /// hidden]`.
    pub fn forward(&self, wide: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let normed = add_norm(&self.dense, &self.LayerNorm, wide, residual, self.rate)?;
        Ok(note(&self.path, normed))
    }
}

/// One block: tokens look at each other, then each token is transformed by itself.
#[derive(Debug, Clone)]
pub struct BertLayer {
    /// Where tokens look at each other.
    pub attention: BertAttention,
    /// The feed-forward network's first half.
    pub intermediate: BertIntermediate,
    /// The feed-forward network's second half.
    pub output: BertOutput,
}

impl BertLayer {
    /// Takes the tensors of all parts.
    pub fn new(config: &BertLayerConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            attention: BertAttention::new(config, &weights.under("attention"))?,
            intermediate: BertIntermediate::new(config, &weights.under("intermediate"))?,
            output: BertOutput::new(config, &weights.under("output"))?,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor, attend: &Attend) -> Result<Tensor> {
        // (1) tokens look at each other
        let attended = self.attention.forward(hidden, attend)?;
        // (2) each token is transformed by itself
        self.output.forward(&self.intermediate.forward(&attended)?, &attended)
    }
}

/// The layers, one after another.
#[derive(Debug, Clone)]
pub struct BertEncoder {
    /// In their order.
    pub layer: Vec<BertLayer>,
}

impl BertEncoder {
    /// Takes the tensors of all layers.
    pub fn new(config: &BertLayerConfig, weights: &Weights) -> Result<Self> {
        let new = |weights: &Weights| BertLayer::new(config, weights);
        Ok(Self { layer: stack(config.num_hidden_layers, &weights.under("layer"), new)? })
    }

    /// `hidden` and every state returned are `[..., tokens, hidden]`: the input, then each
    /// layer's output.
    pub fn forward(&self, hidden: Tensor, attend: &Attend) -> Result<Vec<Tensor>> {
        in_turn(&self.layer, hidden, |layer, hidden| layer.forward(hidden, attend))
    }
}
