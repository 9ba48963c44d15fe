//! ModernBERT's embeddings and layers.

use candle_core::Tensor;

use super::{ModernBertConfig, norm};
use crate::attention::{Attend, merge_heads, project_and_turn};
use crate::error::Result;
use crate::layers::{Embedding, GatedMLP, LayerNorm, Linear, dropout};
use crate::rope::Tables;
use crate::trace::note;
use crate::weights::{Path, Weights};

/// A looked-up vector and a norm. Positions are no part of it: they come in with attention.
#[derive(Debug, Clone)]
pub struct ModernBertEmbeddings {
    /// A vector for each word.
    pub tok_embeddings: Embedding,
    /// Of that vector.
    pub norm: LayerNorm,
    /// The share of features that training drops.
    pub rate: f64,
    path: Path,
}

impl ModernBertEmbeddings {
    /// Takes the table and the norm.
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            tok_embeddings: Embedding::new(
                config.vocab_size,
                config.hidden_size,
                config.pad_token_id,
                &weights.under("tok_embeddings"),
            )?,
            norm: norm(config, &weights.under("norm"))?,
            rate: config.embedding_dropout,
            path: weights.path(),
        })
    }

    /// `input_ids` is `[batch, tokens]` or packed `[tokens]`; one axis, hidden, is added.
    pub fn forward(&self, input_ids: &Tensor) -> Result<Tensor> {
        let words = self.tok_embeddings.forward(input_ids)?;
        let normed = dropout(&self.norm.forward(&words)?, self.rate)?;
        Ok(note(&self.path, normed))
    }
}

/// One projection to queries, keys and values, a turn of queries and keys by position,
/// attention, a projection.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct ModernBertAttention {
    /// hidden to queries, keys and values side by side.
    pub Wqkv: Linear,
    /// hidden to hidden.
    pub Wo: Linear,
    /// How many heads there are.
    pub heads: usize,
    /// The share of features that training drops.
    pub rate: f64,
}

impl ModernBertAttention {
    /// Takes `Wqkv` and `Wo`.
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        let (size, bias) = (config.hidden_size, config.attention_bias);
        Ok(Self {
            Wqkv: Linear::new(size, 3 * size, bias, &weights.under("Wqkv"))?,
            Wo: Linear::new(size, size, bias, &weights.under("Wo"))?.noting_input(),
            heads: config.num_attention_heads,
            rate: config.attention_dropout,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result; `tables` are `[tokens,
    /// head_dim]`.
    pub fn forward(&self, hidden: &Tensor, tables: &Tables, attend: &Attend) -> Result<Tensor> {
        // (1) one projection gives queries, keys and values of all heads
        let [query, key, value] = project_and_turn(&self.Wqkv, hidden, tables, self.heads)?;
        // (2) tokens attend, queries and keys turned by their positions
        let context = merge_heads(&attend(&query, &key, &value)?)?;
        // (3) the heads lie side by side again, and are mixed
        dropout(&self.Wo.forward(&context)?, self.rate)
    }
}

/// Attention and the gated network, each behind a norm and added to what went in.
#[derive(Debug, Clone)]
pub struct ModernBertEncoderLayer {
    /// Layer 0 has none, for the embeddings end with one.
    pub attn_norm: Option<LayerNorm>,
    /// Where tokens look at each other.
    pub attn: ModernBertAttention,
    /// Before the gated network.
    pub mlp_norm: LayerNorm,
    /// The gated network.
    pub mlp: GatedMLP,
    path: Path,
}

impl ModernBertEncoderLayer {
    /// Takes the tensors of all parts.
    pub fn new(config: &ModernBertConfig, number: usize, weights: &Weights) -> Result<Self> {
        let attn_norm = (number > 0).then(|| norm(config, &weights.under("attn_norm")));
        Ok(Self {
            attn_norm: attn_norm.transpose()?.map(LayerNorm::noted),
            attn: ModernBertAttention::new(config, &weights.under("attn"))?,
            mlp_norm: norm(config, &weights.under("mlp_norm"))?.noted(),
            mlp: GatedMLP::new(
                config.hidden_size,
                config.intermediate_size,
                &config.hidden_activation,
                config.mlp_bias,
                config.mlp_dropout,
                &weights.under("mlp"),
            )?,
            path: weights.path(),
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result; `tables` are `[tokens,
    /// head_dim]`.
    pub fn forward(&self, hidden: &Tensor, tables: &Tables, attend: &Attend) -> Result<Tensor> {
        // (1) the norm comes before attention; layer 0 has none
        let normed = match &self.attn_norm {
            Some(norm) => norm.forward(hidden)?,
            None => hidden.clone(),
        };
        // (2) what attention found is added to the stream
        let hidden = (hidden + self.attn.forward(&normed, tables, attend)?)?;
        // (3) the same with the MLP, after its norm
        let normed = self.mlp_norm.forward(&hidden)?;
        let hidden = (hidden + self.mlp.forward(&normed)?)?;
        Ok(note(&self.path, hidden))
    }
}
