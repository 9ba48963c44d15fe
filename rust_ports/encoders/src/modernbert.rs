//! ModernBERT (Warner et al. 2024): rotary positions, local and global attention, pre-norm, a
//! gated network.
//!
//! Axes: batch, tokens, hidden; a packed batch has no batch axis, its texts stand in a row.
//! Field names are the keys of Transformers' checkpoints.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor};

use crate::attention::{
    Attend, blockwise_attention, merge_heads, packed_attention, padding_mask, positions,
    split_heads, texts,
};
use crate::config::{LayerType, ModernBertConfig};
use crate::error::{Result, config_error, input_error};
use crate::fused;
use crate::inputs::Inputs;
use crate::layers::{Embedding, GatedMLP, LayerNorm, Linear};
use crate::pretrained;
use crate::rope::{Tables, apply_rope, rope_tables};
use crate::trace::{enter, note};
use crate::weights::Weights;

/// RoPE's tables for each kind of layer.
pub type RopeTables = BTreeMap<LayerType, Tables>;

/// What [`ModernBertModel`] returns.
#[derive(Debug, Clone)]
pub struct ModernBertModelOutput {
    /// `[batch, tokens, hidden]`, or `[tokens, hidden]` for a packed batch.
    pub last_hidden_state: Tensor,
    /// The normed embeddings and then each layer's output, the last of them after the final
    /// norm.
    pub hidden_states: Option<Vec<Tensor>>,
}

/// A looked-up vector and a norm. Positions are no part of it: they come in with attention.
#[derive(Debug, Clone)]
pub struct ModernBertEmbeddings {
    pub tok_embeddings: Embedding,
    pub norm: LayerNorm,
}

impl ModernBertEmbeddings {
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            tok_embeddings: Embedding::new(
                config.vocab_size,
                config.hidden_size,
                config.pad_token_id,
                &weights.under("tok_embeddings"),
            )?,
            norm: norm(config, &weights.under("norm"))?,
        })
    }

    /// `input_ids` is `[batch, tokens]` or packed `[tokens]`; one axis, hidden, is added.
    pub fn forward(&self, input_ids: &Tensor) -> Result<Tensor> {
        let _module = enter("embeddings");
        let words = self.tok_embeddings.forward(input_ids)?;
        Ok(note("", self.norm.forward(&words)?))
    }
}

/// One projection to queries, keys and values, a turn of queries and keys by position,
/// attention, a projection.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct ModernBertAttention {
    pub Wqkv: Linear,
    pub Wo: Linear,
    pub heads: usize,
}

impl ModernBertAttention {
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        let (size, bias) = (config.hidden_size, config.attention_bias);
        Ok(Self {
            Wqkv: Linear::new(size, 3 * size, bias, &weights.under("Wqkv"))?,
            Wo: Linear::new(size, size, bias, &weights.under("Wo"))?,
            heads: config.num_attention_heads,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result; `tables` are `[tokens,
    /// head_dim]`.
    pub fn forward(&self, hidden: &Tensor, tables: &Tables, attend: &Attend) -> Result<Tensor> {
        let _module = enter("attn");
        let [query, key, value] = if fused::layer_wanted([hidden, &self.Wqkv.weight]) {
            fused::project_and_turn(&self.Wqkv, hidden, tables, self.heads)?
        } else {
            let all = note("Wqkv", self.Wqkv.forward(hidden)?);
            let size = all.dim(D::Minus1)? / 3;
            let part = |number| {
                let part = all.narrow(D::Minus1, number * size, size)?;
                split_heads(&part, self.heads)
            };
            let turned = |x: &Tensor| apply_rope(x, &tables.0, &tables.1);
            [turned(&part(0)?)?, turned(&part(1)?)?, part(2)?]
        };
        let context = note("Wo.input", merge_heads(&attend(&query, &key, &value)?)?);
        Ok(note("Wo", self.Wo.forward(&context)?))
    }
}

/// Attention and the gated network, each behind a norm and added to what went in.
#[derive(Debug, Clone)]
pub struct ModernBertEncoderLayer {
    /// Layer 0 has none, for the embeddings end with one.
    pub attn_norm: Option<LayerNorm>,
    pub attn: ModernBertAttention,
    pub mlp_norm: LayerNorm,
    pub mlp: GatedMLP,
}

impl ModernBertEncoderLayer {
    pub fn new(config: &ModernBertConfig, number: usize, weights: &Weights) -> Result<Self> {
        let attn_norm = (number > 0).then(|| norm(config, &weights.under("attn_norm")));
        Ok(Self {
            attn_norm: attn_norm.transpose()?,
            attn: ModernBertAttention::new(config, &weights.under("attn"))?,
            mlp_norm: norm(config, &weights.under("mlp_norm"))?,
            mlp: GatedMLP::new(
                config.hidden_size,
                config.intermediate_size,
                &config.hidden_activation,
                config.mlp_bias,
                &weights.under("mlp"),
            )?,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result; `tables` are `[tokens,
    /// head_dim]`.
    pub fn forward(&self, hidden: &Tensor, tables: &Tables, attend: &Attend) -> Result<Tensor> {
        let normed = match &self.attn_norm {
            Some(norm) => note("attn_norm", norm.forward(hidden)?),
            None => hidden.clone(),
        };
        let hidden = (hidden + self.attn.forward(&normed, tables, attend)?)?;
        let normed = note("mlp_norm", self.mlp_norm.forward(&hidden)?);
        let _module = enter("mlp");
        Ok((hidden + self.mlp.forward(&normed)?)?)
    }
}

/// Ids in, one vector a token out. Each layer attends to the whole text or to a window, as its
/// layer_type says.
#[derive(Debug, Clone)]
pub struct ModernBertModel {
    pub config: ModernBertConfig,
    pub embeddings: ModernBertEmbeddings,
    pub layers: Vec<ModernBertEncoderLayer>,
    pub final_norm: LayerNorm,
}

impl ModernBertModel {
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        let under = weights.under("layers");
        let layers = (0..config.num_hidden_layers)
            .map(|number| ModernBertEncoderLayer::new(config, number, &under.under(number)));
        Ok(Self {
            config: config.clone(),
            embeddings: ModernBertEmbeddings::new(config, &weights.under("embeddings"))?,
            layers: layers.collect::<Result<_>>()?,
            final_norm: norm(config, &weights.under("final_norm"))?,
        })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "Model", Self::new)
    }

    /// A vector for every token of `inputs`, padded or packed.
    pub fn forward(&self, inputs: &Inputs) -> Result<ModernBertModelOutput> {
        inputs.check(&self.config.limits())?;
        let hidden = self.embeddings.forward(inputs.input_ids)?;
        let tables = self.tables(inputs, hidden.dtype())?;
        let attend = |kind: LayerType| {
            let window = self.config.windows()[&kind];
            attend_to(window, inputs.attention_mask, inputs.cu_seqlens)
        };
        let full = attend(LayerType::FullAttention)?;
        let sliding = attend(LayerType::SlidingAttention)?;
        let mut states = vec![hidden];
        for (number, (layer, kind)) in
            self.layers.iter().zip(&self.config.layer_types).enumerate()
        {
            let module = enter(format_args!("layers.{number}"));
            let attend = match kind {
                LayerType::FullAttention => &full,
                LayerType::SlidingAttention => &sliding,
            };
            let state = layer.forward(&states[number], &tables[kind], attend)?;
            states.push(note("", state));
            drop(module);
        }
        let last = states.pop().ok_or_else(|| config_error!("there is no layer"))?;
        let last = note("final_norm", self.final_norm.forward(&last)?);
        states.push(last.clone());
        Ok(ModernBertModelOutput {
            last_hidden_state: last,
            hidden_states: inputs.output_hidden_states.then_some(states),
        })
    }

    /// RoPE's tables for each kind of layer, `[tokens, head_dim]`.
    ///
    /// Positions begin at 0 in every text of a packed row, and at the left edge of a padded
    /// one, pads included.
    pub fn tables(&self, inputs: &Inputs, dtype: DType) -> Result<RopeTables> {
        let tokens = inputs.input_ids.dims().last().copied().unwrap_or(0);
        let device = inputs.input_ids.device();
        let (places, longest) = match inputs.cu_seqlens {
            None => (Tensor::arange(0, tokens as i64, device)?, tokens),
            Some(cu_seqlens) => {
                let longest = texts(cu_seqlens).map(|(_, length)| length).max();
                (positions(cu_seqlens, device)?, longest.unwrap_or(0))
            }
        };
        if let Some(given) = inputs.rope_tables {
            return self.chosen(given, &places, longest, dtype);
        }
        let tables = self.config.rope_thetas.iter().map(|(kind, theta)| {
            let tables = rope_tables(&places, self.config.head_dim(), *theta, dtype)?;
            Ok((*kind, tables))
        });
        tables.collect()
    }

    /// The rows for `places` of tables from elsewhere, in the model's precision.
    fn chosen(
        &self,
        given: &RopeTables,
        places: &Tensor,
        longest: usize,
        dtype: DType,
    ) -> Result<RopeTables> {
        let size = self.config.head_dim();
        let rows = |kind: LayerType, table: &Tensor| match table.dims() {
            &[rows, width] if rows >= longest && width == size => {
                Ok(table.index_select(places, 0)?.to_dtype(dtype)?)
            }
            shape => Err(input_error!(
                "a RoPE table for {} has shape {shape:?}; it must be [at least {longest}, {size}]",
                kind.name()
            )),
        };
        let has_layers = |kind: &LayerType| self.config.layer_types.contains(kind);
        let kinds = LayerType::ALL.into_iter().filter(has_layers).map(|kind| {
            let Some((cos, sin)) = given.get(&kind) else {
                return Err(input_error!("there are no RoPE tables for {}", kind.name()));
            };
            Ok((kind, (rows(kind, cos)?, rows(kind, sin)?)))
        });
        kinds.collect()
    }
}

/// Attention over a whole text, or over `window` tokens on each side.
///
/// `attention_mask` is `[batch, tokens]`; `cu_seqlens`, of a packed row, `[texts + 1]`.
pub fn attend_to<'a>(
    window: Option<usize>,
    attention_mask: Option<&Tensor>,
    cu_seqlens: Option<&'a [usize]>,
) -> Result<Box<Attend<'a>>> {
    let mask = attention_mask.map(padding_mask).transpose()?;
    Ok(Box::new(move |query, key, value| {
        let fast = fused::wanted([query, key, value]);
        match cu_seqlens {
            Some(cu_seqlens) if fast => {
                fused::packed_attention(query, key, value, cu_seqlens, window)
            }
            Some(cu_seqlens) => packed_attention(query, key, value, cu_seqlens, window),
            None if fast => {
                fused::blockwise_attention(query, key, value, mask.as_ref(), window)
            }
            None => blockwise_attention(query, key, value, mask.as_ref(), window),
        }
    }))
}

fn norm(config: &ModernBertConfig, weights: &Weights) -> Result<LayerNorm> {
    LayerNorm::new(config.hidden_size, config.norm_eps, config.norm_bias, weights)
}
