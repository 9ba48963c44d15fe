//! What the heads share: how one is put on an encoder, what both return, the tied decoder.

use std::fmt::Debug;

use candle_core::Tensor;
use encoders_kernels::config_error;

use crate::config::{EncoderConfig, Limits};
use crate::error::Result;
use crate::inputs::{Batch, Inputs};
use crate::layers::{Embedding, Linear};
use crate::losses::{classification_loss, cross_entropy};
use crate::pooling::cosine_similarity;
use crate::weights::Weights;

/// The label that a loss leaves out, as in PyTorch.
pub(crate) const IGNORED: i64 = -100;

/// What an encoder returns.
#[derive(Debug, Clone)]
pub struct EncoderOutput {
    /// `[batch, tokens, hidden]`, or `[tokens, hidden]` for a packed batch.
    pub last_hidden_state: Tensor,
    /// `[batch, hidden]`, where the encoder has a pooler.
    pub pooler_output: Option<Tensor>,
    /// What the embeddings gave and then what each layer gave, in the shape of
    /// `last_hidden_state`.
    pub hidden_states: Option<Vec<Tensor>>,
}

impl EncoderOutput {
    /// Of the hidden states, from which the last is taken.
    pub fn of(
        states: Vec<Tensor>,
        pooler_output: Option<Tensor>,
        inputs: &Batch,
    ) -> Result<Self> {
        let last = states.last().ok_or_else(|| config_error!("there is no layer"))?;
        Ok(Self {
            last_hidden_state: last.clone(),
            pooler_output,
            hidden_states: inputs.output_hidden_states.then_some(states),
        })
    }

    /// The pooler's vector, for a head that is built on a model with a pooler.
    pub fn pooler_output(&self) -> Result<&Tensor> {
        let missing = || config_error!("this model was built without a pooler");
        self.pooler_output.as_ref().ok_or_else(missing)
    }
}

/// With the vectors of these tokens of a packed row only.
pub fn at_places(outputs: EncoderOutput, places: Option<&Tensor>) -> Result<EncoderOutput> {
    let Some(places) = places else { return Ok(outputs) };
    let last_hidden_state = outputs.last_hidden_state.index_select(places, 0)?;
    Ok(EncoderOutput { last_hidden_state, ..outputs })
}

/// What a head returns: raw scores, never a softmax; the loss where labels were given.
#[derive(Debug, Clone)]
pub struct HeadOutput {
    /// `[batch, labels]` (of several choices `[batch, choices]`), or `[batch, tokens, labels]`;
    /// the latter without the batch axis for a packed batch.
    pub logits: Tensor,
    /// A scalar.
    pub loss: Option<Tensor>,
    /// As [`EncoderOutput`] has them.
    pub hidden_states: Option<Vec<Tensor>>,
}

/// Ids in, one vector a token out: what heads are put on.
pub trait Encoder: Debug + Send + Sync {
    /// What its inputs must keep to.
    fn limits(&self) -> Limits;

    /// A vector for every token of a batch that was found sound.
    fn encode(&self, inputs: &Batch) -> Result<EncoderOutput>;

    /// A vector for every token of `inputs`, padded or packed.
    fn forward(&self, inputs: &Inputs) -> Result<EncoderOutput> {
        let inputs = inputs.check(&self.limits())?;
        inputs.check_candidates(None)?;
        self.encode(&inputs)
    }

    /// What texts are compared by in training: the cosine of every one of `vectors` `[texts,
    /// hidden]` with every one of `references` `[references, hidden]`, which is `[texts,
    /// references]`; an encoder that learns a temperature divides by it.
    fn similarity(&self, vectors: &Tensor, references: &Tensor) -> Result<Tensor> {
        cosine_similarity(vectors, references)
    }
}

/// An encoder with something on top. A head says which encoder it is put on, how it scores and
/// how it is trained.
pub trait Head: Debug + Send + Sync {
    /// The encoder under the head.
    fn encoder(&self) -> &dyn Encoder;

    /// How many answers there are, where [`Inputs::candidates`] may name a few of them to be
    /// scored; None: those of this head are always all scored.
    fn outputs(&self) -> Option<usize> {
        None
    }

    /// The logits, from what the encoder gave.
    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor>;

    /// The loss of `logits` against `labels`: a scalar.
    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        cross_entropy(logits, labels, IGNORED, None)
    }

    /// With `labels`, the loss is computed too.
    fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<HeadOutput> {
        let inputs = inputs.check(&self.encoder().limits())?;
        scored(self, &inputs, labels)
    }
}

/// What a head makes of a batch that was found sound.
pub fn scored<H: Head + ?Sized>(
    head: &H,
    inputs: &Batch,
    labels: Option<&Tensor>,
) -> Result<HeadOutput> {
    inputs.check_candidates(head.outputs())?;
    let outputs = at_places(head.encoder().encode(inputs)?, inputs.places)?;
    let logits = head.score(&outputs, inputs)?;
    let loss = labels.map(|labels| head.loss(&logits, labels)).transpose()?;
    Ok(HeadOutput { logits, loss, hidden_states: outputs.hidden_states })
}

/// What a head that chooses among texts makes of `inputs`. Padded: ids and mask `[batch,
/// choices, tokens]`. Packed: the texts of the row are the choices of one question. Logits are
/// `[batch, choices]`; a label is the number of the right choice, and with labels `[batch]` the
/// loss is computed too.
pub fn chosen<H: Head + ?Sized>(
    head: &H,
    inputs: &Inputs,
    labels: Option<&Tensor>,
) -> Result<HeadOutput> {
    scored(head, &inputs.check_choices(&head.encoder().limits())?, labels)
}

/// The scores of all texts, `[texts, 1]`, as `[batch, choices]`.
pub fn by_question(scores: &Tensor, inputs: &Batch) -> Result<Tensor> {
    Ok(scores.reshape(((), inputs.choices.unwrap_or(1)))?)
}

/// The loss of a head that classifies whole texts, for which there are several.
pub fn text_loss(config: &EncoderConfig, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    classification_loss(logits, labels, config.problem_type.as_deref(), config.num_labels())
}

/// A projection to the labels.
pub fn classifier(config: &EncoderConfig, weights: &Weights) -> Result<Linear> {
    let weights = weights.under("classifier");
    Linear::new(config.hidden_size, config.num_labels(), true, &weights)
}

/// Scores words with the very vectors that embed them (Press & Wolf 2017), unless the config
/// unties them; then both weight and bias are the decoder's own. Tied, it has the `bias` that
/// it is given.
pub fn tie_decoder(
    config: &EncoderConfig,
    words: &Embedding,
    bias: Option<&Tensor>,
    weights: &Weights,
) -> Result<Linear> {
    if !config.tie_word_embeddings {
        let size = words.weight.dim(1)?;
        return Linear::new(size, config.vocab_size, bias.is_some(), weights);
    }
    let decoder = Linear::of(words.weight.clone(), bias.cloned(), weights.path());
    Ok(decoder.laid_out(weights.layout()))
}
