//! The masking strategy of masked language modelling.

use encoders::masking::{self, Draws};
use pyo3::prelude::*;

use super::{Object, PyArray, PyPair, compute, compute_pair};
use crate::arrays::{float, integer};

/// Masked ids and labels from ids, draws and shares, all [batch, tokens]; `draws` is (chosen,
/// action, word).
#[pyfunction]
#[pyo3(signature = (
    input_ids, special_tokens_mask, draws, mask_token_id, probability, shares, word_ids,
    min_span
))]
#[expect(clippy::too_many_arguments)]
pub fn mask_tokens<'py>(
    py: Python<'py>,
    input_ids: Object,
    special_tokens_mask: Object,
    draws: (Bound<PyAny>, Bound<PyAny>, Bound<PyAny>),
    mask_token_id: i64,
    probability: f64,
    shares: (f64, f64),
    word_ids: Option<Object>,
    min_span: usize,
) -> PyPair<'py> {
    let ids = integer("input_ids", input_ids)?;
    let special = integer("special_tokens_mask", special_tokens_mask)?;
    let words = word_ids.map(|ids| integer("word_ids", ids)).transpose()?;
    let draws = Draws {
        chosen: float("draws.chosen", &draws.0)?,
        action: float("draws.action", &draws.1)?,
        word: integer("draws.word", &draws.2)?,
    };
    let (mask, random) = shares;
    compute_pair(py, || {
        masking::mask_tokens(
            &ids,
            &special,
            &draws,
            mask_token_id,
            probability,
            mask,
            random,
            words.as_ref(),
            min_span,
        )
    })
}

/// Where each token's word begins and where it ends: [batch, tokens] twice.
#[pyfunction]
#[pyo3(signature = (word_ids, free))]
pub fn word_bounds<'py>(
    py: Python<'py>,
    word_ids: Option<Object>,
    free: Object,
) -> PyPair<'py> {
    let words = word_ids.map(|ids| integer("word_ids", ids)).transpose()?;
    let free = integer("free", free)?;
    compute_pair(py, || masking::word_bounds(words.as_ref(), &free))
}

/// Every start takes the span - 1 words behind it along: all are [batch, tokens].
#[pyfunction]
pub fn spread<'py>(
    py: Python<'py>,
    starts: Object,
    free: Object,
    first: Object,
    last: Object,
    span: usize,
) -> PyArray<'py> {
    let (starts, free) = (integer("starts", starts)?, integer("free", free)?);
    let (first, last) = (integer("first", first)?, integer("last", last)?);
    compute(py, || masking::spread(&starts, &free, &first, &last, span))?
        .call_method1("astype", ("bool",))
}
