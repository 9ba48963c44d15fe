//! MPNet (Song et al. 2020): BERT's layers with RoBERTa's positions and heads, no token types,
//! and a bias on the scores of attention that depends on how far apart two tokens stand.
//!
//! Axes: batch, tokens, hidden; a packed batch has no batch axis, its texts stand in a row.
//! Field names are the keys of Transformers' checkpoints.

mod config;
mod encoder;
mod heads;

use candle_core::Tensor;

pub use config::MPNetConfig;
pub use encoder::{
    MPNetAttention, MPNetEncoder, MPNetLayer, MPNetSelfAttention, relative_position_bucket,
};
pub use heads::{
    MPNetForMaskedLM, MPNetForMultipleChoice, MPNetForSequenceClassification,
    MPNetForTokenClassification,
};

use crate::attention::first_tokens;
use crate::bert::{BertPooler, pooler};
use crate::config::Limits;
use crate::error::Result;
use crate::family::{Architecture, Build, Family, FamilyConfig};
use crate::heads::{Encoder, EncoderOutput};
use crate::inputs::Batch;
use crate::layers::{Embedding, LayerNorm, dropout, sum_norm};
use crate::masked_sequence::MaskedSequence;
use crate::roberta::position_ids;
use crate::trace::note;
use crate::weights::{Path, Weights};

/// MPNet, for whoever learns at run time which family a model is of.
pub static FAMILY: Family = Family {
    model_types: &["mpnet"],
    tokenizers: &["MPNetTokenizer"],
    class_prefixes: &["MPNet"],
    base: "mpnet",
    embeds: false,
    refuses_long_texts: false,
    read: MPNetConfig::from_map,
    architectures: &[
        Architecture::base::<MPNetModel>(),
        Architecture::head::<MPNetForMaskedLM>(),
        Architecture::head::<MPNetForSequenceClassification>(),
        Architecture::head::<MPNetForTokenClassification>(),
        Architecture::head::<MPNetForMultipleChoice>(),
        Architecture::head::<MaskedSequence<MPNetModel>>(),
    ],
};

/// The id of padding, from which positions are counted: it is in Transformers' code, whatever
/// the configuration says.
const PAD: usize = 1;

/// The sum of two looked-up vectors (the word's and its position's) and a layer norm.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct MPNetEmbeddings {
    /// A vector for each word.
    pub word_embeddings: Embedding,
    /// A vector for each position.
    pub position_embeddings: Embedding,
    /// Of the sum.
    pub LayerNorm: LayerNorm,
    /// The share of features that training drops.
    pub rate: f64,
    path: Path,
}

impl MPNetEmbeddings {
    /// Takes the two tables and the norm.
    pub fn new(config: &MPNetConfig, weights: &Weights) -> Result<Self> {
        let table = |name, rows| {
            Embedding::new(rows, config.hidden_size, Some(PAD), &weights.under(name))
        };
        Ok(Self {
            word_embeddings: table("word_embeddings", config.vocab_size)?,
            position_embeddings: table("position_embeddings", config.max_position_embeddings)?,
            LayerNorm: norm(config, weights)?,
            rate: config.hidden_dropout_prob,
            path: weights.path(),
        })
    }

    /// A vector for every token: `[batch, tokens, hidden]`, or packed `[tokens, hidden]`.
    pub fn forward(&self, inputs: &Batch) -> Result<Tensor> {
        let places = position_ids(&inputs.input_ids, inputs.lengths, PAD)?;
        let looked_up =
            [(&self.word_embeddings, &inputs.input_ids), (&self.position_embeddings, &places)];
        let normed = sum_norm(looked_up, &self.LayerNorm)?;
        Ok(note(&self.path, dropout(&normed, self.rate)?))
    }
}

/// Ids in, one vector a token out, and the pooler's vector a text where the checkpoint has a
/// pooler.
#[derive(Debug, Clone)]
pub struct MPNetModel {
    /// What it was built from.
    pub config: MPNetConfig,
    /// From ids to vectors.
    pub embeddings: MPNetEmbeddings,
    /// The layers, and the biases that they share.
    pub encoder: MPNetEncoder,
    /// From the first token of a text to its vector; BERT's.
    pub pooler: Option<BertPooler>,
}

impl MPNetModel {
    /// Takes the tensors of all parts.
    pub fn new(
        config: &MPNetConfig,
        add_pooling_layer: bool,
        weights: &Weights,
    ) -> Result<Self> {
        Ok(Self {
            config: config.clone(),
            embeddings: MPNetEmbeddings::new(config, &weights.under("embeddings"))?,
            encoder: MPNetEncoder::new(config, &weights.under("encoder"))?,
            pooler: pooler(config, add_pooling_layer, weights)?,
        })
    }
}

impl Build for MPNetModel {
    type Config = MPNetConfig;
    const SUFFIX: &str = "Model";

    fn build(config: &MPNetConfig, weights: &Weights) -> Result<Self> {
        Self::new(config, weights.has("pooler"), weights)
    }
}

impl Encoder for MPNetModel {
    fn limits(&self) -> Limits {
        self.config.limits()
    }

    fn encode(&self, inputs: &Batch) -> Result<EncoderOutput> {
        let states = self.encoder.forward(self.embeddings.forward(inputs)?, inputs)?;
        let first = || first_tokens(&states[states.len() - 1], inputs.lengths);
        let pooled =
            self.pooler.as_ref().map(|pooler| pooler.forward(&first()?)).transpose()?;
        EncoderOutput::of(states, pooled, inputs)
    }
}

/// The norm of a module.
fn norm(config: &MPNetConfig, weights: &Weights) -> Result<LayerNorm> {
    let weights = weights.under("LayerNorm");
    LayerNorm::new(config.hidden_size, config.layer_norm_eps, true, &weights)
}
