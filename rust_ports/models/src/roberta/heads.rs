//! RoBERTa's heads: masked language model, text and token classification.

use candle_core::Tensor;

use super::{XLMRobertaConfig, XLMRobertaModel};
use crate::attention::first_tokens;
use crate::bert::BertLayerConfig;
use crate::error::Result;
use crate::family::Build;
use crate::heads::{Encoder, EncoderOutput, Head, classifier, text_loss, tie_decoder};
use crate::inputs::Batch;
use crate::layers::{Embedding, LayerNorm, Linear, dropout, gelu, tanh};
use crate::weights::Weights;

/// A pooler, which no head here reads.
const UNREAD: &[&str] = &["roberta.pooler."];

/// RoBERTa's prediction head: BERT's idea under other names, and always with the exact GELU.
#[derive(Debug, Clone)]
pub struct XLMRobertaLMHead {
    /// hidden to hidden.
    pub dense: Linear,
    /// What follows the activation.
    pub layer_norm: LayerNorm,
    /// hidden to the vocabulary.
    pub decoder: Linear,
    /// The tied decoder's, `[vocab]`.
    pub bias: Tensor,
}

impl XLMRobertaLMHead {
    /// Takes the tensors of all parts; `words` are those that a tied decoder scores with.
    pub fn new(config: &BertLayerConfig, words: &Embedding, weights: &Weights) -> Result<Self> {
        let (size, eps) = (config.hidden_size, config.layer_norm_eps);
        let bias = weights.get("bias", &[config.vocab_size])?;
        Ok(Self {
            dense: Linear::new(size, size, true, &weights.under("dense"))?,
            layer_norm: LayerNorm::new(size, eps, true, &weights.under("layer_norm"))?.noted(),
            decoder: tie_decoder(config, words, Some(&bias), &weights.under("decoder"))?,
            bias,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, the result `[..., tokens, vocab]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let activated = gelu(&self.dense.forward(hidden)?)?;
        self.decoder.forward(&self.layer_norm.forward(&activated)?)
    }
}

/// RoBERTa's sentence classifier: dense, tanh, and a projection to the labels.
#[derive(Debug, Clone)]
pub struct XLMRobertaClassificationHead {
    /// hidden to hidden.
    pub dense: Linear,
    /// hidden to the labels.
    pub out_proj: Linear,
    /// The share of features that training drops.
    pub rate: f64,
}

impl XLMRobertaClassificationHead {
    /// Takes `dense` and `out_proj`.
    pub fn new(config: &BertLayerConfig, rate: f64, weights: &Weights) -> Result<Self> {
        let (size, labels) = (config.hidden_size, config.num_labels());
        Ok(Self {
            dense: Linear::new(size, size, true, &weights.under("dense"))?,
            out_proj: Linear::new(size, labels, true, &weights.under("out_proj"))?,
            rate,
        })
    }

    /// `first` is `[batch, hidden]`, the result `[batch, labels]`.
    pub fn forward(&self, first: &Tensor) -> Result<Tensor> {
        let activated = tanh(&self.dense.forward(&dropout(first, self.rate)?)?)?;
        self.out_proj.forward(&dropout(&activated, self.rate)?)
    }
}

/// Scores over the vocabulary at every position.
#[derive(Debug, Clone)]
pub struct XLMRobertaForMaskedLM {
    /// The encoder, without pooler.
    pub roberta: XLMRobertaModel,
    /// The prediction head.
    pub lm_head: XLMRobertaLMHead,
}

impl Build for XLMRobertaForMaskedLM {
    type Config = XLMRobertaConfig;
    const SUFFIX: &str = "ForMaskedLM";
    const HEAD: &[&str] = &["lm_head."];
    const UNREAD: &[&str] = UNREAD;
    const TIES: &[(&str, &str)] = &[
        ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
        ("lm_head.decoder.bias", "lm_head.bias"),
    ];

    fn build(config: &XLMRobertaConfig, weights: &Weights) -> Result<Self> {
        let roberta = XLMRobertaModel::new(config, false, &weights.under("roberta"))?;
        let words = &roberta.embeddings.tables.word_embeddings;
        let lm_head = XLMRobertaLMHead::new(config, words, &weights.under("lm_head"))?;
        Ok(Self { roberta, lm_head })
    }
}

impl Head for XLMRobertaForMaskedLM {
    fn encoder(&self) -> &dyn Encoder {
        &self.roberta
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        self.lm_head.forward(&outputs.last_hidden_state)
    }
}

/// Scores over the labels for each text, from its first token; there is no pooler.
#[derive(Debug, Clone)]
pub struct XLMRobertaForSequenceClassification {
    /// The encoder, without pooler.
    pub roberta: XLMRobertaModel,
    /// hidden to the labels.
    pub classifier: XLMRobertaClassificationHead,
}

impl Build for XLMRobertaForSequenceClassification {
    type Config = XLMRobertaConfig;
    const SUFFIX: &str = "ForSequenceClassification";
    const UNREAD: &[&str] = UNREAD;

    fn build(config: &XLMRobertaConfig, weights: &Weights) -> Result<Self> {
        let roberta = XLMRobertaModel::new(config, false, &weights.under("roberta"))?;
        let (rate, weights) = (config.classifier_rate(), weights.under("classifier"));
        let classifier = XLMRobertaClassificationHead::new(config, rate, &weights)?;
        Ok(Self { roberta, classifier })
    }
}

impl Head for XLMRobertaForSequenceClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.roberta
    }

    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        self.classifier.forward(&first_tokens(&outputs.last_hidden_state, inputs.lengths)?)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        text_loss(&self.roberta.config, logits, labels)
    }
}

/// Scores over the labels for each token.
#[derive(Debug, Clone)]
pub struct XLMRobertaForTokenClassification {
    /// The encoder, without pooler.
    pub roberta: XLMRobertaModel,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for XLMRobertaForTokenClassification {
    type Config = XLMRobertaConfig;
    const SUFFIX: &str = "ForTokenClassification";
    const UNREAD: &[&str] = UNREAD;

    fn build(config: &XLMRobertaConfig, weights: &Weights) -> Result<Self> {
        let roberta = XLMRobertaModel::new(config, false, &weights.under("roberta"))?;
        Ok(Self { roberta, classifier: classifier(config, weights)? })
    }
}

impl Head for XLMRobertaForTokenClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.roberta
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        let rate = self.roberta.config.classifier_rate();
        self.classifier.forward(&dropout(&outputs.last_hidden_state, rate)?)
    }
}

/// XLM-RoBERTa's under another name.
pub type RobertaForMaskedLM = XLMRobertaForMaskedLM;
/// XLM-RoBERTa's under another name.
pub type RobertaForSequenceClassification = XLMRobertaForSequenceClassification;
/// XLM-RoBERTa's under another name.
pub type RobertaForTokenClassification = XLMRobertaForTokenClassification;
