//! DistilBERT's layers, from attention up.

use candle_core::Tensor;

use super::{DistilBertConfig, norm};
use crate::attention::{Attend, Projections, merge_heads};
use crate::error::Result;
use crate::layers::{
    Activation, LayerNorm, Linear, activated, activation, add_norm, in_turn, stack,
};
use crate::weights::Weights;

/// Three projections, attention in every head, and the projection that mixes the heads.
#[derive(Debug, Clone)]
pub struct DistilBertSelfAttention {
    /// hidden to hidden, of queries.
    pub q_lin: Linear,
    /// hidden to hidden, of keys.
    pub k_lin: Linear,
    /// hidden to hidden, of values.
    pub v_lin: Linear,
    /// hidden to hidden, of what the heads gave.
    pub out_lin: Linear,
    projections: Projections,
}

impl DistilBertSelfAttention {
    /// Takes all four projections.
    pub fn new(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        let dense = |name: &str| Linear::new(size, size, true, &weights.under(name));
        let (q_lin, k_lin, v_lin) = (dense("q_lin")?, dense("k_lin")?, dense("v_lin")?);
        let projections = Projections::new(&q_lin, &k_lin, &v_lin, config.num_attention_heads)?;
        let out_lin = dense("out_lin")?.noting_input();
        Ok(Self { q_lin, k_lin, v_lin, out_lin, projections })
    }

    /// With the residual and the `norm` behind it, which are one with the last projection.
    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(
        &self,
        hidden: &Tensor,
        attend: &Attend,
        norm: &LayerNorm,
    ) -> Result<Tensor> {
        let [query, key, value] = self.projections.forward(hidden)?;
        let context = merge_heads(&attend(&query, &key, &value)?)?;
        add_norm(&self.out_lin, norm, &context, hidden, 0.0)
    }
}

/// The feed-forward network: widen, activate, narrow.
#[derive(Debug, Clone)]
pub struct FFN {
    /// hidden to the intermediate size.
    pub lin1: Linear,
    /// The intermediate size to hidden.
    pub lin2: Linear,
    /// What follows `lin1`.
    pub activation: Activation,
    /// The share of features that training drops.
    pub rate: f64,
}

impl FFN {
    /// Takes `lin1` and `lin2`.
    pub fn new(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        let (size, wide) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            lin1: Linear::new(size, wide, true, &weights.under("lin1"))?,
            lin2: Linear::new(wide, size, true, &weights.under("lin2"))?.noting_input(),
            activation: activation(&config.hidden_act)?,
            rate: config.dropout,
        })
    }

    /// With the residual and the `norm` behind it, which are one with the last projection.
    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor, norm: &LayerNorm) -> Result<Tensor> {
        let wide = activated(&self.lin1, self.activation, hidden)?;
        add_norm(&self.lin2, norm, &wide, hidden, self.rate)
    }
}

/// One block: attention, then the feed-forward network; a residual and a norm after each.
#[derive(Debug, Clone)]
pub struct TransformerBlock {
    /// Where tokens look at each other.
    pub attention: DistilBertSelfAttention,
    /// Of attention's sum with the residual.
    pub sa_layer_norm: LayerNorm,
    /// What transforms each token by itself.
    pub ffn: FFN,
    /// Of the network's sum with the residual.
    pub output_layer_norm: LayerNorm,
}

impl TransformerBlock {
    /// Takes the tensors of all parts.
    pub fn new(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            attention: DistilBertSelfAttention::new(config, &weights.under("attention"))?,
            sa_layer_norm: norm(config, &weights.under("sa_layer_norm"))?.noted(),
            ffn: FFN::new(config, &weights.under("ffn"))?,
            output_layer_norm: norm(config, &weights.under("output_layer_norm"))?.noted(),
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor, attend: &Attend) -> Result<Tensor> {
        let attended = self.attention.forward(hidden, attend, &self.sa_layer_norm)?;
        self.ffn.forward(&attended, &self.output_layer_norm)
    }
}

/// The layers, one after another.
#[derive(Debug, Clone)]
pub struct Transformer {
    /// In their order.
    pub layer: Vec<TransformerBlock>,
}

impl Transformer {
    /// Takes the tensors of all layers.
    pub fn new(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        let new = |weights: &Weights| TransformerBlock::new(config, weights);
        Ok(Self { layer: stack(config.num_hidden_layers, &weights.under("layer"), new)? })
    }

    /// `hidden` and every state returned are `[..., tokens, hidden]`: the input, then each
    /// layer's output.
    pub fn forward(&self, hidden: Tensor, attend: &Attend) -> Result<Vec<Tensor>> {
        in_turn(&self.layer, hidden, |layer, hidden| layer.forward(hidden, attend))
    }
}
