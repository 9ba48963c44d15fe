//! Convolutions over the positions of a text.

use encoders::convolution::{self, Convolution, StridedConvolution, TransposedConvolution};
use encoders::weights::Path;
use pyo3::prelude::*;

use super::{Object, PyArray, compute};
use crate::arrays::float;

/// Each position's own features and its neighbours', side by side: [batch, tokens, features] to
/// [batch, tokens, width * features].
#[pyfunction]
pub fn windows<'py>(py: Python<'py>, x: Object, width: usize) -> PyArray<'py> {
    let x = float("x", x)?;
    compute(py, || convolution::windows(&x, width))
}

/// Every position from itself and its neighbours: [batch, tokens, inputs] to [batch, tokens,
/// outputs], with a weight [outputs, inputs, width].
#[pyfunction]
pub fn convolved<'py>(
    py: Python<'py>,
    x: Object,
    weight: Object,
    bias: Object,
) -> PyArray<'py> {
    let (x, weight, bias) = (float("x", x)?, float("weight", weight)?, float("bias", bias)?);
    compute(py, || Convolution::of(weight, bias, Path::default())?.forward(&x))
}

/// One position from `stride` neighbours: [batch, tokens, inputs] to [batch, tokens / stride,
/// outputs], with a weight [outputs, inputs, stride].
#[pyfunction]
pub fn shortened<'py>(
    py: Python<'py>,
    x: Object,
    weight: Object,
    bias: Object,
) -> PyArray<'py> {
    let (x, weight, bias) = (float("x", x)?, float("weight", weight)?, float("bias", bias)?);
    compute(py, || StridedConvolution::of(weight, bias, Path::default())?.forward(&x))
}

/// `stride` positions from each: [batch, tokens, inputs] to [batch, stride * tokens, outputs],
/// with a weight [inputs, outputs, stride].
#[pyfunction]
pub fn lengthened<'py>(
    py: Python<'py>,
    x: Object,
    weight: Object,
    bias: Object,
) -> PyArray<'py> {
    let (x, weight, bias) = (float("x", x)?, float("weight", weight)?, float("bias", bias)?);
    compute(py, || TransposedConvolution::of(weight, bias, Path::default())?.forward(&x))
}
