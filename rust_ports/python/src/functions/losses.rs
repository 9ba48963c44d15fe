//! The losses of the heads.

use encoders::losses;
use pyo3::prelude::*;

use super::{Object, PyArray, compute};
use crate::arrays::{float, integer, labels as any_labels};

/// The mean of -log softmax(logits)[label] over the labels that are not ignore_index, in which
/// a label weighs as its class does: a scalar.
#[pyfunction]
#[pyo3(signature = (logits, labels, ignore_index=-100, class_weights=None))]
pub fn cross_entropy<'py>(
    py: Python<'py>,
    logits: Object,
    labels: Object,
    ignore_index: i64,
    class_weights: Option<Bound<'py, PyAny>>,
) -> PyArray<'py> {
    let (logits, labels) = (float("logits", logits)?, integer("labels", labels)?);
    let weights = class_weights.map(|weights| float("class_weights", &weights)).transpose()?;
    compute(py, || losses::cross_entropy(&logits, &labels, ignore_index, weights.as_ref()))
}

/// The mean over independent yes-or-no questions, those with the label ignore_index left out: a
/// scalar.
#[pyfunction]
#[pyo3(signature = (logits, labels, ignore_index=None))]
pub fn binary_cross_entropy<'py>(
    py: Python<'py>,
    logits: Object,
    labels: Object,
    ignore_index: Option<f64>,
) -> PyArray<'py> {
    let (logits, labels) = (float("logits", logits)?, float("labels", labels)?);
    compute(py, || {
        losses::binary_cross_entropy(&logits, &labels.to_dtype(logits.dtype())?, ignore_index)
    })
}

/// The mean of the squared differences: a scalar.
#[pyfunction]
pub fn mean_squared_error<'py>(
    py: Python<'py>,
    predictions: Object,
    labels: Object,
) -> PyArray<'py> {
    let (predictions, labels) = (float("predictions", predictions)?, float("labels", labels)?);
    compute(py, || {
        losses::mean_squared_error(&predictions, &labels.to_dtype(predictions.dtype())?)
    })
}

/// The loss that problem_type names; without one, the labels decide: a scalar.
#[pyfunction]
#[pyo3(signature = (logits, labels, problem_type, num_labels))]
pub fn classification_loss<'py>(
    py: Python<'py>,
    logits: Object,
    labels: Object,
    problem_type: Option<&str>,
    num_labels: usize,
) -> PyArray<'py> {
    let (logits, labels) = (float("logits", logits)?, any_labels(labels)?);
    compute(py, || losses::classification_loss(&logits, &labels, problem_type, num_labels))
}
