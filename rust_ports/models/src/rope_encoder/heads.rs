//! The RoPE encoder's heads: masked language model, text and token classification.

use candle_core::Tensor;

use super::{RopeEncoderConfig, RopeEncoderModel};
use crate::error::Result;
use crate::family::Build;
use crate::heads::{Encoder, EncoderOutput, Head, classifier, text_loss, tie_decoder};
use crate::inputs::Batch;
use crate::layers::Linear;
use crate::weights::Weights;

/// Scores over the vocabulary at every position, with the very vectors that embed the words.
#[derive(Debug, Clone)]
pub struct RopeEncoderForMaskedLM {
    /// The encoder.
    pub model: RopeEncoderModel,
    /// hidden to the vocabulary.
    pub decoder: Linear,
}

impl Build for RopeEncoderForMaskedLM {
    type Config = RopeEncoderConfig;
    const SUFFIX: &str = "ForMaskedLM";
    const HEAD: &[&str] = &["decoder."];
    const TIES: &[(&str, &str)] =
        &[("decoder.weight", "model.embeddings.word_embeddings.weight")];

    fn build(config: &RopeEncoderConfig, weights: &Weights) -> Result<Self> {
        let model = RopeEncoderModel::new(config, &weights.under("model"))?;
        let (words, weights) = (&model.embeddings.word_embeddings, weights.under("decoder"));
        let bias = weights.get("bias", &[config.vocab_size])?;
        let decoder = tie_decoder(config, words, Some(&bias), &weights)?;
        Ok(Self { model, decoder })
    }
}

impl Head for RopeEncoderForMaskedLM {
    fn encoder(&self) -> &dyn Encoder {
        &self.model
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        self.decoder.forward(&outputs.last_hidden_state)
    }
}

/// Scores over the labels for each text, from the mean of its tokens.
#[derive(Debug, Clone)]
pub struct RopeEncoderForSequenceClassification {
    /// The encoder.
    pub model: RopeEncoderModel,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for RopeEncoderForSequenceClassification {
    type Config = RopeEncoderConfig;
    const SUFFIX: &str = "ForSequenceClassification";

    fn build(config: &RopeEncoderConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            model: RopeEncoderModel::new(config, &weights.under("model"))?,
            classifier: classifier(config, weights)?,
        })
    }
}

impl Head for RopeEncoderForSequenceClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.model
    }

    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        self.classifier.forward(&self.model.pool(&outputs.last_hidden_state, inputs)?)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        text_loss(&self.model.config, logits, labels)
    }
}

/// Scores over the labels for each token.
#[derive(Debug, Clone)]
pub struct RopeEncoderForTokenClassification {
    /// The encoder.
    pub model: RopeEncoderModel,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for RopeEncoderForTokenClassification {
    type Config = RopeEncoderConfig;
    const SUFFIX: &str = "ForTokenClassification";

    fn build(config: &RopeEncoderConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            model: RopeEncoderModel::new(config, &weights.under("model"))?,
            classifier: classifier(config, weights)?,
        })
    }
}

impl Head for RopeEncoderForTokenClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.model
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        self.classifier.forward(&outputs.last_hidden_state)
    }
}
