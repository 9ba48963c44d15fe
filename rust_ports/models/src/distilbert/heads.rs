//! DistilBERT's heads: masked language model, text and token classification, multiple choice.

use candle_core::Tensor;

use super::{DistilBertConfig, DistilBertModel, norm};
use crate::attention::first_tokens;
use crate::error::Result;
use crate::family::Build;
use crate::heads::{
    Encoder, EncoderOutput, Head, HeadOutput, by_question, chosen, classifier, text_loss,
    tie_decoder,
};
use crate::inputs::{Batch, Inputs};
use crate::layers::{Activation, LayerNorm, Linear, activation, dropout, relu};
use crate::weights::Weights;

/// Scores over the vocabulary at every position.
#[derive(Debug, Clone)]
pub struct DistilBertForMaskedLM {
    /// The encoder.
    pub distilbert: DistilBertModel,
    /// hidden to hidden.
    pub vocab_transform: Linear,
    /// What follows `vocab_transform`.
    pub activation: Activation,
    /// What follows the activation.
    pub vocab_layer_norm: LayerNorm,
    /// hidden to the vocabulary; its weight is the word embedding itself when tied.
    pub vocab_projector: Linear,
}

impl Build for DistilBertForMaskedLM {
    type Config = DistilBertConfig;
    const SUFFIX: &str = "ForMaskedLM";
    const HEAD: &[&str] = &["vocab_"];
    const TIES: &[(&str, &str)] =
        &[("vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight")];

    fn build(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        let (size, at) = (config.hidden_size, |name| weights.under(name));
        let distilbert = DistilBertModel::new(config, &at("distilbert"))?;
        let (words, own) = (&distilbert.embeddings.word_embeddings, at("vocab_projector"));
        let bias = own.get("bias", &[config.vocab_size])?;
        Ok(Self {
            vocab_transform: Linear::new(size, size, true, &at("vocab_transform"))?,
            activation: activation(&config.hidden_act)?,
            vocab_layer_norm: norm(config, &at("vocab_layer_norm"))?.noted(),
            vocab_projector: tie_decoder(config, words, Some(&bias), &own)?,
            distilbert,
        })
    }
}

impl Head for DistilBertForMaskedLM {
    fn encoder(&self) -> &dyn Encoder {
        &self.distilbert
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        let transformed = self.vocab_transform.forward(&outputs.last_hidden_state)?;
        let activated = (self.activation)(&transformed)?;
        self.vocab_projector.forward(&self.vocab_layer_norm.forward(&activated)?)
    }
}

/// The first token of each text, projected as in a pooler but with a ReLU, and scored. Training
/// drops the share `rate` of what is scored.
fn score_first(
    pre_classifier: &Linear,
    classifier: &Linear,
    outputs: &EncoderOutput,
    inputs: &Batch,
    rate: f64,
) -> Result<Tensor> {
    let first = first_tokens(&outputs.last_hidden_state, inputs.lengths)?;
    let activated = dropout(&relu(&pre_classifier.forward(&first)?)?, rate)?;
    classifier.forward(&activated)
}

/// Scores over the labels for each text.
#[derive(Debug, Clone)]
pub struct DistilBertForSequenceClassification {
    /// The encoder.
    pub distilbert: DistilBertModel,
    /// hidden to hidden.
    pub pre_classifier: Linear,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for DistilBertForSequenceClassification {
    type Config = DistilBertConfig;
    const SUFFIX: &str = "ForSequenceClassification";

    fn build(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            distilbert: DistilBertModel::new(config, &weights.under("distilbert"))?,
            pre_classifier: Linear::new(size, size, true, &weights.under("pre_classifier"))?,
            classifier: classifier(config, weights)?.noting_input(),
        })
    }
}

impl Head for DistilBertForSequenceClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.distilbert
    }

    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        let rate = self.distilbert.config.seq_classif_dropout;
        score_first(&self.pre_classifier, &self.classifier, outputs, inputs, rate)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        text_loss(&self.distilbert.config, logits, labels)
    }
}

/// Scores over the labels for each token.
#[derive(Debug, Clone)]
pub struct DistilBertForTokenClassification {
    /// The encoder.
    pub distilbert: DistilBertModel,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for DistilBertForTokenClassification {
    type Config = DistilBertConfig;
    const SUFFIX: &str = "ForTokenClassification";

    fn build(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        let distilbert = DistilBertModel::new(config, &weights.under("distilbert"))?;
        let classifier = classifier(config, weights)?.noting_input();
        Ok(Self { distilbert, classifier })
    }
}

impl Head for DistilBertForTokenClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.distilbert
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        let hidden = dropout(&outputs.last_hidden_state, self.distilbert.config.dropout)?;
        self.classifier.forward(&hidden)
    }
}

/// One score for each of several texts that answer one question.
#[derive(Debug, Clone)]
pub struct DistilBertForMultipleChoice {
    /// The encoder.
    pub distilbert: DistilBertModel,
    /// hidden to hidden.
    pub pre_classifier: Linear,
    /// hidden to one score.
    pub classifier: Linear,
}

impl Build for DistilBertForMultipleChoice {
    type Config = DistilBertConfig;
    const SUFFIX: &str = "ForMultipleChoice";

    fn build(config: &DistilBertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            distilbert: DistilBertModel::new(config, &weights.under("distilbert"))?,
            pre_classifier: Linear::new(size, size, true, &weights.under("pre_classifier"))?,
            classifier: Linear::new(size, 1, true, &weights.under("classifier"))?
                .noting_input(),
        })
    }
}

impl Head for DistilBertForMultipleChoice {
    fn encoder(&self) -> &dyn Encoder {
        &self.distilbert
    }

    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        let rate = self.distilbert.config.seq_classif_dropout;
        let parts = (&self.pre_classifier, &self.classifier);
        by_question(&score_first(parts.0, parts.1, outputs, inputs, rate)?, inputs)
    }

    /// As [`chosen`] has it.
    fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        chosen(self, inputs, labels)
    }
}
