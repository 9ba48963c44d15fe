//! Any of the architectures behind one type.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use encoders_kernels::input_error;

use crate::error::Result;
use crate::heads::{Encoder, EncoderOutput, Head, HeadOutput};
use crate::inputs::Inputs;
use crate::losses::mean_squared_error;

/// One network of any architecture.
#[derive(Debug, Clone)]
pub enum Network {
    /// An encoder by itself.
    Base(Arc<dyn Encoder>),
    /// An encoder with a head.
    Headed(Arc<dyn Head>),
}

/// What a network returns: the keys that apply to it.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// `[batch, tokens, hidden]` or packed `[tokens, hidden]`; of a base model only.
    pub last_hidden_state: Option<Tensor>,
    /// `[batch, hidden]`, of a base model with a pooler only.
    pub pooler_output: Option<Tensor>,
    /// As [`HeadOutput`] has them.
    pub logits: Option<Tensor>,
    /// A scalar, where there were labels.
    pub loss: Option<Tensor>,
    /// As [`EncoderOutput`] has them.
    pub hidden_states: Option<Vec<Tensor>>,
}

impl From<HeadOutput> for Output {
    fn from(output: HeadOutput) -> Self {
        let HeadOutput { logits, loss, hidden_states } = output;
        Self { logits: Some(logits), loss, hidden_states, ..Self::default() }
    }
}

impl From<EncoderOutput> for Output {
    fn from(output: EncoderOutput) -> Self {
        Self {
            last_hidden_state: Some(output.last_hidden_state),
            pooler_output: output.pooler_output,
            hidden_states: output.hidden_states,
            ..Self::default()
        }
    }
}

impl Network {
    /// The encoder, with or without a head on it.
    pub fn encoder(&self) -> &dyn Encoder {
        match self {
            Self::Base(encoder) => &**encoder,
            Self::Headed(head) => head.encoder(),
        }
    }

    /// What the encoder gives without the head on it: `[batch, tokens, hidden]` or packed
    /// `[tokens, hidden]`.
    pub fn last_hidden_state(&self, inputs: &Inputs) -> Result<Tensor> {
        Ok(self.encoder().forward(inputs)?.last_hidden_state)
    }

    /// With `labels`, the loss is computed too; that of a base model is the mean squared error
    /// of the real tokens' last hidden states against labels `[batch, tokens, hidden]`.
    pub fn forward(&self, inputs: &Inputs, labels: Option<&Tensor>) -> Result<Output> {
        let encoder = match self {
            Self::Headed(head) => return Ok(head.forward(inputs, labels)?.into()),
            Self::Base(encoder) => encoder,
        };
        let output = encoder.forward(inputs)?;
        let (hidden, mask) = (&output.last_hidden_state, inputs.attention_mask);
        let loss = labels.map(|labels| real_token_loss(hidden, labels, mask)).transpose()?;
        Ok(Output { loss, ..output.into() })
    }
}

fn real_token_loss(
    hidden: &Tensor,
    labels: &Tensor,
    attention_mask: Option<&Tensor>,
) -> Result<Tensor> {
    if labels.dims() != hidden.dims() {
        return Err(input_error!(
            "labels has shape {:?}; a base model wants {:?}",
            labels.dims(),
            hidden.dims()
        ));
    }
    let labels = labels.to_dtype(hidden.dtype())?;
    let Some(mask) = attention_mask else {
        return mean_squared_error(hidden, &labels);
    };
    let mask = mask.to_dtype(DType::I64)?.flatten_all()?.to_vec1::<i64>()?;
    let real: Vec<i64> =
        (0..mask.len() as i64).filter(|row| mask[*row as usize] != 0).collect();
    let real = Tensor::new(real, hidden.device())?;
    let rows = |x: &Tensor| x.flatten(0, 1)?.index_select(&real, 0);
    mean_squared_error(&rows(hidden)?, &rows(&labels)?)
}
