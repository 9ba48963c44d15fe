//! The character encoder's heads: masked language model, text and token classification.

use candle_core::{DType, Tensor};

use super::{CharEncoderConfig, CharEncoderModel};
use crate::error::Result;
use crate::family::Build;
use crate::heads::{Encoder, EncoderOutput, Head, IGNORED, classifier, text_loss};
use crate::inputs::Batch;
use crate::layers::Linear;
use crate::losses::{binary_cross_entropy, cross_entropy};
use crate::weights::Weights;

/// Scores over the output tokens at every character: which of them was hidden that began there.
#[derive(Debug, Clone)]
pub struct CharEncoderForMaskedLM {
    /// The encoder.
    pub model: CharEncoderModel,
    /// hidden to the output tokens.
    pub decoder: Linear,
}

impl Build for CharEncoderForMaskedLM {
    type Config = CharEncoderConfig;
    const SUFFIX: &str = "ForMaskedLM";
    const HEAD: &[&str] = &["decoder."];

    fn build(config: &CharEncoderConfig, weights: &Weights) -> Result<Self> {
        let (size, outputs) = (config.hidden_size, config.num_outputs);
        Ok(Self {
            model: CharEncoderModel::new(config, &weights.under("model"))?,
            decoder: Linear::new(size, outputs, true, &weights.under("decoder"))?,
        })
    }
}

impl Head for CharEncoderForMaskedLM {
    fn encoder(&self) -> &dyn Encoder {
        &self.model
    }

    fn outputs(&self) -> Option<usize> {
        Some(self.model.config.num_outputs)
    }

    /// Of some candidates, or of all output tokens.
    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        let hidden = &outputs.last_hidden_state;
        let Some(candidates) = inputs.candidates else { return self.decoder.forward(hidden) };
        let rows = |x: &Tensor| x.index_select(candidates, 0);
        let bias = self.decoder.bias.as_ref().map(rows).transpose()?;
        let path = self.decoder.path().clone();
        let scored = Linear::of(rows(&self.decoder.weight)?, bias, path);
        let logits = scored.laid_out(self.decoder.layout()).forward(hidden)?;
        match inputs.offsets {
            Some(offsets) => Ok((&logits + offsets.to_dtype(logits.dtype())?)?),
            None => Ok(logits),
        }
    }

    /// Which answer is right, or of each candidate by itself whether it is; of the latter -100
    /// are not asked.
    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        match labels.dtype() {
            DType::I64 => cross_entropy(logits, labels, IGNORED, None),
            _ => {
                let labels = labels.to_dtype(logits.dtype())?;
                binary_cross_entropy(logits, &labels, Some(IGNORED as f64))
            }
        }
    }
}

/// Scores over the labels for each text, from the largest that each feature becomes at any of
/// its characters.
#[derive(Debug, Clone)]
pub struct CharEncoderForSequenceClassification {
    /// The encoder.
    pub model: CharEncoderModel,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for CharEncoderForSequenceClassification {
    type Config = CharEncoderConfig;
    const SUFFIX: &str = "ForSequenceClassification";

    fn build(config: &CharEncoderConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            model: CharEncoderModel::new(config, &weights.under("model"))?,
            classifier: classifier(config, weights)?,
        })
    }
}

impl Head for CharEncoderForSequenceClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.model
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        self.classifier.forward(outputs.pooler_output()?)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        text_loss(&self.model.config, logits, labels)
    }
}

/// Scores over the labels for each character.
#[derive(Debug, Clone)]
pub struct CharEncoderForTokenClassification {
    /// The encoder.
    pub model: CharEncoderModel,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for CharEncoderForTokenClassification {
    type Config = CharEncoderConfig;
    const SUFFIX: &str = "ForTokenClassification";

    fn build(config: &CharEncoderConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            model: CharEncoderModel::new(config, &weights.under("model"))?,
            classifier: classifier(config, weights)?,
        })
    }
}

impl Head for CharEncoderForTokenClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.model
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        self.classifier.forward(&outputs.last_hidden_state)
    }
}
