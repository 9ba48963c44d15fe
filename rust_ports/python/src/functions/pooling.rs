//! From one vector a token to one vector a text.

use encoders::{Pooling, pooling};
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
    mean_sqrt_len_pooling:
        "The sum over a text's real tokens, divided by the square root of their number.",
    last_token_pooling: "The vector of a text's last real token.",
}

/// The mean over a text's real tokens with weights 1, 2, 3 ..., without the first `skip`.
#[pyfunction]
#[pyo3(signature = (hidden, attention_mask, skip=0))]
pub fn weighted_mean_pooling<'py>(
    py: Python<'py>,
    hidden: Object,
    attention_mask: Object,
    skip: usize,
) -> PyArray<'py> {
    let hidden = float("hidden", hidden)?;
    let mask = integer("attention_mask", attention_mask)?;
    compute(py, || pooling::weighted_mean_pooling(&hidden, &mask, skip))
}

/// The mask without the first `skip` real tokens of each text.
#[pyfunction]
pub fn without_prompt<'py>(
    py: Python<'py>,
    attention_mask: Object,
    skip: usize,
) -> PyArray<'py> {
    let mask = integer("attention_mask", attention_mask)?;
    compute(py, || pooling::without_prompt(&mask, skip))
}

/// Each text pooled in each of these ways, side by side, without its first `skip` tokens.
#[pyfunction]
#[pyo3(signature = (hidden, attention_mask, ways, skip=0))]
pub fn pool<'py>(
    py: Python<'py>,
    hidden: Object,
    attention_mask: Object,
    ways: Vec<String>,
    skip: usize,
) -> PyArray<'py> {
    let hidden = float("hidden", hidden)?;
    let mask = integer("attention_mask", attention_mask)?;
    compute(py, || {
        let ways: encoders::Result<Vec<Pooling>> = ways.iter().map(|way| way.parse()).collect();
        pooling::pool(&hidden, &mask, &ways?, skip)
    })
}

/// The cosine of every vector with every reference: [texts, hidden] and [references, hidden] to
/// [texts, references].
#[pyfunction]
pub fn cosine_similarity<'py>(
    py: Python<'py>,
    vectors: Object,
    references: Object,
) -> PyArray<'py> {
    let (vectors, references) = (float("vectors", vectors)?, float("references", references)?);
    compute(py, || pooling::cosine_similarity(&vectors, &references))
}

/// Vectors [..., hidden] of length one: x / max(|x|, eps).
#[pyfunction]
#[pyo3(signature = (vectors, eps=1e-12))]
pub fn normalize<'py>(py: Python<'py>, vectors: Object, eps: f64) -> PyArray<'py> {
    let vectors = float("vectors", vectors)?;
    compute(py, || pooling::normalize(&vectors, eps))
}
