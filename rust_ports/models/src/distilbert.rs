//! DistilBERT (Sanh et al. 2019): BERT's layers under names of its own, without token types and
//! pooler.
//!
//! Axes: batch, tokens, hidden; a packed batch has no batch axis, its texts stand in a row.
//! Field names are the keys of Transformers' checkpoints.

mod config;
mod encoder;
mod heads;

use candle_core::Tensor;

pub use config::DistilBertConfig;
pub use encoder::{DistilBertSelfAttention, FFN, Transformer, TransformerBlock};
pub use heads::{
    DistilBertForMaskedLM, DistilBertForMultipleChoice, DistilBertForSequenceClassification,
    DistilBertForTokenClassification,
};

use crate::attention::attend_to;
use crate::bert::position_ids;
use crate::config::Limits;
use crate::error::Result;
use crate::family::{Architecture, Build, Family, FamilyConfig};
use crate::heads::{Encoder, EncoderOutput};
use crate::inputs::Batch;
use crate::layers::{Embedding, LayerNorm, dropout, sum_norm};
use crate::masked_sequence::MaskedSequence;
use crate::trace::note;
use crate::weights::{Path, Weights};

/// DistilBERT, for whoever learns at run time which family a model is of.
pub static FAMILY: Family = Family {
    model_types: &["distilbert"],
    tokenizers: &["BertTokenizer"],
    class_prefixes: &["DistilBert"],
    base: "distilbert",
    embeds: false,
    refuses_long_texts: false,
    read: DistilBertConfig::from_map,
    architectures: &[
        Architecture::base::<DistilBertModel>(),
        Architecture::head::<DistilBertForMaskedLM>(),
        Architecture::head::<DistilBertForSequenceClassification>(),
        Architecture::head::<DistilBertForTokenClassification>(),
        Architecture::head::<DistilBertForMultipleChoice>(),
        Architecture::head::<MaskedSequence<DistilBertModel>>(),
    ],
};

/// What layer norms add to the variance: it is in Transformers' code, and no file says it.
const LAYER_NORM_EPS: f64 = 1e-12;

/// The sum of two looked-up vectors (the word's and its position's) and a layer norm.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct Embeddings {
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

impl Embeddings {
    /// Takes the two tables and the norm.
    pub fn new(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        let table = |name, rows, padding| {
            Embedding::new(rows, config.hidden_size, padding, &weights.under(name))
        };
        let positions = config.max_position_embeddings;
        Ok(Self {
            word_embeddings: table("word_embeddings", config.vocab_size, config.pad_token_id)?,
            position_embeddings: table("position_embeddings", positions, None)?,
            LayerNorm: norm(config, &weights.under("LayerNorm"))?,
            rate: config.dropout,
            path: weights.path(),
        })
    }

    /// A vector for every token: `[batch, tokens, hidden]`, or packed `[tokens, hidden]`.
    pub fn forward(&self, inputs: &Batch) -> Result<Tensor> {
        let places = position_ids(&inputs.input_ids, inputs.lengths)?;
        let looked_up =
            [(&self.word_embeddings, &inputs.input_ids), (&self.position_embeddings, &places)];
        let normed = sum_norm(looked_up, &self.LayerNorm)?;
        Ok(note(&self.path, dropout(&normed, self.rate)?))
    }
}

/// Ids in, one vector a token out.
#[derive(Debug, Clone)]
pub struct DistilBertModel {
    /// What it was built from.
    pub config: DistilBertConfig,
    /// From ids to vectors.
    pub embeddings: Embeddings,
    /// The layers.
    pub transformer: Transformer,
}

impl DistilBertModel {
    /// Takes the tensors of all parts.
    pub fn new(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            config: config.clone(),
            embeddings: Embeddings::new(config, &weights.under("embeddings"))?,
            transformer: Transformer::new(config, &weights.under("transformer"))?,
        })
    }
}

impl Build for DistilBertModel {
    type Config = DistilBertConfig;
    const SUFFIX: &str = "Model";

    fn build(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        Self::new(config, weights)
    }
}

impl Encoder for DistilBertModel {
    fn limits(&self) -> Limits {
        self.config.limits()
    }

    fn encode(&self, inputs: &Batch) -> Result<EncoderOutput> {
        let embedded = self.embeddings.forward(inputs)?;
        let attend = attend_to(inputs, None, None, self.config.attention_dropout)?;
        let states = self.transformer.forward(embedded, &*attend)?;
        EncoderOutput::of(states, None, inputs)
    }
}

/// The norm that these tensors are of.
fn norm(config: &DistilBertConfig, weights: &Weights) -> Result<LayerNorm> {
    LayerNorm::new(config.hidden_size, LAYER_NORM_EPS, true, weights)
}
