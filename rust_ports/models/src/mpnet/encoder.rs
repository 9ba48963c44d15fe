//! MPNet's layers, from attention up, and the biases that they share.

use candle_core::{Device, Tensor};

use super::{MPNetConfig, norm};
use crate::attention::{Attend, Lengths, Projections, attend_to, merge_heads};
use crate::bert::{BertIntermediate, BertOutput};
use crate::error::Result;
use crate::inputs::Batch;
use crate::layers::{Embedding, LayerNorm, Linear, add_norm, in_turn, stack};
use crate::trace::note;
use crate::weights::{Path, Weights};

/// How many biases a head has; half of them are for keys before the query, half for those
/// behind it.
const BUCKETS: usize = 32;

/// Where each bucket of a direction begins, after the first one: up to 8 every distance has its
/// own, then each begins √2 times as far out as the one before. The next would begin at 128.
const BUCKET_STARTS: [u64; 15] = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91];

/// Three projections, attention in every head, and the projection that mixes the heads.
#[derive(Debug, Clone)]
pub struct MPNetSelfAttention {
    /// hidden to hidden, of queries.
    pub q: Linear,
    /// hidden to hidden, of keys.
    pub k: Linear,
    /// hidden to hidden, of values.
    pub v: Linear,
    /// hidden to hidden, of what the heads gave.
    pub o: Linear,
    /// The share of features that training drops.
    pub rate: f64,
    projections: Projections,
}

impl MPNetSelfAttention {
    /// Takes all four projections.
    pub fn new(config: &MPNetConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        let dense = |name: &str| Linear::new(size, size, true, &weights.under(name));
        let (q, k, v) = (dense("q")?, dense("k")?, dense("v")?);
        let o = dense("o")?.noting_input();
        let projections = Projections::new(&q, &k, &v, config.num_attention_heads)?;
        Ok(Self { q, k, v, o, rate: config.hidden_dropout_prob, projections })
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
        add_norm(&self.o, norm, &context, hidden, self.rate)
    }
}

/// Self-attention, the residual, and the norm after it.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct MPNetAttention {
    /// Attention itself.
    pub attn: MPNetSelfAttention,
    /// Of the sum with the residual.
    pub LayerNorm: LayerNorm,
    path: Path,
}

impl MPNetAttention {
    /// Takes the tensors of both parts.
    pub fn new(config: &MPNetConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            attn: MPNetSelfAttention::new(config, &weights.under("attn"))?,
            LayerNorm: norm(config, weights)?,
            path: weights.path(),
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor, attend: &Attend) -> Result<Tensor> {
        let attended = self.attn.forward(hidden, attend, &self.LayerNorm)?;
        Ok(note(&self.path, attended))
    }
}

/// One block: tokens look at each other, then each token is transformed by itself.
#[derive(Debug, Clone)]
pub struct MPNetLayer {
    /// Where tokens look at each other.
    pub attention: MPNetAttention,
    /// The feed-forward network's first half; BERT's.
    pub intermediate: BertIntermediate,
    /// The feed-forward network's second half; BERT's.
    pub output: BertOutput,
}

impl MPNetLayer {
    /// Takes the tensors of all parts.
    pub fn new(config: &MPNetConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            attention: MPNetAttention::new(config, &weights.under("attention"))?,
            intermediate: BertIntermediate::new(config, &weights.under("intermediate"))?,
            output: BertOutput::new(config, &weights.under("output"))?,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor, attend: &Attend) -> Result<Tensor> {
        let attended = self.attention.forward(hidden, attend)?;
        self.output.forward(&self.intermediate.forward(&attended)?, &attended)
    }
}

/// Which bucket it is when a key stands so many tokens behind the query, or before it: fine
/// near by, coarse far away (Raffel et al. 2020, section 2.1).
///
/// `relative_position` is `[...]`, and so is the result.
pub fn relative_position_bucket(relative_position: &Tensor) -> Result<Tensor> {
    let positions: Vec<i64> = relative_position.flatten_all()?.to_vec1()?;
    let buckets: Vec<i64> = positions.into_iter().map(bucket).collect();
    Ok(Tensor::from_vec(buckets, relative_position.shape(), relative_position.device())?)
}

fn bucket(relative_position: i64) -> i64 {
    let distance = relative_position.unsigned_abs();
    let bucket = BUCKET_STARTS.partition_point(|start| *start <= distance);
    let behind = if relative_position > 0 { BUCKETS / 2 } else { 0 };
    (bucket + behind) as i64
}

/// The layers, one after another, and the one table of biases that they share.
#[derive(Debug, Clone)]
pub struct MPNetEncoder {
    /// In their order.
    pub layer: Vec<MPNetLayer>,
    /// A bias for each bucket and head.
    pub relative_attention_bias: Embedding,
    /// The share of attention that training drops.
    pub rate: f64,
}

impl MPNetEncoder {
    /// Takes the tensors of all layers, and the table.
    pub fn new(config: &MPNetConfig, weights: &Weights) -> Result<Self> {
        let new = |weights: &Weights| MPNetLayer::new(config, weights);
        let table = weights.under("relative_attention_bias");
        Ok(Self {
            layer: stack(config.num_hidden_layers, &weights.under("layer"), new)?,
            rate: config.attention_probs_dropout_prob,
            relative_attention_bias: Embedding::new(
                BUCKETS,
                config.num_attention_heads,
                None,
                &table,
            )?,
        })
    }

    /// `hidden` and every state returned are `[..., tokens, hidden]`: the input, then each
    /// layer's output.
    pub fn forward(&self, hidden: Tensor, inputs: &Batch) -> Result<Vec<Tensor>> {
        let width = || inputs.input_ids.dims()[1];
        let longest = inputs.lengths.map_or_else(width, Lengths::longest);
        let bias = self.position_bias(longest)?;
        let attend = attend_to(inputs, None, Some(&bias), self.rate)?;
        in_turn(&self.layer, hidden, |layer, hidden| layer.forward(hidden, &*attend))
    }

    /// What is added to the score of each query and key of a text, whatever stands there:
    /// `[heads, tokens, tokens]`.
    pub fn position_bias(&self, tokens: usize) -> Result<Tensor> {
        let table = self.relative_attention_bias.weight.t()?.contiguous()?; // [heads, buckets]
        let places = Tensor::arange(0, tokens as i64, &Device::Cpu)?;
        let apart = places.unsqueeze(0)?.broadcast_sub(&places.unsqueeze(1)?)?;
        let buckets = relative_position_bucket(&apart)?.flatten_all()?;
        let heads = table.dim(0)?;
        let buckets = buckets.to_device(table.device())?;
        Ok(table.index_select(&buckets, 1)?.reshape((heads, tokens, tokens))?)
    }
}
