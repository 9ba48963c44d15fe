//! The heads on top of the encoder: masked language model, text and token classification.
//!
//! Struct and field names are Transformers' own, so that a checkpoint's architecture and keys
//! name them.

mod modernbert;
mod multiple_choice;

use candle_core::{Device, Tensor};

pub use modernbert::{
    ModernBertForMaskedLM, ModernBertForSequenceClassification,
    ModernBertForTokenClassification, ModernBertPredictionHead, tie_modernbert_decoder,
};
pub use multiple_choice::ModernBertForMultipleChoice;

use crate::bert::{BertModel, first_tokens};
use crate::config::BertConfig;
use crate::error::Result;
use crate::inputs::Inputs;
use crate::layers::{Activation, LayerNorm, Linear, activation, gelu, tanh};
use crate::losses::{classification_loss, cross_entropy};
use crate::pretrained;
use crate::trace::{enter, note, within};
use crate::weights::Weights;

/// The label that a loss leaves out, as in PyTorch.
const IGNORED: i64 = -100;

/// What a head returns: raw scores, never a softmax; the loss where labels were given.
#[derive(Debug, Clone)]
pub struct HeadOutput {
    /// `[batch, labels]` (of several choices `[batch, choices]`), or `[batch, tokens, labels]`;
    /// the latter without the batch axis for a packed batch.
    pub logits: Tensor,
    /// A scalar.
    pub loss: Option<Tensor>,
    /// As [`BertModelOutput`](crate::bert::BertModelOutput) has them.
    pub hidden_states: Option<Vec<Tensor>>,
}

/// One more dense layer, activation and norm before the words are scored.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct BertPredictionHeadTransform {
    pub dense: Linear,
    pub LayerNorm: LayerNorm,
    pub activation: Activation,
}

impl BertPredictionHeadTransform {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            dense: Linear::new(size, size, true, &weights.under("dense"))?,
            LayerNorm: LayerNorm::new(
                size,
                config.layer_norm_eps,
                true,
                &weights.under("LayerNorm"),
            )?,
            activation: activation(&config.hidden_act)?,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let _module = enter("transform");
        let dense = note("dense", self.dense.forward(hidden)?);
        Ok(note("", self.LayerNorm.forward(&(self.activation)(&dense)?)?))
    }
}

/// A score for every word of the vocabulary; the decoder's weight is the word embedding itself
/// when tied.
#[derive(Debug, Clone)]
pub struct BertLMPredictionHead {
    pub transform: BertPredictionHeadTransform,
    pub decoder: Linear,
    pub bias: Tensor,
}

impl BertLMPredictionHead {
    pub fn new(config: &BertConfig, base: &BertModel, weights: &Weights) -> Result<Self> {
        let bias = weights.get("bias", &[config.vocab_size])?;
        Ok(Self {
            transform: BertPredictionHeadTransform::new(config, &weights.under("transform"))?,
            decoder: tie_decoder(config, base, &bias, weights)?,
            bias,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, the result `[..., tokens, vocab]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let _module = enter("predictions");
        let transformed = self.transform.forward(hidden)?;
        Ok(note("decoder", self.decoder.forward(&transformed)?))
    }
}

/// The name under which checkpoints keep the prediction head: cls.predictions.
#[derive(Debug, Clone)]
pub struct BertOnlyMLMHead {
    pub predictions: BertLMPredictionHead,
}

impl BertOnlyMLMHead {
    pub fn new(config: &BertConfig, base: &BertModel, weights: &Weights) -> Result<Self> {
        Ok(Self {
            predictions: BertLMPredictionHead::new(
                config,
                base,
                &weights.under("predictions"),
            )?,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, the result `[..., tokens, vocab]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let _module = enter("cls");
        self.predictions.forward(hidden)
    }
}

/// RoBERTa's prediction head: the same idea under other names, and always with the exact GELU.
#[derive(Debug, Clone)]
pub struct XLMRobertaLMHead {
    pub dense: Linear,
    pub layer_norm: LayerNorm,
    pub decoder: Linear,
    pub bias: Tensor,
}

impl XLMRobertaLMHead {
    pub fn new(config: &BertConfig, base: &BertModel, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        let bias = weights.get("bias", &[config.vocab_size])?;
        Ok(Self {
            dense: Linear::new(size, size, true, &weights.under("dense"))?,
            layer_norm: LayerNorm::new(
                size,
                config.layer_norm_eps,
                true,
                &weights.under("layer_norm"),
            )?,
            decoder: tie_decoder(config, base, &bias, weights)?,
            bias,
        })
    }

    /// `hidden` is `[..., tokens, hidden]`, the result `[..., tokens, vocab]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let _module = enter("lm_head");
        let dense = note("dense", self.dense.forward(hidden)?);
        let normed = note("layer_norm", self.layer_norm.forward(&gelu(&dense)?)?);
        Ok(note("decoder", self.decoder.forward(&normed)?))
    }
}

/// RoBERTa's sentence classifier: dense, tanh, and a projection to the labels.
#[derive(Debug, Clone)]
pub struct XLMRobertaClassificationHead {
    pub dense: Linear,
    pub out_proj: Linear,
}

impl XLMRobertaClassificationHead {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            dense: Linear::new(size, size, true, &weights.under("dense"))?,
            out_proj: Linear::new(size, config.num_labels(), true, &weights.under("out_proj"))?,
        })
    }

    /// `first` is `[batch, hidden]`, the result `[batch, labels]`.
    pub fn forward(&self, first: &Tensor) -> Result<Tensor> {
        let _module = enter("classifier");
        let dense = note("dense", self.dense.forward(first)?);
        Ok(note("out_proj", self.out_proj.forward(&tanh(&dense)?)?))
    }
}

/// Scores words with the very vectors that embed them (Press & Wolf 2017), unless the config
/// unties them.
pub fn tie_decoder(
    config: &BertConfig,
    base: &BertModel,
    bias: &Tensor,
    weights: &Weights,
) -> Result<Linear> {
    if !config.tie_word_embeddings {
        return Linear::new(
            config.hidden_size,
            config.vocab_size,
            true,
            &weights.under("decoder"),
        );
    }
    Ok(Linear {
        weight: base.embeddings.word_embeddings.weight.clone(),
        bias: Some(bias.clone()),
    })
}

/// Scores over the vocabulary at every position.
#[derive(Debug, Clone)]
pub struct BertForMaskedLM {
    pub bert: BertModel,
    pub cls: BertOnlyMLMHead,
}

impl BertForMaskedLM {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let bert = BertModel::new(config, false, &weights.under("bert"))?;
        let cls = BertOnlyMLMHead::new(config, &bert, &weights.under("cls"))?;
        Ok(Self { bert, cls })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "ForMaskedLM", Self::new)
    }

    /// With `labels`, the loss is computed too.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let outputs = within("bert", || self.bert.forward(inputs))?;
        let logits = self.cls.forward(&outputs.last_hidden_state)?;
        let loss = labels.map(|labels| cross_entropy(&logits, labels, IGNORED)).transpose()?;
        Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
    }
}

/// Scores over the labels for each text, from the pooler's vector.
#[derive(Debug, Clone)]
pub struct BertForSequenceClassification {
    pub config: BertConfig,
    pub bert: BertModel,
    pub classifier: Linear,
}

impl BertForSequenceClassification {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let bert = BertModel::new(config, true, &weights.under("bert"))?;
        let classifier = classifier(config, weights)?;
        Ok(Self { config: config.clone(), bert, classifier })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "ForSequenceClassification", Self::new)
    }

    /// With `labels`, the loss is computed too.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let outputs = within("bert", || self.bert.forward(inputs))?;
        let logits = note("classifier", self.classifier.forward(outputs.pooler_output()?)?);
        let loss =
            labels.map(|labels| sequence_loss(&logits, labels, &self.config)).transpose()?;
        Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
    }
}

/// Scores over the labels for each token.
#[derive(Debug, Clone)]
pub struct BertForTokenClassification {
    pub bert: BertModel,
    pub classifier: Linear,
}

impl BertForTokenClassification {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let bert = BertModel::new(config, false, &weights.under("bert"))?;
        let classifier = classifier(config, weights)?;
        Ok(Self { bert, classifier })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "ForTokenClassification", Self::new)
    }

    /// With `labels`, the loss is computed too.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let outputs = within("bert", || self.bert.forward(inputs))?;
        let logits = note("classifier", self.classifier.forward(&outputs.last_hidden_state)?);
        let loss = labels.map(|labels| cross_entropy(&logits, labels, IGNORED)).transpose()?;
        Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
    }
}

/// [`BertForMaskedLM`] under RoBERTa's keys.
#[derive(Debug, Clone)]
pub struct XLMRobertaForMaskedLM {
    pub roberta: BertModel,
    pub lm_head: XLMRobertaLMHead,
}

impl XLMRobertaForMaskedLM {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let roberta = BertModel::new(config, false, &weights.under("roberta"))?;
        let lm_head = XLMRobertaLMHead::new(config, &roberta, &weights.under("lm_head"))?;
        Ok(Self { roberta, lm_head })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "ForMaskedLM", Self::new)
    }

    /// With `labels`, the loss is computed too.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let outputs = within("roberta", || self.roberta.forward(inputs))?;
        let logits = self.lm_head.forward(&outputs.last_hidden_state)?;
        let loss = labels.map(|labels| cross_entropy(&logits, labels, IGNORED)).transpose()?;
        Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
    }
}

/// Scores over the labels for each text, from its first token; there is no pooler.
#[derive(Debug, Clone)]
pub struct XLMRobertaForSequenceClassification {
    pub config: BertConfig,
    pub roberta: BertModel,
    pub classifier: XLMRobertaClassificationHead,
}

impl XLMRobertaForSequenceClassification {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let roberta = BertModel::new(config, false, &weights.under("roberta"))?;
        let classifier =
            XLMRobertaClassificationHead::new(config, &weights.under("classifier"))?;
        Ok(Self { config: config.clone(), roberta, classifier })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "ForSequenceClassification", Self::new)
    }

    /// With `labels`, the loss is computed too.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let outputs = within("roberta", || self.roberta.forward(inputs))?;
        let logits = self
            .classifier
            .forward(&first_tokens(&outputs.last_hidden_state, inputs.cu_seqlens)?)?;
        let loss =
            labels.map(|labels| sequence_loss(&logits, labels, &self.config)).transpose()?;
        Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
    }
}

/// [`BertForTokenClassification`] under RoBERTa's keys.
#[derive(Debug, Clone)]
pub struct XLMRobertaForTokenClassification {
    pub roberta: BertModel,
    pub classifier: Linear,
}

impl XLMRobertaForTokenClassification {
    pub fn new(config: &BertConfig, weights: &Weights) -> Result<Self> {
        let roberta = BertModel::new(config, false, &weights.under("roberta"))?;
        let classifier = classifier(config, weights)?;
        Ok(Self { roberta, classifier })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "ForTokenClassification", Self::new)
    }

    /// With `labels`, the loss is computed too.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let outputs = within("roberta", || self.roberta.forward(inputs))?;
        let logits = note("classifier", self.classifier.forward(&outputs.last_hidden_state)?);
        let loss = labels.map(|labels| cross_entropy(&logits, labels, IGNORED)).transpose()?;
        Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
    }
}

/// A projection to the labels.
fn classifier(config: &BertConfig, weights: &Weights) -> Result<Linear> {
    Linear::new(config.hidden_size, config.num_labels(), true, &weights.under("classifier"))
}

fn sequence_loss(logits: &Tensor, labels: &Tensor, config: &BertConfig) -> Result<Tensor> {
    classification_loss(logits, labels, config.problem_type.as_deref(), config.num_labels())
}
