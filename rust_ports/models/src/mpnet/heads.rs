//! MPNet's heads: RoBERTa's, and multiple choice from the pooler's vector.

use candle_core::Tensor;

use super::{MPNetConfig, MPNetModel};
use crate::attention::first_tokens;
use crate::error::Result;
use crate::family::Build;
use crate::heads::{
    Encoder, EncoderOutput, Head, HeadOutput, by_question, chosen, classifier, text_loss,
};
use crate::inputs::{Batch, Inputs};
use crate::layers::{Linear, dropout};
use crate::roberta::{XLMRobertaClassificationHead, XLMRobertaLMHead};
use crate::weights::Weights;

/// A pooler, which only multiple choice reads.
const UNREAD: &[&str] = &["mpnet.pooler."];

/// Scores over the vocabulary at every position.
#[derive(Debug, Clone)]
pub struct MPNetForMaskedLM {
    /// The encoder, without pooler.
    pub mpnet: MPNetModel,
    /// The prediction head, RoBERTa's.
    pub lm_head: XLMRobertaLMHead,
}

impl Build for MPNetForMaskedLM {
    type Config = MPNetConfig;
    const SUFFIX: &str = "ForMaskedLM";
    const HEAD: &[&str] = &["lm_head."];
    const UNREAD: &[&str] = UNREAD;
    const TIES: &[(&str, &str)] = &[
        ("lm_head.decoder.weight", "mpnet.embeddings.word_embeddings.weight"),
        ("lm_head.decoder.bias", "lm_head.bias"),
    ];

    fn build(config: &MPNetConfig, weights: &Weights) -> Result<Self> {
        let mpnet = MPNetModel::new(config, false, &weights.under("mpnet"))?;
        let words = &mpnet.embeddings.word_embeddings;
        let lm_head = XLMRobertaLMHead::new(config, words, &weights.under("lm_head"))?;
        Ok(Self { mpnet, lm_head })
    }
}

impl Head for MPNetForMaskedLM {
    fn encoder(&self) -> &dyn Encoder {
        &self.mpnet
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        self.lm_head.forward(&outputs.last_hidden_state)
    }
}

/// Scores over the labels for each text, from its first token and without the pooler.
#[derive(Debug, Clone)]
pub struct MPNetForSequenceClassification {
    /// The encoder, without pooler.
    pub mpnet: MPNetModel,
    /// hidden to the labels, RoBERTa's.
    pub classifier: XLMRobertaClassificationHead,
}

impl Build for MPNetForSequenceClassification {
    type Config = MPNetConfig;
    const SUFFIX: &str = "ForSequenceClassification";
    const UNREAD: &[&str] = UNREAD;

    fn build(config: &MPNetConfig, weights: &Weights) -> Result<Self> {
        let mpnet = MPNetModel::new(config, false, &weights.under("mpnet"))?;
        let (rate, weights) = (config.classifier_rate(), weights.under("classifier"));
        let classifier = XLMRobertaClassificationHead::new(config, rate, &weights)?;
        Ok(Self { mpnet, classifier })
    }
}

impl Head for MPNetForSequenceClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.mpnet
    }

    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        self.classifier.forward(&first_tokens(&outputs.last_hidden_state, inputs.lengths)?)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        text_loss(&self.mpnet.config, logits, labels)
    }
}

/// Scores over the labels for each token.
#[derive(Debug, Clone)]
pub struct MPNetForTokenClassification {
    /// The encoder, without pooler.
    pub mpnet: MPNetModel,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for MPNetForTokenClassification {
    type Config = MPNetConfig;
    const SUFFIX: &str = "ForTokenClassification";
    const UNREAD: &[&str] = UNREAD;

    fn build(config: &MPNetConfig, weights: &Weights) -> Result<Self> {
        let mpnet = MPNetModel::new(config, false, &weights.under("mpnet"))?;
        Ok(Self { mpnet, classifier: classifier(config, weights)? })
    }
}

impl Head for MPNetForTokenClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.mpnet
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        let rate = self.mpnet.config.classifier_rate();
        self.classifier.forward(&dropout(&outputs.last_hidden_state, rate)?)
    }
}

/// One score for each of several texts that answer one question, from the pooler's vector.
#[derive(Debug, Clone)]
pub struct MPNetForMultipleChoice {
    /// The encoder, with pooler.
    pub mpnet: MPNetModel,
    /// hidden to one score.
    pub classifier: Linear,
}

impl Build for MPNetForMultipleChoice {
    type Config = MPNetConfig;
    const SUFFIX: &str = "ForMultipleChoice";

    fn build(config: &MPNetConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            mpnet: MPNetModel::new(config, true, &weights.under("mpnet"))?,
            classifier: Linear::new(config.hidden_size, 1, true, &weights.under("classifier"))?,
        })
    }
}

impl Head for MPNetForMultipleChoice {
    fn encoder(&self) -> &dyn Encoder {
        &self.mpnet
    }

    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        let rate = self.mpnet.config.classifier_rate();
        let pooled = dropout(outputs.pooler_output()?, rate)?;
        by_question(&self.classifier.forward(&pooled)?, inputs)
    }

    /// As [`chosen`] has it.
    fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        chosen(self, inputs, labels)
    }
}
