//! BERT (Devlin et al. 2018).
//!
//! Axes: batch, tokens, hidden; a packed batch has no batch axis, its texts stand in a row.
//! Field names are the keys of Transformers' checkpoints; only `self` is spelled
//! `self_attention`, since Rust keeps that word.

mod config;
mod encoder;
mod heads;

use candle_core::Tensor;

pub use config::{BertConfig, BertLayerConfig};
pub use encoder::{
    BertAttention, BertEncoder, BertIntermediate, BertLayer, BertOutput, BertSelfAttention,
    BertSelfOutput,
};
pub use heads::{
    BertForMaskedLM, BertForSequenceClassification, BertForTokenClassification,
    BertLMPredictionHead, BertOnlyMLMHead, BertPredictionHeadTransform,
};

use crate::attention::{Lengths, attend_to, first_tokens, positions};
use crate::config::Limits;
use crate::error::Result;
use crate::family::{Architecture, Build, Family, FamilyConfig};
use crate::heads::{Encoder, EncoderOutput};
use crate::inputs::Batch;
use crate::layers::{Embedding, LayerNorm, Linear, dropout, sum_norm, tanh};
use crate::masked_sequence::MaskedSequence;
use crate::trace::note;
use crate::weights::{Path, Weights};

/// BERT, for whoever learns at run time which family a model is of.
pub static FAMILY: Family = Family {
    model_types: &["bert"],
    tokenizers: &["BertTokenizer"],
    class_prefixes: &["Bert"],
    base: "bert",
    embeds: false,
    refuses_long_texts: false,
    read: BertConfig::from_map,
    architectures: &[
        Architecture::base::<BertModel>(),
        Architecture::head::<BertForMaskedLM>(),
        Architecture::head::<BertForSequenceClassification>(),
        Architecture::head::<BertForTokenClassification>(),
        Architecture::head::<MaskedSequence<BertModel>>(),
    ],
};

/// What [`BertModel`] returns.
pub type BertModelOutput = EncoderOutput;

/// The sum of three looked-up vectors (the word's, its position's, its segment's) and a layer
/// norm.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct BertEmbeddings {
    /// A vector for each word.
    pub word_embeddings: Embedding,
    /// A vector for each position.
    pub position_embeddings: Embedding,
    /// A vector for each segment.
    pub token_type_embeddings: Embedding,
    /// Of the sum.
    pub LayerNorm: LayerNorm,
    /// The share of features that training drops.
    pub rate: f64,
    path: Path,
}

impl BertEmbeddings {
    /// Takes the three tables and the norm.
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        Self::of_size(config, config.hidden_size, weights)
    }

    /// The same, of vectors that are not as wide as the layers.
    pub fn of_size(config: &BertConfig, size: usize, weights: &Weights) -> Result<Self> {
        let table =
            |name, rows, padding| Embedding::new(rows, size, padding, &weights.under(name));
        let norm = weights.under("LayerNorm");
        let positions = config.max_position_embeddings;
        Ok(Self {
            word_embeddings: table("word_embeddings", config.vocab_size, config.pad_token_id)?,
            position_embeddings: table("position_embeddings", positions, None)?,
            token_type_embeddings: table(
                "token_type_embeddings",
                config.type_vocab_size,
                None,
            )?,
            LayerNorm: LayerNorm::new(size, config.layer_norm_eps, true, &norm)?,
            rate: config.hidden_dropout_prob,
            path: weights.path(),
        })
    }

    /// A vector for every token: `[batch, tokens, hidden]`, or packed `[tokens, hidden]`.
    pub fn forward(&self, inputs: &Batch) -> Result<Tensor> {
        self.at(inputs, &self.position_ids(&inputs.input_ids, inputs.lengths)?)
    }

    /// The same with given positions, in the shape of the ids.
    pub fn at(&self, inputs: &Batch, position_ids: &Tensor) -> Result<Tensor> {
        let types = match &inputs.token_type_ids {
            Some(types) => types.clone(),
            None => inputs.input_ids.zeros_like()?,
        };
        let looked_up = [
            (&self.word_embeddings, &inputs.input_ids),
            (&self.token_type_embeddings, &types),
            (&self.position_embeddings, position_ids),
        ];
        let normed = dropout(&sum_norm(looked_up, &self.LayerNorm)?, self.rate)?;
        Ok(note(&self.path, normed))
    }

    /// 0, 1, 2, ... in each text, in the shape of `input_ids`.
    pub fn position_ids(
        &self,
        input_ids: &Tensor,
        cu_seqlens: Option<Lengths>,
    ) -> Result<Tensor> {
        position_ids(input_ids, cu_seqlens)
    }
}

/// [`BertEmbeddings::position_ids`], for families that count alike.
pub(crate) fn position_ids(input_ids: &Tensor, cu_seqlens: Option<Lengths>) -> Result<Tensor> {
    let device = input_ids.device();
    match cu_seqlens {
        Some(cu_seqlens) => positions(cu_seqlens, device),
        None => {
            let tokens = input_ids.dims()[1];
            Ok(Tensor::arange(0, tokens as i64, device)?.broadcast_as(input_ids.shape())?)
        }
    }
}

/// A dense layer and tanh on the first token of each text.
#[derive(Debug, Clone)]
pub struct BertPooler {
    /// hidden to hidden.
    pub dense: Linear,
    path: Path,
}

impl BertPooler {
    /// Takes `dense`.
    pub fn new(config: &BertLayerConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        let dense = Linear::new(size, size, true, &weights.under("dense"))?;
        Ok(Self { dense, path: weights.path() })
    }

    /// `first` is `[batch, hidden]`, and so is the result.
    pub fn forward(&self, first: &Tensor) -> Result<Tensor> {
        let pooled = tanh(&self.dense.forward(first)?)?;
        Ok(note(&self.path, pooled))
    }
}

/// Ids in, one vector a token out, and the pooler's vector a text where the checkpoint has a
/// pooler.
#[derive(Debug, Clone)]
pub struct BertModel {
    /// What it was built from.
    pub config: BertConfig,
    /// From ids to vectors.
    pub embeddings: BertEmbeddings,
    /// The layers.
    pub encoder: BertEncoder,
    /// From the first token of a text to its vector.
    pub pooler: Option<BertPooler>,
}

impl BertModel {
    /// Takes the tensors of all parts.
    pub fn new(
        config: &BertConfig,
        add_pooling_layer: bool,
        weights: &Weights,
    ) -> Result<Self> {
        Ok(Self {
            config: config.clone(),
            embeddings: BertEmbeddings::new(config, &weights.under("embeddings"))?,
            encoder: BertEncoder::new(config, &weights.under("encoder"))?,
            pooler: pooler(config, add_pooling_layer, weights)?,
        })
    }
}

impl Build for BertModel {
    type Config = BertConfig;
    const SUFFIX: &str = "Model";

    fn build(config: &BertConfig, weights: &Weights) -> Result<Self> {
        Self::new(config, weights.has("pooler"), weights)
    }
}

impl Encoder for BertModel {
    fn limits(&self) -> Limits {
        self.config.limits()
    }

    fn encode(&self, inputs: &Batch) -> Result<EncoderOutput> {
        let embedded = self.embeddings.forward(inputs)?;
        let rate = self.config.attention_probs_dropout_prob;
        run(embedded, &self.encoder, self.pooler.as_ref(), inputs, rate)
    }
}

/// The pooler of a model that has one.
pub(crate) fn pooler(
    config: &BertLayerConfig,
    add_pooling_layer: bool,
    weights: &Weights,
) -> Result<Option<BertPooler>> {
    add_pooling_layer.then(|| BertPooler::new(config, &weights.under("pooler"))).transpose()
}

/// From embedded tokens to the output of the model; training drops the share `rate` of
/// attention.
pub(crate) fn run(
    embedded: Tensor,
    encoder: &BertEncoder,
    pooler: Option<&BertPooler>,
    inputs: &Batch,
    rate: f64,
) -> Result<EncoderOutput> {
    let attend = attend_to(inputs, None, None, rate)?;
    let states = encoder.forward(embedded, &*attend)?;
    let mut pooled = None;
    if let Some(pooler) = pooler {
        let first = first_tokens(&states[states.len() - 1], inputs.lengths)?;
        pooled = Some(pooler.forward(&first)?);
    }
    EncoderOutput::of(states, pooled, inputs)
}

/// The norm of a module.
fn norm(config: &BertLayerConfig, weights: &Weights) -> Result<LayerNorm> {
    let weights = weights.under("LayerNorm");
    LayerNorm::new(config.hidden_size, config.layer_norm_eps, true, &weights)
}
