//! Rotary position embedding.

use candle_core::Device;
use encoders::rope;
use pyo3::prelude::*;

use super::{Object, PyArray, PyPair, compute, compute_pair};
use crate::arrays::{float, integer};
use crate::model::dtype_of;

/// theta^(-2i / head_dim) for each pair of features: [pairs].
#[pyfunction]
pub fn inverse_frequencies(py: Python<'_>, head_dim: usize, theta: f64) -> PyArray<'_> {
    compute(py, || rope::inverse_frequencies(head_dim, theta, &Device::Cpu))
}

/// The cosine and the sine of every angle: positions [tokens] to two tables [tokens, head_dim].
#[pyfunction]
#[pyo3(signature = (positions, head_dim, theta, dtype="float32"))]
pub fn rope_tables<'py>(
    py: Python<'py>,
    positions: Object,
    head_dim: usize,
    theta: f64,
    dtype: &str,
) -> PyPair<'py> {
    let (positions, dtype) = (integer("positions", positions)?, dtype_of(py, dtype)?);
    compute_pair(py, || rope::rope_tables(&positions, head_dim, theta, dtype))
}

/// rope_tables without Transformers' roundings: float64 angles where float64 is asked for.
#[pyfunction]
#[pyo3(signature = (positions, head_dim, theta, dtype="float32"))]
pub fn exact_rope_tables<'py>(
    py: Python<'py>,
    positions: Object,
    head_dim: usize,
    theta: f64,
    dtype: &str,
) -> PyPair<'py> {
    let (positions, dtype) = (integer("positions", positions)?, dtype_of(py, dtype)?);
    compute_pair(py, || rope::exact_rope_tables(&positions, head_dim, theta, dtype))
}

/// Makes a function of one array, [..., head_dim] to the same shape.
macro_rules! rearrangements {
    ($($name:ident: $doc:literal),* $(,)?) => { $(
        #[doc = $doc]
        #[pyfunction]
        pub fn $name<'py>(py: Python<'py>, x: Object) -> PyArray<'py> {
            let x = float("x", x)?;
            compute(py, || rope::$name(&x))
        }
    )* };
}

rearrangements! {
    rotate_half: "Every pair (a, b) to (-b, a), where b stands half a head behind a.",
    rotate_pairs: "Every pair (a, b) to (-b, a), where b stands right behind a.",
    halves_to_pairs: "What stood half a head apart side by side.",
    pairs_to_halves: "The inverse of halves_to_pairs.",
}

/// x [..., tokens, head_dim], each pair of features turned by its token's angle; cos and sin
/// [tokens, head_dim].
#[pyfunction]
pub fn apply_rope<'py>(py: Python<'py>, x: Object, cos: Object, sin: Object) -> PyArray<'py> {
    let (x, cos, sin) = (float("x", x)?, float("cos", cos)?, float("sin", sin)?);
    compute(py, || rope::apply_rope(&x, &cos, &sin))
}

/// apply_rope in the precision of x, without Transformers' rounding to float32.
#[pyfunction]
pub fn apply_exact_rope<'py>(
    py: Python<'py>,
    x: Object,
    cos: Object,
    sin: Object,
) -> PyArray<'py> {
    let (x, cos, sin) = (float("x", x)?, float("cos", cos)?, float("sin", sin)?);
    compute(py, || rope::apply_exact_rope(&x, &cos, &sin))
}

/// apply_rope where features 2i and 2i + 1 are a pair.
#[pyfunction]
pub fn apply_rope_interleaved<'py>(
    py: Python<'py>,
    x: Object,
    cos: Object,
    sin: Object,
) -> PyArray<'py> {
    let (x, cos, sin) = (float("x", x)?, float("cos", cos)?, float("sin", sin)?);
    compute(py, || rope::apply_rope_interleaved(&x, &cos, &sin))
}
