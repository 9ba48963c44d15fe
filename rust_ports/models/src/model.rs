//! Any of the architectures behind one type, with its parameters by key: what a caller needs
//! who learns the architecture at run time, and what computes gradients.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Tensor, Var};
use encoders_kernels::input_error;

use crate::config::Config;
use crate::error::Result;
use crate::families::{Architecture, Build};
use crate::heads::{Encoder, EncoderOutput, Head, HeadOutput};
use crate::inputs::Inputs;
use crate::losses::mean_squared_error;
use crate::trace;
use crate::weights::{Tensors, Weights};

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
    /// Builds the architecture that Transformers calls `architecture`.
    pub fn new(architecture: &str, config: &Config, weights: &Weights) -> Result<Self> {
        (config.architecture(architecture)?.build)(config, weights)
    }

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
    let mask = mask.flatten_all()?.to_vec1::<i64>()?;
    let real: Vec<i64> =
        (0..mask.len() as i64).filter(|row| mask[*row as usize] != 0).collect();
    let real = Tensor::new(real, hidden.device())?;
    let rows = |x: &Tensor| x.flatten(0, 1)?.index_select(&real, 0);
    mean_squared_error(&rows(hidden)?, &rows(&labels)?)
}

/// What a checkpoint can be turned into, once its files are read.
pub trait Load: Sized {
    /// What is wanted of a checkpoint with that configuration.
    fn architecture(config: &Config) -> Result<&'static Architecture>;

    /// Built from exactly the tensors of that architecture.
    fn from_tensors(config: &Config, tensors: Tensors) -> Result<Self>;
}

/// Each architecture loads as itself, in float32.
impl<N: Build> Load for N {
    fn architecture(config: &Config) -> Result<&'static Architecture> {
        config.get::<N::Config>()?;
        config.architecture(&config.class(N::SUFFIX))
    }

    fn from_tensors(config: &Config, tensors: Tensors) -> Result<Self> {
        let tensors = in_single_precision(tensors)?;
        Weights::build(&tensors, |weights| N::build(config.get()?, weights))
    }
}

/// The tensors in float32.
pub fn in_single_precision(tensors: Tensors) -> Result<Tensors> {
    let single = |(key, tensor): (String, Tensor)| Ok((key, tensor.to_dtype(DType::F32)?));
    tensors.into_iter().map(single).collect()
}

/// The architecture that the configuration names, in the precision of the tensors.
impl Load for Model {
    fn architecture(config: &Config) -> Result<&'static Architecture> {
        config.architecture(&config.named_architecture())
    }

    fn from_tensors(config: &Config, tensors: Tensors) -> Result<Self> {
        Self::new(&config.named_architecture(), config.clone(), tensors)
    }
}

/// A network and its parameters by key: the same numbers, once as variables and once as
/// constants.
#[derive(Debug, Clone)]
pub struct Model {
    architecture: String,
    config: Config,
    parameters: BTreeMap<String, Var>,
    /// Shares the variables' memory but records no operations, so that the kernels apply. Where
    /// projections were laid side by side, they are copies: whoever changes the variables
    /// builds the network anew.
    pub network: Network,
}

impl Model {
    /// Builds `architecture` from exactly the tensors that it is made of.
    pub fn new(
        architecture: &str,
        config: impl Into<Config>,
        tensors: Tensors,
    ) -> Result<Self> {
        let config = config.into();
        let parameters: BTreeMap<String, Var> = tensors
            .into_iter()
            .map(|(key, tensor)| Ok((key, Var::from_tensor(&tensor)?)))
            .collect::<candle_core::Result<_>>()?;
        let constants = parameters
            .iter()
            .map(|(key, var)| (key.clone(), var.as_detached_tensor()))
            .collect();
        let network =
            Weights::build(&constants, |weights| Network::new(architecture, &config, weights))?;
        Ok(Self { architecture: architecture.to_string(), config, parameters, network })
    }

    /// The configuration that it was built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The parameters as they are now.
    pub fn state(&self) -> impl Iterator<Item = (&String, Tensor)> {
        self.parameters.iter().map(|(key, var)| (key, var.as_detached_tensor()))
    }

    /// The loss against `labels`, and its gradient for every parameter; zeros where the loss
    /// does not reach.
    pub fn gradients(&self, inputs: &Inputs, labels: &Tensor) -> Result<(f64, Tensors)> {
        let variables = self
            .parameters
            .iter()
            .map(|(key, var)| (key.clone(), var.as_tensor().clone()))
            .collect();
        let network = Weights::build(&variables, |weights| {
            Network::new(&self.architecture, &self.config, weights)
        })?;
        let output = network.forward(inputs, Some(labels))?;
        let loss = output.loss.ok_or_else(|| input_error!("labels are needed for a loss"))?;
        let mut store = loss.backward()?;
        let gradients = variables.iter().map(|(key, variable)| {
            let gradient = store.remove(variable).map_or_else(|| variable.zeros_like(), Ok)?;
            Ok((key.clone(), gradient.detach()))
        });
        let gradients = gradients.collect::<candle_core::Result<_>>()?;
        Ok((loss.to_dtype(DType::F64)?.to_scalar()?, gradients))
    }

    /// What each operation gave, by module path, in order of evaluation.
    pub fn trace(&self, inputs: &Inputs) -> Result<Vec<(String, Tensor)>> {
        trace::record(|| self.network.forward(inputs, None))
    }
}
