//! BERT's heads: masked language model, text and token classification.

use candle_core::Tensor;

use super::{BertConfig, BertModel, norm};
use crate::error::Result;
use crate::family::Build;
use crate::heads::{Encoder, EncoderOutput, Head, classifier, text_loss, tie_decoder};
use crate::inputs::Batch;
use crate::layers::{Activation, Embedding, LayerNorm, Linear, activation, dropout};
use crate::trace::note;
use crate::weights::{Path, Weights};

/// What predicts the next sentence, which no head here does, and a pooler that only a text
/// classifier reads.
const UNREAD: &[&str] = &["cls.seq_relationship.", "bert.pooler."];

/// One more dense layer, activation and norm before the words are scored.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct BertPredictionHeadTransform {
    /// hidden to hidden.
    pub dense: Linear,
    /// What follows the activation.
    pub LayerNorm: LayerNorm,
    /// What follows `dense`.
    pub activation: Activation,
    path: Path,
}

impl BertPredictionHeadTransform {
    /// Takes `dense` and `LayerNorm`.
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            dense: Linear::new(size, size, true, &weights.under("dense"))?,
            LayerNorm: norm(config, weights)?,
            activation: activation(&config.hidden_act)?,
            path: weights.path(),
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let activated = (self.activation)(&self.dense.forward(hidden)?)?;
        let normed = self.LayerNorm.forward(&activated)?;
        Ok(note(&self.path, normed))
    }
}

/// A score for every word of the vocabulary; the decoder's weight is the word embedding itself
/// when tied.
#[derive(Debug, Clone)]
pub struct BertLMPredictionHead {
    /// What comes before the decoder.
    pub transform: BertPredictionHeadTransform,
    /// hidden to the vocabulary.
    pub decoder: Linear,
    /// The tied decoder's, `[vocab]`.
    pub bias: Tensor,
}

impl BertLMPredictionHead {
    /// Takes the tensors of all parts; `words` are those that a tied decoder scores with.
    pub fn new(config: &BertConfig, words: &Embedding, weights: &Weights) -> Result<Self> {
        let bias = weights.get("bias", &[config.vocab_size])?;
        let decoder = tie_decoder(config, words, Some(&bias), &weights.under("decoder"))?;
        let transform = BertPredictionHeadTransform::new(config, &weights.under("transform"))?;
        Ok(Self { transform, decoder, bias })
    }

    /// `hidden` is `[..., tokens, hidden]`, the result `[..., tokens, vocab]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        self.decoder.forward(&self.transform.forward(hidden)?)
    }
}

/// The name under which checkpoints keep the prediction head: cls.predictions.
#[derive(Debug, Clone)]
pub struct BertOnlyMLMHead {
    /// The head itself.
    pub predictions: BertLMPredictionHead,
}

impl BertOnlyMLMHead {
    /// Takes the tensors of `predictions`.
    pub fn new(config: &BertConfig, words: &Embedding, weights: &Weights) -> Result<Self> {
        let weights = weights.under("predictions");
        Ok(Self { predictions: BertLMPredictionHead::new(config, words, &weights)? })
    }

    /// `hidden` is `[..., tokens, hidden]`, the result `[..., tokens, vocab]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        self.predictions.forward(hidden)
    }
}

/// Scores over the vocabulary at every position.
#[derive(Debug, Clone)]
pub struct BertForMaskedLM {
    /// The encoder, without pooler.
    pub bert: BertModel,
    /// The prediction head.
    pub cls: BertOnlyMLMHead,
}

impl Build for BertForMaskedLM {
    type Config = BertConfig;
    const SUFFIX: &str = "ForMaskedLM";
    const HEAD: &[&str] = &["cls.predictions."];
    const UNREAD: &[&str] = UNREAD;
    const TIES: &[(&str, &str)] = &[
        ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
        ("cls.predictions.decoder.bias", "cls.predictions.bias"),
    ];

    fn build(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let bert = BertModel::new(config, false, &weights.under("bert"))?;
        let words = &bert.embeddings.word_embeddings;
        Ok(Self { cls: BertOnlyMLMHead::new(config, words, &weights.under("cls"))?, bert })
    }
}

impl Head for BertForMaskedLM {
    fn encoder(&self) -> &dyn Encoder {
        &self.bert
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        self.cls.forward(&outputs.last_hidden_state)
    }
}

/// Scores over the labels for each text, from the pooler's vector.
#[derive(Debug, Clone)]
pub struct BertForSequenceClassification {
    /// The encoder, with pooler.
    pub bert: BertModel,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for BertForSequenceClassification {
    type Config = BertConfig;
    const SUFFIX: &str = "ForSequenceClassification";
    const UNREAD: &[&str] = &[UNREAD[0]];

    fn build(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let bert = BertModel::new(config, true, &weights.under("bert"))?;
        Ok(Self { bert, classifier: classifier(config, weights)? })
    }
}

impl Head for BertForSequenceClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.bert
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        let rate = self.bert.config.classifier_rate();
        self.classifier.forward(&dropout(outputs.pooler_output()?, rate)?)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        text_loss(&self.bert.config, logits, labels)
    }
}

/// Scores over the labels for each token.
#[derive(Debug, Clone)]
pub struct BertForTokenClassification {
    /// The encoder, without pooler.
    pub bert: BertModel,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for BertForTokenClassification {
    type Config = BertConfig;
    const SUFFIX: &str = "ForTokenClassification";
    const UNREAD: &[&str] = UNREAD;

    fn build(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let bert = BertModel::new(config, false, &weights.under("bert"))?;
        Ok(Self { bert, classifier: classifier(config, weights)? })
    }
}

impl Head for BertForTokenClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.bert
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        let rate = self.bert.config.classifier_rate();
        self.classifier.forward(&dropout(&outputs.last_hidden_state, rate)?)
    }
}
