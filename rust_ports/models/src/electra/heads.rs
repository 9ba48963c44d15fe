//! ELECTRA's heads: masked language model, text and token classification, multiple choice.

use candle_core::Tensor;

use super::{ElectraConfig, ElectraModel};
use crate::attention::first_tokens;
use crate::error::Result;
use crate::family::Build;
use crate::heads::{
    Encoder, EncoderOutput, Head, HeadOutput, by_question, chosen, classifier, text_loss,
    tie_decoder,
};
use crate::inputs::{Batch, Inputs};
use crate::layers::{Activation, LayerNorm, Linear, activation, dropout, gelu};
use crate::trace::note;
use crate::weights::{Path, Weights};

/// What tells replaced tokens from real ones, which no head here does.
const UNREAD: &[&str] = &["discriminator_predictions."];

/// From the layers' size back to the embeddings', always with the exact GELU, and a norm.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct ElectraGeneratorPredictions {
    /// hidden to the embeddings' size.
    pub dense: Linear,
    /// What follows the GELU.
    pub LayerNorm: LayerNorm,
    path: Path,
}

impl ElectraGeneratorPredictions {
    /// Takes `dense` and `LayerNorm`.
    pub fn new(config: &ElectraConfig, weights: &Weights) -> Result<Self> {
        let (size, narrow) = (config.hidden_size, config.embedding_size);
        let norm = weights.under("LayerNorm");
        Ok(Self {
            dense: Linear::new(size, narrow, true, &weights.under("dense"))?,
            LayerNorm: LayerNorm::new(narrow, config.layer_norm_eps, true, &norm)?,
            path: weights.path(),
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, the result `[..., tokens, embedding]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let activated = gelu(&self.dense.forward(hidden)?)?;
        let normed = self.LayerNorm.forward(&activated)?;
        Ok(note(&self.path, normed))
    }
}

/// The generator: scores over the vocabulary at every position.
#[derive(Debug, Clone)]
pub struct ElectraForMaskedLM {
    /// The encoder.
    pub electra: ElectraModel,
    /// What comes before the decoder.
    pub generator_predictions: ElectraGeneratorPredictions,
    /// The embeddings' size to the vocabulary; its weight is the word embedding itself when
    /// tied.
    pub generator_lm_head: Linear,
}

impl Build for ElectraForMaskedLM {
    type Config = ElectraConfig;
    const SUFFIX: &str = "ForMaskedLM";
    const HEAD: &[&str] = &["generator_predictions.", "generator_lm_head."];
    const UNREAD: &[&str] = UNREAD;
    const TIES: &[(&str, &str)] =
        &[("generator_lm_head.weight", "electra.embeddings.word_embeddings.weight")];

    fn build(config: &ElectraConfig, weights: &Weights) -> Result<Self> {
        let electra = ElectraModel::new(config, &weights.under("electra"))?;
        let predictions = weights.under("generator_predictions");
        let (words, own) =
            (&electra.embeddings.word_embeddings, weights.under("generator_lm_head"));
        let bias = own.get("bias", &[config.vocab_size])?;
        Ok(Self {
            generator_predictions: ElectraGeneratorPredictions::new(config, &predictions)?,
            generator_lm_head: tie_decoder(config, words, Some(&bias), &own)?,
            electra,
        })
    }
}

impl Head for ElectraForMaskedLM {
    fn encoder(&self) -> &dyn Encoder {
        &self.electra
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        let predicted = self.generator_predictions.forward(&outputs.last_hidden_state)?;
        self.generator_lm_head.forward(&predicted)
    }
}

/// RoBERTa's sentence classifier, but with a GELU where BERT and RoBERTa have tanh.
#[derive(Debug, Clone)]
pub struct ElectraClassificationHead {
    /// hidden to hidden.
    pub dense: Linear,
    /// hidden to the labels.
    pub out_proj: Linear,
    /// The share of features that training drops.
    pub rate: f64,
}

impl ElectraClassificationHead {
    /// Takes `dense` and `out_proj`.
    pub fn new(config: &ElectraConfig, weights: &Weights) -> Result<Self> {
        let (size, labels) = (config.hidden_size, config.num_labels());
        Ok(Self {
            dense: Linear::new(size, size, true, &weights.under("dense"))?,
            out_proj: Linear::new(size, labels, true, &weights.under("out_proj"))?
                .noting_input(),
            rate: config.classifier_rate(),
        })
    }

    /// `first` is `[batch, hidden]`, the result `[batch, labels]`.
    pub fn forward(&self, first: &Tensor) -> Result<Tensor> {
        let activated = gelu(&self.dense.forward(&dropout(first, self.rate)?)?)?;
        self.out_proj.forward(&dropout(&activated, self.rate)?)
    }
}

/// Scores over the labels for each text, from its first token.
#[derive(Debug, Clone)]
pub struct ElectraForSequenceClassification {
    /// The encoder.
    pub electra: ElectraModel,
    /// hidden to the labels.
    pub classifier: ElectraClassificationHead,
}

impl Build for ElectraForSequenceClassification {
    type Config = ElectraConfig;
    const SUFFIX: &str = "ForSequenceClassification";
    const UNREAD: &[&str] = UNREAD;

    fn build(config: &ElectraConfig, weights: &Weights) -> Result<Self> {
        let electra = ElectraModel::new(config, &weights.under("electra"))?;
        let weights = weights.under("classifier");
        Ok(Self { electra, classifier: ElectraClassificationHead::new(config, &weights)? })
    }
}

impl Head for ElectraForSequenceClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.electra
    }

    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        self.classifier.forward(&first_tokens(&outputs.last_hidden_state, inputs.lengths)?)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        text_loss(&self.electra.config, logits, labels)
    }
}

/// Scores over the labels for each token.
#[derive(Debug, Clone)]
pub struct ElectraForTokenClassification {
    /// The encoder.
    pub electra: ElectraModel,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for ElectraForTokenClassification {
    type Config = ElectraConfig;
    const SUFFIX: &str = "ForTokenClassification";
    const UNREAD: &[&str] = UNREAD;

    fn build(config: &ElectraConfig, weights: &Weights) -> Result<Self> {
        let electra = ElectraModel::new(config, &weights.under("electra"))?;
        Ok(Self { electra, classifier: classifier(config, weights)? })
    }
}

impl Head for ElectraForTokenClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.electra
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        let rate = self.electra.config.classifier_rate();
        self.classifier.forward(&dropout(&outputs.last_hidden_state, rate)?)
    }
}

/// The vector of a text, from its first token: projected and activated, as far as the
/// configuration asks for it.
#[derive(Debug, Clone)]
pub struct ElectraSequenceSummary {
    /// hidden to hidden.
    pub summary: Option<Linear>,
    /// What follows `summary`.
    pub activation: Activation,
    /// The share of features that training drops.
    pub rate: f64,
    path: Path,
}

impl ElectraSequenceSummary {
    /// Takes `summary`, where there is one.
    pub fn new(config: &ElectraConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        let summary = || Linear::new(size, size, true, &weights.under("summary"));
        Ok(Self {
            summary: config.summary_use_proj.then(summary).transpose()?,
            activation: activation(config.summary_activation.as_deref().unwrap_or("linear"))?,
            rate: config.summary_last_dropout,
            path: weights.path(),
        })
    }

    /// `first` is `[texts, hidden]`, and so is the result.
    pub fn forward(&self, first: &Tensor) -> Result<Tensor> {
        let summary = self.summary.as_ref().map(|summary| summary.forward(first));
        let projected = summary.transpose()?.unwrap_or_else(|| first.clone());
        let activated = dropout(&(self.activation)(&projected)?, self.rate)?;
        Ok(note(&self.path, activated))
    }
}

/// One score for each of several texts that answer one question.
#[derive(Debug, Clone)]
pub struct ElectraForMultipleChoice {
    /// The encoder.
    pub electra: ElectraModel,
    /// From the first token of a text to its vector.
    pub sequence_summary: ElectraSequenceSummary,
    /// hidden to one score.
    pub classifier: Linear,
}

impl Build for ElectraForMultipleChoice {
    type Config = ElectraConfig;
    const SUFFIX: &str = "ForMultipleChoice";
    const UNREAD: &[&str] = UNREAD;

    fn build(config: &ElectraConfig, weights: &Weights) -> Result<Self> {
        let (size, summary) = (config.hidden_size, weights.under("sequence_summary"));
        Ok(Self {
            electra: ElectraModel::new(config, &weights.under("electra"))?,
            sequence_summary: ElectraSequenceSummary::new(config, &summary)?,
            classifier: Linear::new(size, 1, true, &weights.under("classifier"))?,
        })
    }
}

impl Head for ElectraForMultipleChoice {
    fn encoder(&self) -> &dyn Encoder {
        &self.electra
    }

    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        let first = first_tokens(&outputs.last_hidden_state, inputs.lengths)?;
        let summary = self.sequence_summary.forward(&first)?;
        by_question(&self.classifier.forward(&summary)?, inputs)
    }

    /// As [`chosen`] has it.
    fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        chosen(self, inputs, labels)
    }
}
