//! What may follow the pooling in a sentence-transformers model: small steps from vectors to
//! vectors.

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use encoders_models::layers::{
    Activation, LayerNorm, Linear, gelu, linear, relu, sigmoid, silu, tanh,
};
use encoders_models::model::in_single_precision;
use encoders_models::pooling::normalize;
use encoders_models::weights::Weights;
use encoders_models::{Result, config_error};
use serde_json::Value;

use crate::checkpoint::read_tensors;
use crate::files::{Part, read_object, read_optional, shown};
use crate::listing::Listed;

/// A step from vectors `[texts, numbers]` to vectors.
#[derive(Debug)]
pub enum Module {
    /// A linear layer, and what belongs to it.
    Dense(Dense),
    /// PyTorch's layer norm over the numbers of each vector.
    LayerNorm(LayerNorm),
    /// Every vector scaled to length one.
    Normalize,
}

impl Module {
    /// `vectors` is `[texts, numbers]`, the result `[texts, its numbers]`.
    pub fn forward(&self, vectors: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(dense) => dense.forward(vectors),
            Self::LayerNorm(norm) => norm.forward(vectors),
            Self::Normalize => normalize(vectors, 1e-12),
        }
    }
}

/// activation(x Wᵀ + b), to which x may be added, itself or through a matrix of its own.
#[derive(Debug)]
pub struct Dense {
    /// From the numbers that come in to those that go out.
    pub linear: Linear,
    /// Tanh where the checkpoint names no other.
    pub activation: Activation,
    /// Whether x is added.
    pub use_residual: bool,
    /// What x goes through first, where fewer or more numbers go out than come in.
    pub residual: Option<Linear>,
}

impl Dense {
    /// `x` is `[texts, inputs]`, the result `[texts, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let made = (self.activation)(&self.linear.forward(x)?)?;
        match (self.use_residual, &self.residual) {
            (false, _) => Ok(made),
            (true, None) => Ok((made + x)?),
            (true, Some(residual)) => Ok((made + residual.forward(x)?)?),
        }
    }
}

/// PyTorch's classes by their names, where they are, and what they compute.
const ACTIVATIONS: [(&str, &str, Activation); 6] = [
    ("Tanh", "activation", tanh),
    ("Identity", "linear", linear),
    ("ReLU", "activation", relu),
    ("GELU", "activation", gelu),
    ("Sigmoid", "activation", sigmoid),
    ("SiLU", "activation", silu),
];

/// The epsilon of PyTorch's layer norm, which a checkpoint's LayerNorm cannot change.
const EPSILON: f64 = 1e-5;

/// What follows the Pooling, for vectors of `size` numbers; and how many come out. A Dropout
/// does nothing to a model that is not being trained, and is left out.
pub(crate) fn read_modules(
    listed: &[Listed],
    mut size: usize,
    device: &Device,
) -> Result<(Vec<Module>, usize)> {
    let mut modules = Vec::new();
    for module in listed {
        let settings = Settings { path: module.folder.join("config.json"), module };
        match module.kind.as_str() {
            "Dense" => {
                let (dense, outputs) = settings.dense(size, device)?;
                modules.push(Module::Dense(dense));
                size = outputs;
            }
            "LayerNorm" => modules.push(Module::LayerNorm(settings.layer_norm(size, device)?)),
            "Normalize" => {
                // Old releases tell it nothing.
                settings.check_keys(&read_optional(&settings.path)?, &[])?;
                modules.push(Module::Normalize);
            }
            "Dropout" => settings.check_keys(&read_object(&settings.path)?, &["dropout"])?,
            other => {
                return Err(config_error!(
                    "{}: the module {other:.80} is not implemented; supported after a Pooling: \
                     Dense, LayerNorm, Normalize, Dropout",
                    module.folder.display()
                ));
            }
        }
    }
    Ok((modules, size))
}

/// A module's config.json.
struct Settings<'a> {
    path: PathBuf,
    module: &'a Listed,
}

impl Settings<'_> {
    fn dense(&self, size: usize, device: &Device) -> Result<(Dense, usize)> {
        let values = read_object(&self.path)?;
        let known =
            ["in_features", "out_features", "bias", "activation_function", "use_residual"];
        self.check_keys(&values, &known)?;
        self.check_size(&values, "in_features", size)?;
        let named = values.get("out_features").unwrap_or(&Value::Null);
        let outputs = match named.as_u64() {
            Some(outputs) if outputs > 0 => outputs as usize,
            _ => {
                let shown = shown(named);
                return Err(self.wrong(format!(
                    "out_features is {shown}; it must be a whole number of at least 1"
                )));
            }
        };
        let (bias, use_residual) =
            (self.switch(&values, "bias", true)?, self.switch(&values, "use_residual", false)?);
        let activation = self.activation(&values)?;
        let dense = self.build(device, |weights| {
            let projected = use_residual && outputs != size;
            let residual = || Linear::new(size, outputs, false, &weights.under("residual"));
            Ok(Dense {
                linear: Linear::new(size, outputs, bias, &weights.under("linear"))?,
                activation,
                use_residual,
                residual: projected.then(residual).transpose()?,
            })
        })?;
        Ok((dense, outputs))
    }

    fn layer_norm(&self, size: usize, device: &Device) -> Result<LayerNorm> {
        let values = read_object(&self.path)?;
        self.check_keys(&values, &["dimension"])?;
        self.check_size(&values, "dimension", size)?;
        self.build(device, |weights| {
            LayerNorm::new(size, EPSILON, true, &weights.under("norm"))
        })
    }

    /// From all of the tensors that lie beside config.json.
    fn build<M>(
        &self,
        device: &Device,
        module: impl FnOnce(&Weights) -> Result<M>,
    ) -> Result<M> {
        let tensors = in_single_precision(read_tensors(&self.module.folder, device)?)?;
        Weights::build(&tensors, module).map_err(|error| error.at(self.module.folder.display()))
    }

    fn activation(&self, values: &Part) -> Result<Activation> {
        let Some(named) = values.get("activation_function") else {
            return Ok(tanh);
        };
        let is_named = |name: &str, room: &str| {
            *named == format!("torch.nn.{name}")
                || *named == format!("torch.nn.modules.{room}.{name}")
        };
        let found = ACTIVATIONS.iter().find(|(name, room, _)| is_named(name, room));
        found.map(|(_, _, function)| *function).ok_or_else(|| {
            let known = ACTIVATIONS.map(|(name, _, _)| name).join(", ");
            let shown = shown(named);
            self.wrong(format!("activation_function is {shown}; supported: torch.nn's {known}"))
        })
    }

    /// Nothing unknown; and a module works on the vectors of texts, not on those of tokens.
    fn check_keys(&self, values: &Part, known: &[&str]) -> Result<()> {
        for (key, value) in values {
            let whole = *value == "sentence_embedding";
            match key.as_str() {
                "module_input_name" if whole => {}
                "module_output_name" if whole || value.is_null() => {}
                "module_input_name" | "module_output_name" => {
                    let shown = shown(value);
                    return Err(self.wrong(format!(
                        "{key} is {shown}; supported: \"sentence_embedding\""
                    )));
                }
                key if known.contains(&key) => {}
                key => {
                    let kind = &self.module.kind;
                    return Err(self.wrong(format!(
                        "it has the key {key:.80}, which is not implemented for {kind}"
                    )));
                }
            }
        }
        Ok(())
    }

    fn check_size(&self, values: &Part, key: &str, size: usize) -> Result<()> {
        match values.get(key) {
            Some(named) if *named == size => Ok(()),
            other => {
                let shown = shown(other.unwrap_or(&Value::Null));
                Err(self.wrong(format!("{key} is {shown}, but vectors of {size} come in")))
            }
        }
    }

    fn switch(&self, values: &Part, key: &str, usual: bool) -> Result<bool> {
        match values.get(key) {
            None => Ok(usual),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => {
                let shown = shown(other);
                Err(self.wrong(format!("{key} is {shown}; it must be true or false")))
            }
        }
    }

    fn wrong(&self, what: String) -> encoders_models::Error {
        config_error!("{}: {what}", self.path.display())
    }
}
