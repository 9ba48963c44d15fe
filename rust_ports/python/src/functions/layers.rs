//! The activations.

use encoders::layers;
use encoders::layers::{ACTIVATIONS, Activation};
use pyo3::prelude::*;

use super::{Object, PyArray, compute};
use crate::arrays::float;

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
