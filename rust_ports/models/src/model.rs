//! A network with its parameters by key: what a checkpoint is turned into, and what computes
//! gradients.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor, Var};
use encoders_kernels::{Lengths, input_error};

use crate::error::Result;
use crate::family::{Architecture, Build, Config};
use crate::heads::IGNORED;
use crate::inputs::Inputs;
use crate::losses::cross_entropy;
pub use crate::network::{Network, Output};
use crate::pooling::{Pooling, normalize, pool_packed};
use crate::trace;
use crate::weights::{Tensors, Weights};

impl Network {
    /// Builds the architecture that Transformers calls `architecture`.
    pub fn new(architecture: &str, config: &Config, weights: &Weights) -> Result<Self> {
        (config.architecture(architecture)?.build)(config, weights)
    }
}

/// How the tokens of a text become its vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// One after another, side by side.
    pub pooling: Vec<Pooling>,
    /// Whether the vector is scaled to length one.
    pub normalize: bool,
    /// So many tokens at the beginning of a text, a prompt's, are not pooled.
    pub skip: usize,
}

/// What a checkpoint can be turned into, once its files are read.
pub trait Load: Sized {
    /// What is wanted of a checkpoint with that configuration and those tensors.
    fn architecture(config: &Config, tensors: &Tensors) -> Result<&'static Architecture>;

    /// Built from exactly the tensors of that architecture.
    fn from_tensors(
        config: &Config,
        architecture: &Architecture,
        tensors: Tensors,
    ) -> Result<Self>;
}

/// Each architecture loads as itself, in float32.
impl<N: Build> Load for N {
    fn architecture(config: &Config, _: &Tensors) -> Result<&'static Architecture> {
        config.get::<N::Config>()?;
        config.architecture(&config.class(N::SUFFIX))
    }

    fn from_tensors(config: &Config, _: &Architecture, tensors: Tensors) -> Result<Self> {
        let tensors = in_single_precision(tensors)?;
        Weights::build(&tensors, |weights| N::build(config.get()?, weights))
    }
}

/// The tensors in float32.
pub fn in_single_precision(tensors: Tensors) -> Result<Tensors> {
    let single = |(key, tensor): (String, Tensor)| Ok((key, tensor.to_dtype(DType::F32)?));
    tensors.into_iter().map(single).collect()
}

/// The architecture that the configuration names, in the precision of the tensors; the encoder
/// by itself where the checkpoint lacks the head that [`Build::HEAD`] speaks of.
impl Load for Model {
    fn architecture(config: &Config, tensors: &Tensors) -> Result<&'static Architecture> {
        let named = config.architecture(&config.named_architecture())?;
        let of_head = |key: &String| named.head.iter().any(|prefix| key.starts_with(prefix));
        match named.head.is_empty() || tensors.keys().any(of_head) {
            true => Ok(named),
            false => config.architecture(&config.class("Model")),
        }
    }

    fn from_tensors(
        config: &Config,
        architecture: &Architecture,
        tensors: Tensors,
    ) -> Result<Self> {
        Self::new(&config.class(architecture.suffix), config.clone(), tensors)
    }
}

/// A network and its parameters by key: the same numbers, once as variables and once as
/// constants.
#[derive(Debug, Clone)]
pub struct Model {
    architecture: String,
    config: Config,
    parameters: BTreeMap<String, Var>,
    int8: bool,
    /// Shares the variables' memory but records no operations, so that the kernels apply. Where
    /// projections were laid side by side, they are copies: [`Model::update`] builds it anew.
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
        let network = constant_network(architecture, &config, &parameters, false)?;
        let architecture = architecture.to_string();
        Ok(Self { architecture, config, parameters, int8: false, network })
    }

    /// The same model, whose dense layers multiply in eight bits: their weights, and what they
    /// are given, rounded in groups of [`GROUP`](encoders_kernels::GROUP). Its parameters must
    /// be in float32 and stay so.
    pub fn in_int8(self) -> Result<Self> {
        if let Some((key, odd)) = self.parameters.iter().find(|(_, x)| x.dtype() != DType::F32)
        {
            let dtype = odd.dtype().as_str();
            return Err(input_error!("int8 rounds float32, and {key} is in {dtype}"));
        }
        let network =
            constant_network(&self.architecture, &self.config, &self.parameters, true)?;
        Ok(Self { int8: true, network, ..self })
    }

    /// Puts other numbers, of the same shapes, in the place of these parameters.
    pub fn update(&mut self, tensors: Tensors) -> Result<()> {
        for (key, tensor) in tensors {
            let Some(variable) = self.parameters.get(&key) else {
                return Err(input_error!("the model has no parameter {key}"));
            };
            variable.set(&tensor)?;
        }
        self.network =
            constant_network(&self.architecture, &self.config, &self.parameters, self.int8)?;
        Ok(())
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
        let (loss, mut reached) = self.reached_gradients(inputs, labels, None)?;
        let gradients = self.parameters.iter().map(|(key, variable)| {
            let gradient = reached.remove(key).map_or_else(|| variable.zeros_like(), Ok)?;
            Ok((key.clone(), gradient))
        });
        Ok((loss, gradients.collect::<candle_core::Result<_>>()?))
    }

    /// The loss against `labels`, and its gradient for every parameter that it reaches. With
    /// `class_weights`, it is the cross entropy in which classes weigh so much.
    pub(crate) fn reached_gradients(
        &self,
        inputs: &Inputs,
        labels: &Tensor,
        class_weights: Option<&Tensor>,
    ) -> Result<(f64, Tensors)> {
        self.backward(|network| {
            if let Some(weights) = class_weights {
                let logits = network.forward(inputs, None)?.logits;
                let missing = || input_error!("a model without a head has no classes");
                return cross_entropy(
                    &logits.ok_or_else(missing)?,
                    labels,
                    IGNORED,
                    Some(weights),
                );
            }
            let output = network.forward(inputs, Some(labels))?;
            output.loss.ok_or_else(|| input_error!("labels are needed for a loss"))
        })
    }

    /// One vector a packed text, as `way` says: `[texts, size]`.
    pub fn vectors(&self, inputs: &Inputs, way: &Way) -> Result<Tensor> {
        pooled(&self.network, inputs, way)
    }

    /// The gradient of sum(vectors * gradient), for every parameter that it reaches; `gradient`
    /// has the shape of the vectors.
    pub(crate) fn follow(
        &self,
        inputs: &Inputs,
        way: &Way,
        gradient: &Tensor,
    ) -> Result<Tensors> {
        let (_, gradients) = self.backward(|network| {
            let vectors = pooled(network, inputs, way)?;
            if vectors.dims() != gradient.dims() {
                return Err(input_error!(
                    "the gradient has shape {:?} and the vectors {:?}; they must be equal",
                    gradient.dims(),
                    vectors.dims()
                ));
            }
            Ok((&vectors * gradient.to_dtype(vectors.dtype())?)?.sum_all()?)
        })?;
        Ok(gradients)
    }

    /// What `loss` makes of the network as variables, and the gradient of that for every
    /// parameter that it reaches.
    fn backward(
        &self,
        loss: impl FnOnce(&Network) -> Result<Tensor>,
    ) -> Result<(f64, Tensors)> {
        if self.int8 {
            return Err(input_error!(
                "a model in int8 has no gradients: what is rounded does not move with its \
                 weights; build it in float32"
            ));
        }
        let variables = self
            .parameters
            .iter()
            .map(|(key, var)| (key.clone(), var.as_tensor().clone()))
            .collect();
        let network = Weights::build(&variables, |weights| {
            Network::new(&self.architecture, &self.config, weights)
        })?;
        let loss = loss(&network)?;
        let mut store = loss.backward()?;
        let gradients = variables
            .iter()
            .filter_map(|(key, variable)| Some((key.clone(), store.remove(variable)?.detach())))
            .collect();
        Ok((loss.to_dtype(DType::F64)?.to_scalar()?, gradients))
    }

    /// What each operation gave, by module path, in order of evaluation.
    pub fn trace(&self, inputs: &Inputs) -> Result<Vec<(String, Tensor)>> {
        trace::record(|| self.network.forward(inputs, None))
    }

    /// What the network gives; meanwhile `look` sees what each operation gave, by module path,
    /// as soon as it has. The kernels that join several operations rest for that long.
    pub fn watch(
        &self,
        inputs: &Inputs,
        look: impl FnMut(&str, &Tensor) + 'static,
    ) -> Result<Output> {
        trace::watch(look, || self.network.forward(inputs, None))
    }
}

fn pooled(network: &Network, inputs: &Inputs, way: &Way) -> Result<Tensor> {
    let hidden = network.last_hidden_state(inputs)?;
    let lengths = Lengths::new(inputs.cu_seqlens.unwrap_or_default(), hidden.dim(0)?)?;
    let vectors = pool_packed(&hidden, lengths, &way.pooling, way.skip)?;
    if way.normalize { normalize(&vectors, 1e-12) } else { Ok(vectors) }
}

/// The network of constants that share the variables' memory.
fn constant_network(
    architecture: &str,
    config: &Config,
    parameters: &BTreeMap<String, Var>,
    int8: bool,
) -> Result<Network> {
    let constants =
        parameters.iter().map(|(key, var)| (key.clone(), var.as_detached_tensor())).collect();
    let build = |weights: &Weights| Network::new(architecture, config, weights);
    Weights::build_for(int8, &constants, build)
}
