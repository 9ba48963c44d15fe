//! The RoPE encoder to build and train by yourself.

use candle_core::{Device, Tensor};

use super::{RopeEncoderConfig, RopeEncoderForMaskedLM, RopeEncoderModel, first_tensors};
use crate::error::Result;
use crate::family::Build;
use crate::heads::Encoder;
use crate::inputs::Inputs;
use crate::layers::Linear;
use crate::weights::Weights;

/// What an [`EmbeddingModel`] returns.
#[derive(Debug, Clone)]
pub struct EmbeddingOutput {
    /// `[batch, hidden]`, of length one each.
    pub embeddings: Tensor,
    /// `[batch, tokens, vocab]`, of a masked language model.
    pub logits: Option<Tensor>,
}

/// Ids and mask in, vectors of length one out.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use encoders_models::rope_encoder::{EmbeddingModel, RopeEncoderConfig};
///
/// let settings = r#"{"model_type": "rope_encoder", "vocab_size": 100, "num_layers": 2}"#;
/// let config = RopeEncoderConfig::from_json(settings)?;
/// let model = EmbeddingModel::from_seed(&config, 0, &Device::Cpu)?;
/// let ids = Tensor::new(&[[2i64, 7, 3], [2, 8, 3]], &Device::Cpu)?;
/// let vectors = model.forward(&ids, None)?.embeddings; // [2, 256]
/// let logits = model.similarity(&vectors, &vectors)?; // [2, 2]
/// # Ok::<(), encoders_models::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct EmbeddingModel {
    encoder: RopeEncoderModel,
    decoder: Option<Linear>,
}

impl EmbeddingModel {
    /// Takes the tensors that a checkpoint of this configuration has. Of candle's variables
    /// they can be trained.
    pub fn new(config: &RopeEncoderConfig, weights: &Weights) -> Result<Self> {
        if !config.is_masked_language {
            return Ok(Self {
                encoder: RopeEncoderModel::new(config, weights)?,
                decoder: None,
            });
        }
        let RopeEncoderForMaskedLM { model, decoder } =
            RopeEncoderForMaskedLM::build(config, weights)?;
        Ok(Self { encoder: model, decoder: Some(decoder) })
    }

    /// With its [`first_tensors`], which are drawn by the seed.
    pub fn from_seed(config: &RopeEncoderConfig, seed: u64, device: &Device) -> Result<Self> {
        let tensors = first_tensors(config, seed, device)?;
        Weights::build(&tensors, |weights| Self::new(config, weights))
    }

    /// The encoder, without the decoder that may be on it.
    pub fn encoder(&self) -> &RopeEncoderModel {
        &self.encoder
    }

    /// Both are `[batch, tokens]`. Ids outside of the vocabulary and texts longer than the
    /// context are errors.
    pub fn forward(
        &self,
        input_ids: &Tensor,
        attention_mask: Option<&Tensor>,
    ) -> Result<EmbeddingOutput> {
        let all = input_ids.ones_like()?;
        let inputs = Inputs::padded(input_ids, attention_mask.unwrap_or(&all));
        let batch = inputs.check(&self.encoder.limits())?;
        let hidden = self.encoder.encode(&batch)?.last_hidden_state;
        let logits = self.decoder.as_ref().map(|decoder| decoder.forward(&hidden));
        Ok(EmbeddingOutput {
            embeddings: self.encoder.embed(&hidden, &batch)?,
            logits: logits.transpose()?,
        })
    }

    /// The cosine of every vector with every reference, divided by the temperature.
    pub fn similarity(&self, vectors: &Tensor, references: &Tensor) -> Result<Tensor> {
        self.encoder.similarity(vectors, references)
    }
}
