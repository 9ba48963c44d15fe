//! Several texts that answer one question, and a score for each.

use candle_core::{Device, Tensor};

use super::{HeadOutput, IGNORED, ModernBertPredictionHead};
use crate::attention::pad_packed;
use crate::bert::first_tokens;
use crate::config::ModernBertConfig;
use crate::error::{Result, input_error};
use crate::inputs::{Inputs, check_same_shape};
use crate::layers::Linear;
use crate::losses::cross_entropy;
use crate::modernbert::ModernBertModel;
use crate::pooling::{cls_pooling, mean_pooling};
use crate::pretrained;
use crate::trace::{note, within};
use crate::weights::Weights;

/// One score for each of several texts that answer one question.
#[derive(Debug, Clone)]
pub struct ModernBertForMultipleChoice {
    pub model: ModernBertModel,
    pub head: ModernBertPredictionHead,
    pub classifier: Linear,
}

impl ModernBertForMultipleChoice {
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            model: ModernBertModel::new(config, &weights.under("model"))?,
            head: ModernBertPredictionHead::new(config, &weights.under("head"))?,
            classifier: Linear::new(size, 1, true, &weights.under("classifier"))?,
        })
    }

    /// Loads a folder, or a hub id through the hub's cache; see [`pretrained::locate`].
    pub fn from_pretrained(model: &str, device: &Device) -> Result<Self> {
        pretrained::load(model, device, "ForMultipleChoice", Self::new)
    }

    /// Padded: ids and mask `[batch, choices, tokens]`. Packed: the texts of the row are the
    /// choices of one question. Logits are `[batch, choices]`; a label is the number of the
    /// right choice, and with labels `[batch]` the loss is computed too.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let choices = choices(inputs)?;
        let beside = [
            ("attention_mask", inputs.attention_mask),
            ("token_type_ids", inputs.token_type_ids),
        ];
        for (name, tensor) in beside {
            if let Some(tensor) = tensor {
                check_same_shape(name, tensor, inputs.input_ids)?;
            }
        }
        let texts = |tensor: &Tensor| match inputs.cu_seqlens {
            Some(_) => Ok(tensor.clone()),
            None => tensor.flatten(0, 1),
        };
        let input_ids = texts(inputs.input_ids)?;
        let attention_mask = inputs.attention_mask.map(texts).transpose()?;
        let token_type_ids = inputs.token_type_ids.map(texts).transpose()?;
        let texts = Inputs {
            input_ids: &input_ids,
            attention_mask: attention_mask.as_ref(),
            token_type_ids: token_type_ids.as_ref(),
            ..*inputs
        };

        let outputs = within("model", || self.model.forward(&texts))?;
        let pooled = self.pool(&outputs.last_hidden_state, &texts)?;
        let pooled = self.head.forward(&pooled)?;
        let scores = note("classifier", self.classifier.forward(&pooled)?);
        let logits = scores.reshape(((), choices))?;
        let loss = labels.map(|labels| cross_entropy(&logits, labels, IGNORED)).transpose()?;
        Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
    }

    /// One vector a text: its first real token, as Transformers has it in this head and in no
    /// other, or the mean of real tokens.
    ///
    /// `hidden` is `[texts, tokens, hidden]` or packed `[tokens, hidden]`, the result `[texts,
    /// hidden]`.
    pub fn pool(&self, hidden: &Tensor, inputs: &Inputs) -> Result<Tensor> {
        let cls = self.model.config.classifier_pooling == "cls";
        match (inputs.cu_seqlens, inputs.attention_mask) {
            (None, Some(mask)) if cls => cls_pooling(hidden, mask),
            (cu_seqlens, _) if cls => first_tokens(hidden, cu_seqlens),
            (Some(cu_seqlens), _) => {
                let (hidden, mask) = pad_packed(hidden, cu_seqlens)?;
                mean_pooling(&hidden, &mask)
            }
            (None, Some(mask)) => mean_pooling(hidden, mask),
            (None, None) => mean_pooling(hidden, &inputs.input_ids.ones_like()?),
        }
    }
}

/// How many texts answer a question.
fn choices(inputs: &Inputs) -> Result<usize> {
    match (inputs.input_ids.dims(), inputs.cu_seqlens) {
        (_, Some(cu_seqlens)) => Ok(cu_seqlens.len().saturating_sub(1)),
        (&[batch, choices, tokens], None) if batch * choices * tokens > 0 => Ok(choices),
        (shape, None) => Err(input_error!(
            "input_ids has shape {shape:?}; it must be [batch, choices, tokens], none of them 0"
        )),
    }
}
