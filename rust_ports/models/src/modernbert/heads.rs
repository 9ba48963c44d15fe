//! ModernBERT's heads: masked language model, text and token classification, multiple choice.

use candle_core::Tensor;
use encoders_kernels::input_error;

use super::{ModernBertConfig, ModernBertModel, norm};
use crate::attention::{first_tokens, pad_packed};
use crate::error::Result;
use crate::family::Build;
use crate::heads::{
    Encoder, EncoderOutput, Head, HeadOutput, by_question, chosen, classifier, scored,
    text_loss, tie_decoder,
};
use crate::inputs::{Batch, Inputs};
use crate::layers::{Activation, LayerNorm, Linear, activation, dropout};
use crate::pooling::{cls_pooling, mean_pooling};
use crate::trace::note;
use crate::weights::{Path, Weights};

/// What ModernBERT puts in front of every decoder and classifier: dense, activation, norm.
#[derive(Debug, Clone)]
pub struct ModernBertPredictionHead {
    /// hidden to hidden.
    pub dense: Linear,
    /// What follows the activation.
    pub norm: LayerNorm,
    /// What follows `dense`.
    pub activation: Activation,
    path: Path,
}

impl ModernBertPredictionHead {
    /// Takes `dense` and `norm`.
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        let (size, bias) = (config.hidden_size, config.classifier_bias);
        Ok(Self {
            dense: Linear::new(size, size, bias, &weights.under("dense"))?,
            norm: norm(config, &weights.under("norm"))?,
            activation: activation(&config.classifier_activation)?,
            path: weights.path(),
        })
    }

    /// `hidden` is `[..., hidden]`, and so is the result.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let activated = (self.activation)(&self.dense.forward(hidden)?)?;
        let normed = self.norm.forward(&activated)?;
        Ok(note(&self.path, normed))
    }
}

/// One vector a text, as classifier_pooling says: that at index 0, be it a pad, or the mean of
/// real tokens.
///
/// `hidden` is `[batch, tokens, hidden]` or packed `[tokens, hidden]`, the result `[batch,
/// hidden]`.
fn pool(config: &ModernBertConfig, hidden: &Tensor, inputs: &Batch) -> Result<Tensor> {
    if config.classifier_pooling == "cls" {
        return first_tokens(hidden, inputs.lengths);
    }
    match (inputs.lengths, &inputs.attention_mask) {
        (Some(lengths), _) => {
            let (hidden, mask) = pad_packed(hidden, lengths)?;
            mean_pooling(&hidden, &mask)
        }
        (None, Some(mask)) => mean_pooling(hidden, mask),
        (None, None) => mean_pooling(hidden, &inputs.input_ids.ones_like()?),
    }
}

/// Scores over the vocabulary at every position.
#[derive(Debug, Clone)]
pub struct ModernBertForMaskedLM {
    /// The encoder.
    pub model: ModernBertModel,
    /// What comes before the decoder.
    pub head: ModernBertPredictionHead,
    /// hidden to the vocabulary.
    pub decoder: Linear,
}

impl Build for ModernBertForMaskedLM {
    type Config = ModernBertConfig;
    const SUFFIX: &str = "ForMaskedLM";
    const HEAD: &[&str] = &["head.", "decoder."];
    const TIES: &[(&str, &str)] =
        &[("decoder.weight", "model.embeddings.tok_embeddings.weight")];

    fn build(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        let model = ModernBertModel::new(config, &weights.under("model"))?;
        let head = ModernBertPredictionHead::new(config, &weights.under("head"))?;
        let (words, weights) = (&model.embeddings.tok_embeddings, weights.under("decoder"));
        let bias = config.decoder_bias.then(|| weights.get("bias", &[config.vocab_size]));
        let decoder = tie_decoder(config, words, bias.transpose()?.as_ref(), &weights)?;
        Ok(Self { model, head, decoder })
    }
}

impl Head for ModernBertForMaskedLM {
    fn encoder(&self) -> &dyn Encoder {
        &self.model
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        self.decoder.forward(&self.head.forward(&outputs.last_hidden_state)?)
    }

    /// With `labels`, the loss is computed too. Where the config wants sparse_prediction, only
    /// the labelled positions are scored then: logits are `[masked, vocab]`.
    fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let config = &self.model.config;
        let inputs = inputs.check(&self.model.limits())?;
        let Some(labels) = labels.filter(|_| config.sparse_prediction) else {
            return scored(self, &inputs, labels);
        };
        let mut outputs = self.model.encode(&inputs)?;
        let hidden = &outputs.last_hidden_state;
        let (hidden, labels) = labelled(hidden, labels, config.sparse_pred_ignore_index)?;
        outputs.last_hidden_state = hidden;
        let logits = self.score(&outputs, &inputs)?;
        let loss = Some(self.loss(&logits, &labels)?);
        Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
    }
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
    /// The encoder.
    pub model: ModernBertModel,
    /// What comes before the classifier.
    pub head: ModernBertPredictionHead,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for ModernBertForSequenceClassification {
    type Config = ModernBertConfig;
    const SUFFIX: &str = "ForSequenceClassification";

    fn build(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            model: ModernBertModel::new(config, &weights.under("model"))?,
            head: ModernBertPredictionHead::new(config, &weights.under("head"))?,
            classifier: classifier(config, weights)?,
        })
    }
}

impl Head for ModernBertForSequenceClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.model
    }

    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        let pooled = pool(&self.model.config, &outputs.last_hidden_state, inputs)?;
        let rate = self.model.config.classifier_dropout;
        self.classifier.forward(&dropout(&self.head.forward(&pooled)?, rate)?)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        text_loss(&self.model.config, logits, labels)
    }
}

/// Scores over the labels for each token.
#[derive(Debug, Clone)]
pub struct ModernBertForTokenClassification {
    /// The encoder.
    pub model: ModernBertModel,
    /// What comes before the classifier.
    pub head: ModernBertPredictionHead,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl Build for ModernBertForTokenClassification {
    type Config = ModernBertConfig;
    const SUFFIX: &str = "ForTokenClassification";

    fn build(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        Ok(Self {
            model: ModernBertModel::new(config, &weights.under("model"))?,
            head: ModernBertPredictionHead::new(config, &weights.under("head"))?,
            classifier: classifier(config, weights)?,
        })
    }
}

impl Head for ModernBertForTokenClassification {
    fn encoder(&self) -> &dyn Encoder {
        &self.model
    }

    fn score(&self, outputs: &EncoderOutput, _: &Batch) -> Result<Tensor> {
        let rate = self.model.config.classifier_dropout;
        let hidden = self.head.forward(&outputs.last_hidden_state)?;
        self.classifier.forward(&dropout(&hidden, rate)?)
    }
}

/// One score for each of several texts that answer one question.
#[derive(Debug, Clone)]
pub struct ModernBertForMultipleChoice {
    /// The encoder.
    pub model: ModernBertModel,
    /// What comes before the classifier.
    pub head: ModernBertPredictionHead,
    /// hidden to one score.
    pub classifier: Linear,
}

impl Build for ModernBertForMultipleChoice {
    type Config = ModernBertConfig;
    const SUFFIX: &str = "ForMultipleChoice";

    fn build(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            model: ModernBertModel::new(config, &weights.under("model"))?,
            head: ModernBertPredictionHead::new(config, &weights.under("head"))?,
            classifier: Linear::new(size, 1, true, &weights.under("classifier"))?,
        })
    }
}

impl Head for ModernBertForMultipleChoice {
    fn encoder(&self) -> &dyn Encoder {
        &self.model
    }

    /// Where the first vector stands for a text, it is the first real token's here, as
    /// Transformers has it in this head and in no other.
    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        let (config, hidden) = (&self.model.config, &outputs.last_hidden_state);
        let pooled = match &inputs.attention_mask {
            Some(mask) if config.classifier_pooling == "cls" => cls_pooling(hidden, mask)?,
            _ => pool(config, hidden, inputs)?,
        };
        let pooled = dropout(&self.head.forward(&pooled)?, config.classifier_dropout)?;
        by_question(&self.classifier.forward(&pooled)?, inputs)
    }

    /// As [`chosen`] has it.
    fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        chosen(self, inputs, labels)
    }
}
