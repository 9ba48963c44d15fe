//! Linear, layer norm, embedding, and the activations.

use candle_core::Tensor;
use encoders::layers;
use encoders::layers::{ACTIVATIONS, Activation};
use encoders::weights::Path;
use pyo3::prelude::*;

use super::{Object, PyArray, compute};
use crate::arrays::{float, integer};

/// A parameter that may be missing.
fn optional(name: &str, array: Option<Object>) -> PyResult<Option<Tensor>> {
    array.map(|array| float(name, array)).transpose()
}

/// x Wᵀ + b of x [..., inputs] with weight [outputs, inputs] and bias [outputs], or none.
#[pyfunction]
#[pyo3(signature = (weight, bias, x))]
pub fn dense<'py>(
    py: Python<'py>,
    weight: Object,
    bias: Option<Object>,
    x: Object,
) -> PyArray<'py> {
    let (weight, bias) = (float("weight", weight)?, optional("bias", bias)?);
    let layer = layers::Linear::of(weight, bias, Path::default());
    let x = float("x", x)?;
    compute(py, || layer.forward(&x))
}

/// Layer norm of x [..., hidden] with weight [hidden] and bias [hidden], or none.
#[pyfunction]
#[pyo3(signature = (weight, bias, eps, x))]
pub fn layer_norm<'py>(
    py: Python<'py>,
    weight: Object,
    bias: Option<Object>,
    eps: f64,
    x: Object,
) -> PyArray<'py> {
    let (weight, bias) = (float("weight", weight)?, optional("bias", bias)?);
    let layer = layers::LayerNorm::of(weight, bias, eps, Path::default());
    let x = float("x", x)?;
    compute(py, || layer.forward(&x))
}

/// The rows of weight [rows, hidden] that ids [...] name: [..., hidden].
#[pyfunction]
pub fn embedding<'py>(py: Python<'py>, weight: Object, ids: Object) -> PyArray<'py> {
    let layer = layers::Embedding { weight: float("weight", weight)?, padding_idx: None };
    let ids = integer("ids", ids)?;
    compute(py, || layer.forward(&ids))
}

/// The activations that the ports have as functions of their own, under those functions' names.
macro_rules! activations {
    ($($name:ident: $doc:literal),* $(,)?) => { $(
        #[doc = $doc]
        #[pyfunction]
        pub fn $name<'py>(py: Python<'py>, x: Object) -> PyArray<'py> {
            let x = float("x", x)?;
            compute(py, || layers::$name(&x))
        }
    )* };
}

activations! {
    gelu: "x Φ(x) with the exact normal distribution function.",
    gelu_tanh: "The tanh approximation of GELU.",
    quick_gelu: "x σ(1.702 x).",
    relu_squared: "The square of the positive part.",
    linear: "No activation at all.",
}

/// The activation of that name, of `x`.
#[pyfunction]
pub fn activate<'py>(py: Python<'py>, name: &str, x: Object) -> PyArray<'py> {
    let x = float("x", x)?;
    compute(py, || layers::activation(name)?(&x))
}

/// The names that `activate` knows.
#[pyfunction]
pub fn activation_names() -> Vec<&'static str> {
    ACTIVATIONS.iter().map(|(name, _): &(&str, Activation)| *name).collect()
}
