//! The RoPE encoder: a small embedding model with rotary positions inside of attention, and a
//! temperature for what its vectors are compared by. Transformers has no such family.
//!
//! Axes: batch, tokens, hidden; a packed batch has no batch axis, its texts stand in a row.
//! Field names are the keys of the checkpoint.

mod config;
mod embedding;
mod encoder;
mod heads;
mod initial;

use candle_core::{DType, Tensor};
use encoders_kernels::input_error;

pub use config::RopeEncoderConfig;
pub use embedding::{EmbeddingModel, EmbeddingOutput};
pub use encoder::{
    RopeEncoderAttention, RopeEncoderEmbeddings, RopeEncoderFeedForward, RopeEncoderLayer,
};
pub use heads::{
    RopeEncoderForMaskedLM, RopeEncoderForSequenceClassification,
    RopeEncoderForTokenClassification,
};
pub use initial::first_tensors;

use crate::attention::{attend_to, positions};
use crate::config::Limits;
use crate::error::Result;
use crate::family::{Architecture, Build, Family, FamilyConfig};
use crate::heads::{Encoder, EncoderOutput};
use crate::inputs::Batch;
use crate::layers::{LayerNorm, in_turn, stack};
use crate::masked_sequence::MaskedSequence;
use crate::pooling::{Pooling, cosine_similarity, mean_pooling, normalize, pool_packed};
use crate::rope::{Tables, exact_rope_tables};
use crate::weights::Weights;

/// The RoPE encoder, for whoever learns at run time which family a model is of.
pub static FAMILY: Family = Family {
    model_types: &["rope_encoder"],
    tokenizers: &["PreTrainedTokenizerFast"],
    class_prefixes: &["RopeEncoder"],
    base: "model",
    embeds: true,
    refuses_long_texts: true,
    read: RopeEncoderConfig::from_map,
    architectures: &[
        Architecture::base::<RopeEncoderModel>(),
        Architecture::head::<RopeEncoderForMaskedLM>(),
        Architecture::head::<RopeEncoderForSequenceClassification>(),
        Architecture::head::<RopeEncoderForTokenClassification>(),
        Architecture::head::<MaskedSequence<RopeEncoderModel>>(),
    ],
};

/// Ids in, one vector a token out, and one a text.
#[derive(Debug, Clone)]
pub struct RopeEncoderModel {
    /// What it was built from.
    pub config: RopeEncoderConfig,
    /// From ids to vectors.
    pub embeddings: RopeEncoderEmbeddings,
    /// In their order.
    pub layers: Vec<RopeEncoderLayer>,
    /// Of what the last layer gave.
    pub final_norm: LayerNorm,
    /// `[1]`, where a temperature is learned. Its logarithm, which may become any number, so
    /// that the temperature stays positive.
    pub log_temperature: Option<Tensor>,
}

impl RopeEncoderModel {
    /// Takes the tensors of all parts.
    pub fn new(config: &RopeEncoderConfig, weights: &Weights) -> Result<Self> {
        let layer = |weights: &Weights| RopeEncoderLayer::new(config, weights);
        let learned = config.use_temperature.then(|| weights.get("log_temperature", &[1]));
        Ok(Self {
            config: config.clone(),
            embeddings: RopeEncoderEmbeddings::new(config, &weights.under("embeddings"))?,
            layers: stack(config.num_hidden_layers, &weights.under("layers"), layer)?,
            final_norm: norm(config, &weights.under("final_norm"))?.noted(),
            log_temperature: learned.transpose()?,
        })
    }

    /// RoPE's tables, `[tokens, head_dim]`. Positions begin at 0 in every text of a packed row,
    /// and at the left edge of a padded one, pads included.
    pub fn tables(&self, inputs: &Batch, dtype: DType) -> Result<Tables> {
        if inputs.rope_tables.is_some() {
            return Err(input_error!(
                "the RoPE encoder makes its own tables, and takes none from elsewhere"
            ));
        }
        let device = inputs.input_ids.device();
        let places = match inputs.lengths {
            None => Tensor::arange(0, inputs.input_ids.dims()[1] as i64, device)?,
            Some(lengths) => positions(lengths, device)?,
        };
        exact_rope_tables(&places, self.config.head_dim(), self.config.rope_theta, dtype)
    }

    /// The mean of each text's real tokens: `hidden` is `[batch, tokens, hidden]` or packed
    /// `[tokens, hidden]`, the result `[batch, hidden]`.
    pub fn pool(&self, hidden: &Tensor, inputs: &Batch) -> Result<Tensor> {
        match (inputs.lengths, &inputs.attention_mask) {
            (Some(lengths), _) => pool_packed(hidden, lengths, &[Pooling::Mean], 0),
            (None, Some(mask)) => mean_pooling(hidden, mask),
            (None, None) => mean_pooling(hidden, &inputs.input_ids.ones_like()?),
        }
    }

    /// One vector of length one a text, `[batch, hidden]`. A number that all of it is divided
    /// by is gone once it has that length, so the temperature has no place here.
    pub fn embed(&self, hidden: &Tensor, inputs: &Batch) -> Result<Tensor> {
        normalize(&self.pool(hidden, inputs)?, 1e-12)
    }

    /// As training has left it, `[1]`; 1 where none is learned.
    pub fn temperature(&self) -> Result<Tensor> {
        match &self.log_temperature {
            None => Ok(self.final_norm.weight.narrow(0, 0, 1)?.ones_like()?),
            Some(logarithm) => Ok(logarithm.exp()?),
        }
    }
}

impl Build for RopeEncoderModel {
    type Config = RopeEncoderConfig;
    const SUFFIX: &str = "Model";

    fn build(config: &RopeEncoderConfig, weights: &Weights) -> Result<Self> {
        Self::new(config, weights)
    }
}

impl Encoder for RopeEncoderModel {
    fn limits(&self) -> Limits {
        self.config.limits()
    }

    /// The last of the hidden states is what the final norm gave; the pooler's output is
    /// [`RopeEncoderModel::embed`] of it.
    fn encode(&self, inputs: &Batch) -> Result<EncoderOutput> {
        let embedded = self.embeddings.forward(inputs)?;
        let tables = self.tables(inputs, embedded.dtype())?;
        let attend = attend_to(inputs, None, None, self.config.dropout)?;
        let mut states =
            in_turn(&self.layers, embedded, |layer, x| layer.forward(x, &tables, &*attend))?;
        if let Some(last) = states.last_mut() {
            *last = self.final_norm.forward(last)?;
        }
        let pooled = states.last().map(|last| self.embed(last, inputs)).transpose()?;
        EncoderOutput::of(states, pooled, inputs)
    }

    /// The cosine of every vector with every reference, divided by the temperature: what a
    /// contrastive loss takes for logits.
    fn similarity(&self, vectors: &Tensor, references: &Tensor) -> Result<Tensor> {
        Ok(cosine_similarity(vectors, references)?.broadcast_div(&self.temperature()?)?)
    }
}

/// The norm that stands at `weights`.
fn norm(config: &RopeEncoderConfig, weights: &Weights) -> Result<LayerNorm> {
    LayerNorm::new(config.hidden_size, config.layer_norm_eps, true, weights)
}
