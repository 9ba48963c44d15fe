//! BERT (Devlin et al. 2018) and its XLM-RoBERTa and RoBERTa relatives.
//!
//! Axes: batch, tokens, hidden; a packed batch has no batch axis, its texts stand in a row.
//! Field names are the keys of Transformers' checkpoints; only `self` is spelled
//! `self_attention`, since Rust keeps that word.

use candle_core::{Device, Tensor};

use crate::attention::{
    Attend, merge_heads, packed_attention, padding_mask, positions,
    scaled_dot_product_attention, split_heads, texts,
};
use crate::config::BertConfig;
use crate::error::{Result, config_error};
use crate::fused;
use crate::inputs::Inputs;
use crate::layers::{Activation, Embedding, LayerNorm, Linear, activation};
use crate::pretrained;
use crate::trace::{enter, note};
use crate::weights::Weights;

/// What [`BertModel`] returns.
#[derive(Debug, Clone)]
pub struct BertModelOutput {
    /// `[batch, tokens, hidden]`, or `[tokens, hidden]` for a packed batch.
    pub last_hidden_state: Tensor,
    /// `[batch, hidden]`, where the model has a pooler.
    pub pooler_output: Option<Tensor>,
    /// The embeddings' output and then each layer's, in the shape of `last_hidden_state`.
    pub hidden_states: Option<Vec<Tensor>>,
}

impl BertModelOutput {
    /// The pooler's vector, for a head that is built on a model with a pooler.
    pub fn pooler_output(&self) -> Result<&Tensor> {
        self.pooler_output
            .as_ref()
            .ok_or_else(|| config_error!("this model was built without a pooler"))
    }
}

/// The sum of three looked-up vectors (the word's, its position's, its segment's) and a layer
/// norm.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct BertEmbeddings {
    pub word_embeddings: Embedding,
    pub position_embeddings: Embedding,
    pub token_type_embeddings: Embedding,
    pub LayerNorm: LayerNorm,
    /// The RoBERTa family's pad id, from which it counts positions.
    counts_from: Option<usize>,
}

impl BertEmbeddings {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let counts_from = config.pad_token_id.filter(|_| !config.is_bert());
        let table = |name, rows, padding| {
            Embedding::new(rows, config.hidden_size, padding, &weights.under(name))
        };
        Ok(Self {
            word_embeddings: table("word_embeddings", config.vocab_size, config.pad_token_id)?,
            position_embeddings: table(
                "position_embeddings",
                config.max_position_embeddings,
                counts_from,
            )?,
            token_type_embeddings: table(
                "token_type_embeddings",
                config.type_vocab_size,
                None,
            )?,
            LayerNorm: LayerNorm::new(
                config.hidden_size,
                config.layer_norm_eps,
                true,
                &weights.under("LayerNorm"),
            )?,
            counts_from,
        })
    }

    /// `input_ids` and `token_type_ids` are `[batch, tokens]` or packed `[tokens]`; one axis,
    /// hidden, is added.
    pub fn forward(
        &self,
        input_ids: &Tensor,
        token_type_ids: Option<&Tensor>,
        cu_seqlens: Option<&[usize]>,
    ) -> Result<Tensor> {
        let _module = enter("embeddings");
        let types =
            token_type_ids.map_or_else(|| input_ids.zeros_like(), |types| Ok(types.clone()))?;
        let position_ids = self.position_ids(input_ids, cu_seqlens)?;
        if fused::wanted([&self.word_embeddings.weight]) {
            return Ok(note("", fused::embeddings(self, input_ids, &types, &position_ids)?));
        }
        let words = self.word_embeddings.forward(input_ids)?;
        let words = (words + self.token_type_embeddings.forward(&types)?)?;
        let sum = (words + self.position_embeddings.forward(&position_ids)?)?;
        Ok(note("", self.LayerNorm.forward(&sum)?))
    }

    /// BERT counts 0, 1, 2, ...; the RoBERTa family counts real tokens, from the pad id on
    /// (Transformers' `create_position_ids_from_input_ids`). In the shape of `input_ids`.
    pub fn position_ids(
        &self,
        input_ids: &Tensor,
        cu_seqlens: Option<&[usize]>,
    ) -> Result<Tensor> {
        let device = input_ids.device();
        match (self.counts_from, cu_seqlens) {
            (None, Some(cu_seqlens)) => positions(cu_seqlens, device),
            (None, None) => {
                let tokens = input_ids.dims()[1];
                Ok(Tensor::arange(0, tokens as i64, device)?.broadcast_as(input_ids.shape())?)
            }
            (Some(pad), Some(cu_seqlens)) => {
                let ids = input_ids.to_vec1()?;
                let counted = texts(cu_seqlens)
                    .flat_map(|(start, length)| count(&ids[start..start + length], pad));
                Ok(Tensor::new(counted.collect::<Vec<_>>(), device)?)
            }
            (Some(pad), None) => {
                let counted =
                    input_ids.to_vec2()?.iter().flat_map(|ids| count(ids, pad)).collect();
                Ok(Tensor::from_vec(counted, input_ids.shape(), device)?)
            }
        }
    }
}

/// pad + 1, pad + 2, ... for the real tokens of one text, and pad for each padding token.
fn count(ids: &[i64], pad: usize) -> Vec<i64> {
    let pad = pad as i64;
    let mut position = pad;
    let mut next = |id: &i64| {
        position += i64::from(*id != pad);
        if *id == pad { pad } else { position }
    };
    ids.iter().map(&mut next).collect()
}

/// Three projections, and attention in every head.
#[derive(Debug, Clone)]
pub struct BertSelfAttention {
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub heads: usize,
}

impl BertSelfAttention {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        let dense = |name: &str| Linear::new(size, size, true, &weights.under(name));
        let heads = config.num_attention_heads;
        Ok(Self { query: dense("query")?, key: dense("key")?, value: dense("value")?, heads })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the context that is returned.
    pub fn forward(&self, hidden: &Tensor, attend: &Attend) -> Result<Tensor> {
        let _module = enter("self");
        let query = note("query", self.query.forward(hidden)?);
        let key = note("key", self.key.forward(hidden)?);
        let value = note("value", self.value.forward(hidden)?);
        let heads = |x: &Tensor| split_heads(x, self.heads);
        Ok(note("", merge_heads(&attend(&heads(&query)?, &heads(&key)?, &heads(&value)?)?)?))
    }
}

/// The projection that mixes the heads, the residual, and the norm after it.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct BertSelfOutput {
    pub dense: Linear,
    pub LayerNorm: LayerNorm,
}

impl BertSelfOutput {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            dense: Linear::new(size, size, true, &weights.under("dense"))?,
            LayerNorm: LayerNorm::new(
                size,
                config.layer_norm_eps,
                true,
                &weights.under("LayerNorm"),
            )?,
        })
    }

    /// `context` and `residual` are `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, context: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let _module = enter("output");
        let dense = note("dense", self.dense.forward(context)?);
        Ok(note("", self.LayerNorm.forward(&(dense + residual)?)?))
    }
}

/// Self-attention and its output block.
#[derive(Debug, Clone)]
pub struct BertAttention {
    pub self_attention: BertSelfAttention,
    pub output: BertSelfOutput,
}

impl BertAttention {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            self_attention: BertSelfAttention::new(config, &weights.under("self"))?,
            output: BertSelfOutput::new(config, &weights.under("output"))?,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor, attend: &Attend) -> Result<Tensor> {
        let _module = enter("attention");
        self.output.forward(&self.self_attention.forward(hidden, attend)?, hidden)
    }
}

/// The widening half of the feed-forward network.
#[derive(Debug, Clone)]
pub struct BertIntermediate {
    pub dense: Linear,
    pub activation: Activation,
}

impl BertIntermediate {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let dense = Linear::new(
            config.hidden_size,
            config.intermediate_size,
            true,
            &weights.under("dense"),
        )?;
        Ok(Self { dense, activation: activation(&config.hidden_act)? })
    }

    /// `hidden` is `[..., tokens, hidden]`, the result `[..., tokens, intermediate]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let _module = enter("intermediate");
        let dense = note("dense", self.dense.forward(hidden)?);
        Ok(note("", (self.activation)(&dense)?))
    }
}

/// The narrowing half of the feed-forward network, the residual, and the norm after it.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct BertOutput {
    pub dense: Linear,
    pub LayerNorm: LayerNorm,
}

impl BertOutput {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            dense: Linear::new(config.intermediate_size, size, true, &weights.under("dense"))?,
            LayerNorm: LayerNorm::new(
                size,
                config.layer_norm_eps,
                true,
                &weights.under("LayerNorm"),
            )?,
        })
    }

    /// `wide` is `[..., tokens, intermediate]`; `residual` and the result are `[..., tokens,
    /// hidden]`.
    pub fn forward(&self, wide: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let _module = enter("output");
        let dense = note("dense", self.dense.forward(wide)?);
        Ok(note("", self.LayerNorm.forward(&(dense + residual)?)?))
    }
}

/// One block: tokens look at each other, then each token is transformed by itself.
#[derive(Debug, Clone)]
pub struct BertLayer {
    pub attention: BertAttention,
    pub intermediate: BertIntermediate,
    pub output: BertOutput,
    fast: fused::Layer,
}

impl BertLayer {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let attention = BertAttention::new(config, &weights.under("attention"))?;
        let intermediate = BertIntermediate::new(config, &weights.under("intermediate"))?;
        let output = BertOutput::new(config, &weights.under("output"))?;
        let fast = fused::Layer::new(&attention, config)?;
        Ok(Self { attention, intermediate, output, fast })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor, attend: &Attend) -> Result<Tensor> {
        if fused::layer_wanted([hidden, &self.output.dense.weight]) {
            return self.fast.forward(self, hidden, attend);
        }
        let attended = self.attention.forward(hidden, attend)?;
        self.output.forward(&self.intermediate.forward(&attended)?, &attended)
    }
}

/// The layers, one after another.
#[derive(Debug, Clone)]
pub struct BertEncoder {
    pub layer: Vec<BertLayer>,
}

impl BertEncoder {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let layers = weights.under("layer");
        let layer = (0..config.num_hidden_layers)
            .map(|number| BertLayer::new(config, &layers.under(number)));
        Ok(Self { layer: layer.collect::<Result<_>>()? })
    }

    /// `hidden` and every state returned are `[..., tokens, hidden]`: the input, then each
    /// layer's output.
    pub fn forward(&self, hidden: Tensor, attend: &Attend) -> Result<Vec<Tensor>> {
        let mut states = vec![hidden];
        for (number, layer) in self.layer.iter().enumerate() {
            let _module = enter(format_args!("encoder.layer.{number}"));
            states.push(layer.forward(&states[number], attend)?);
        }
        Ok(states)
    }
}

/// A dense layer and tanh on the first token of each text.
#[derive(Debug, Clone)]
pub struct BertPooler {
    pub dense: Linear,
}

impl BertPooler {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            dense: Linear::new(
                config.hidden_size,
                config.hidden_size,
                true,
                &weights.under("dense"),
            )?,
        })
    }

    /// `first` is `[batch, hidden]`, and so is the result.
    pub fn forward(&self, first: &Tensor) -> Result<Tensor> {
        let _module = enter("pooler");
        let dense = note("dense", self.dense.forward(first)?);
        Ok(note("", crate::layers::tanh(&dense)?))
    }
}

/// Ids in, one vector a token out, and the pooler's vector a text where the checkpoint has a
/// pooler.
#[derive(Debug, Clone)]
pub struct BertModel {
    pub config: BertConfig,
    pub embeddings: BertEmbeddings,
    pub encoder: BertEncoder,
    pub pooler: Option<BertPooler>,
}

impl BertModel {
    pub fn new(
        config: &BertConfig,
        add_pooling_layer: bool,
        weights: &Weights,
    ) -> Result<Self> {
        let pooler =
            add_pooling_layer.then(|| BertPooler::new(config, &weights.under("pooler")));
        Ok(Self {
            config: config.clone(),
            embeddings: BertEmbeddings::new(config, &weights.under("embeddings"))?,
            encoder: BertEncoder::new(config, &weights.under("encoder"))?,
            pooler: pooler.transpose()?,
        })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "Model", |config: &BertConfig, weights| {
            Self::new(config, weights.has("pooler"), weights)
        })
    }

    /// A vector for every token of `inputs`, padded or packed.
    pub fn forward(&self, inputs: &Inputs) -> Result<BertModelOutput> {
        inputs.check(&self.config.limits())?;
        let hidden = self.embeddings.forward(
            inputs.input_ids,
            inputs.token_type_ids,
            inputs.cu_seqlens,
        )?;
        let mask = inputs.attention_mask.map(padding_mask).transpose()?;
        let fast = fused::wanted([&hidden]);
        let attend = |query: &Tensor, key: &Tensor, value: &Tensor| match inputs.cu_seqlens {
            Some(cu_seqlens) if fast => {
                fused::packed_attention(query, key, value, cu_seqlens, None)
            }
            Some(cu_seqlens) => packed_attention(query, key, value, cu_seqlens, None),
            None if fast => fused::blockwise_attention(query, key, value, mask.as_ref(), None),
            None => scaled_dot_product_attention(query, key, value, mask.as_ref()),
        };
        let states = self.encoder.forward(hidden, &attend)?;
        let last = states[states.len() - 1].clone();
        let first = first_tokens(&last, inputs.cu_seqlens)?;
        Ok(BertModelOutput {
            last_hidden_state: last,
            pooler_output: self
                .pooler
                .as_ref()
                .map(|pooler| pooler.forward(&first))
                .transpose()?,
            hidden_states: inputs.output_hidden_states.then_some(states),
        })
    }
}

/// Index 0 of every row, even if the padding is on the left: so Transformers' BertPooler reads
/// it.
///
/// `hidden` is `[batch, tokens, hidden]` or packed `[tokens, hidden]`, the result `[batch,
/// hidden]`.
pub fn first_tokens(hidden: &Tensor, cu_seqlens: Option<&[usize]>) -> Result<Tensor> {
    match cu_seqlens {
        None => Ok(hidden.narrow(1, 0, 1)?.squeeze(1)?),
        Some(cu_seqlens) => {
            let starts: Vec<i64> = texts(cu_seqlens).map(|(start, _)| start as i64).collect();
            Ok(hidden.index_select(&Tensor::new(starts, hidden.device())?, 0)?)
        }
    }
}
