//! From one vector a token to one vector a text.

use encoders::pooling;
use pyo3::prelude::*;

use super::{Object, PyArray, compute};
use crate::arrays::{float, integer};

/// Makes a function of [batch, tokens, hidden] and a mask [batch, tokens] to [batch, hidden].
macro_rules! poolings {
    ($($name:ident: $doc:literal),* $(,)?) => { $(
        #[doc = $doc]
        #[pyfunction]
        pub fn $name<'py>(
            py: Python<'py>,
            hidden: Object,
            attention_mask: Object,
        ) -> PyArray<'py> {
            let hidden = float("hidden", hidden)?;
            let mask = integer("attention_mask", attention_mask)?;
            compute(py, || pooling::$name(&hidden, &mask))
        }
    )* };
}

poolings! {
    mean_pooling: "The mean over a text's real tokens.",
    cls_pooling: "The vector of a text's first real token.",
    max_pooling: "The largest value over a text's real tokens.",
}

/// Vectors [..., hidden] of length one: x / max(|x|, eps).
#[pyfunction]
#[pyo3(signature = (vectors, eps=1e-12))]
pub fn normalize<'py>(py: Python<'py>, vectors: Object, eps: f64) -> PyArray<'py> {
    let vectors = float("vectors", vectors)?;
    compute(py, || pooling::normalize(&vectors, eps))
}
