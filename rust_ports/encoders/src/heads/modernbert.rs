//! ModernBERT's heads; they are reached as `heads::ModernBertFor...`.

use candle_core::{Device, Tensor};

use super::{HeadOutput, IGNORED};
use crate::attention::pad_packed;
use crate::bert::first_tokens;
use crate::config::ModernBertConfig;
use crate::error::{Result, input_error};
use crate::inputs::Inputs;
use crate::layers::{Activation, LayerNorm, Linear, activation};
use crate::losses::{classification_loss, cross_entropy};
use crate::modernbert::ModernBertModel;
use crate::pooling::mean_pooling;
use crate::pretrained;
use crate::trace::{enter, note, within};
use crate::weights::Weights;

/// What ModernBERT puts in front of every decoder and classifier: dense, activation, norm.
#[derive(Debug, Clone)]
pub struct ModernBertPredictionHead {
    pub dense: Linear,
    pub norm: LayerNorm,
    pub activation: Activation,
}

impl ModernBertPredictionHead {
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            dense: Linear::new(size, size, config.classifier_bias, &weights.under("dense"))?,
            norm: LayerNorm::new(
                size,
                config.norm_eps,
                config.norm_bias,
                &weights.under("norm"),
            )?,
            activation: activation(&config.classifier_activation)?,
        })
    }

    /// `hidden` is `[..., hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let _module = enter("head");
        let dense = note("dense", self.dense.forward(hidden)?);
        Ok(note("", self.norm.forward(&(self.activation)(&dense)?)?))
    }
}

/// Scores over the vocabulary at every position.
#[derive(Debug, Clone)]
pub struct ModernBertForMaskedLM {
    pub model: ModernBertModel,
    pub head: ModernBertPredictionHead,
    pub decoder: Linear,
}

impl ModernBertForMaskedLM {
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        let model = ModernBertModel::new(config, &weights.under("model"))?;
        let decoder = tie_modernbert_decoder(&model, &weights.under("decoder"))?;
        Ok(Self {
            model,
            head: ModernBertPredictionHead::new(config, &weights.under("head"))?,
            decoder,
        })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "ForMaskedLM", Self::new)
    }

    /// With `labels`, the loss is computed too. Where the config wants sparse_prediction, only
    /// the labelled
    /// positions are scored then: logits are `[masked, vocab]`.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let outputs = within("model", || self.model.forward(inputs))?;
        let hidden = outputs.last_hidden_state;
        let (hidden, labels) = match labels {
            Some(labels) if self.model.config.sparse_prediction => {
                let ignored = self.model.config.sparse_pred_ignore_index;
                let (hidden, labels) = labelled(&hidden, labels, ignored)?;
                (hidden, Some(labels))
            }
            _ => (hidden, labels.cloned()),
        };
        let logits = note("decoder", self.decoder.forward(&self.head.forward(&hidden)?)?);
        let loss = labels.map(|labels| cross_entropy(&logits, &labels, IGNORED)).transpose()?;
        Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
    }
}

/// Scores words with the very vectors that embed them, unless the config unties them; the bias
/// is separate.
pub fn tie_modernbert_decoder(model: &ModernBertModel, weights: &Weights) -> Result<Linear> {
    let config = &model.config;
    let (size, vocabulary) = (config.hidden_size, config.vocab_size);
    if !config.tie_word_embeddings {
        return Linear::new(size, vocabulary, config.decoder_bias, weights);
    }
    let bias = config.decoder_bias.then(|| weights.get("bias", &[vocabulary]));
    Ok(Linear {
        weight: model.embeddings.tok_embeddings.weight.clone(),
        bias: bias.transpose()?,
    })
}

/// The vectors `[masked, hidden]` and the labels `[masked]` of the positions whose label is not
/// `ignored`.
fn labelled(hidden: &Tensor, labels: &Tensor, ignored: i64) -> Result<(Tensor, Tensor)> {
    let size = hidden.dims()[hidden.rank() - 1];
    if labels.dims() != &hidden.dims()[..hidden.rank() - 1] {
        return Err(input_error!(
            "labels has shape {:?}; for hidden states of shape {:?} it must lack the last axis",
            labels.dims(),
            hidden.dims()
        ));
    }
    let labels = labels.flatten_all()?;
    let places: Vec<i64> = labels
        .to_vec1::<i64>()?
        .into_iter()
        .zip(0..)
        .filter_map(|(label, place)| (label != ignored).then_some(place))
        .collect();
    let places = Tensor::new(places, hidden.device())?;
    let rows = hidden.reshape(((), size))?;
    Ok((rows.index_select(&places, 0)?, labels.index_select(&places, 0)?))
}

/// Scores over the labels for each text. The classifier has a bias always; classifier_bias is
/// the head's.
#[derive(Debug, Clone)]
pub struct ModernBertForSequenceClassification {
    pub model: ModernBertModel,
    pub head: ModernBertPredictionHead,
    pub classifier: Linear,
}

impl ModernBertForSequenceClassification {
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            model: ModernBertModel::new(config, &weights.under("model"))?,
            head: ModernBertPredictionHead::new(config, &weights.under("head"))?,
            classifier: classifier(config, weights)?,
        })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "ForSequenceClassification", Self::new)
    }

    /// With `labels`, the loss is computed too.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let outputs = within("model", || self.model.forward(inputs))?;
        let pooled = self.pool(&outputs.last_hidden_state, inputs)?;
        let pooled = self.head.forward(&pooled)?;
        let logits = note("classifier", self.classifier.forward(&pooled)?);
        let config = &self.model.config;
        let loss = |labels| {
            let problem_type = config.problem_type.as_deref();
            classification_loss(&logits, labels, problem_type, config.num_labels())
        };
        Ok(HeadOutput {
            loss: labels.map(loss).transpose()?,
            logits,
            hidden_states: outputs.hidden_states,
        })
    }

    /// One vector a text, as classifier_pooling says: that at index 0, be it a pad, or the mean
    /// of real tokens.
    ///
    /// `hidden` is `[batch, tokens, hidden]` or packed `[tokens, hidden]`, the result `[batch,
    /// hidden]`.
    pub fn pool(&self, hidden: &Tensor, inputs: &Inputs) -> Result<Tensor> {
        if self.model.config.classifier_pooling == "cls" {
            return first_tokens(hidden, inputs.cu_seqlens);
        }
        if let Some(cu_seqlens) = inputs.cu_seqlens {
            let (hidden, mask) = pad_packed(hidden, cu_seqlens)?;
            return mean_pooling(&hidden, &mask);
        }
        match inputs.attention_mask {
            Some(mask) => mean_pooling(hidden, mask),
            None => mean_pooling(hidden, &inputs.input_ids.ones_like()?),
        }
    }
}

/// Scores over the labels for each token.
#[derive(Debug, Clone)]
pub struct ModernBertForTokenClassification {
    pub model: ModernBertModel,
    pub head: ModernBertPredictionHead,
    pub classifier: Linear,
}

impl ModernBertForTokenClassification {
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            model: ModernBertModel::new(config, &weights.under("model"))?,
            head: ModernBertPredictionHead::new(config, &weights.under("head"))?,
            classifier: classifier(config, weights)?,
        })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "ForTokenClassification", Self::new)
    }

    /// With `labels`, the loss is computed too.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let outputs = within("model", || self.model.forward(inputs))?;
        let hidden = self.head.forward(&outputs.last_hidden_state)?;
        let logits = note("classifier", self.classifier.forward(&hidden)?);
        let loss = labels.map(|labels| cross_entropy(&logits, labels, IGNORED)).transpose()?;
        Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
    }
}

/// A projection to the labels.
fn classifier(config: &ModernBertConfig, weights: &Weights) -> Result<Linear> {
    Linear::new(config.hidden_size, config.num_labels(), true, &weights.under("classifier"))
}
