//! Scaled dot-product attention, padded and packed.

use candle_core::Device;
use encoders::{Lengths, attention};
use pyo3::prelude::*;

use super::{Object, PyArray, PyPair, compute, compute_pair};
use crate::arrays::{cu_seqlens as sizes, float, integer};

/// [..., tokens, hidden] to [..., heads, tokens, head_dim].
#[pyfunction]
pub fn split_heads<'py>(py: Python<'py>, x: Object, heads: usize) -> PyArray<'py> {
    let x = float("x", x)?;
    compute(py, || attention::split_heads(&x, heads))
}

/// [..., heads, tokens, head_dim] to [..., tokens, hidden].
#[pyfunction]
pub fn merge_heads<'py>(py: Python<'py>, x: Object) -> PyArray<'py> {
    let x = float("x", x)?;
    compute(py, || attention::merge_heads(&x))
}

/// True where a key may be attended to: [batch, tokens] to [batch, 1, 1, tokens].
#[pyfunction]
pub fn padding_mask<'py>(py: Python<'py>, attention_mask: Object) -> PyArray<'py> {
    let mask = integer("attention_mask", attention_mask)?;
    compute(py, || attention::padding_mask(&mask))?.call_method1("astype", ("bool",))
}

/// softmax(query keyᵀ / √head_dim + bias) value: [..., queries, head_dim] and twice [..., keys,
/// head_dim] to [..., queries, head_dim]; a mask broadcasts to [..., queries, keys], a bias is
/// [heads, queries, keys].
#[pyfunction]
#[pyo3(signature = (query, key, value, mask=None, bias=None, rate=0.0))]
pub fn scaled_dot_product_attention<'py>(
    py: Python<'py>,
    query: Object,
    key: Object,
    value: Object,
    mask: Option<Object>,
    bias: Option<Object>,
    rate: f64,
) -> PyArray<'py> {
    let (query, key, value) =
        (float("query", query)?, float("key", key)?, float("value", value)?);
    let mask = mask.map(|mask| integer("mask", mask)).transpose()?;
    let bias = bias.map(|bias| float("bias", bias)).transpose()?;
    let (mask, bias) = (mask.as_ref(), bias.as_ref());
    compute(py, || {
        attention::scaled_dot_product_attention(&query, &key, &value, mask, bias, rate)
    })
}

/// True where a key stands at most `window` tokens before or behind the query: positions
/// [queries] and [keys] to [queries, keys].
#[pyfunction]
pub fn sliding_window_mask<'py>(
    py: Python<'py>,
    queries: Object,
    keys: Object,
    window: usize,
) -> PyArray<'py> {
    let (queries, keys) = (integer("queries", queries)?, integer("keys", keys)?);
    compute(py, || attention::sliding_window_mask(&queries, &keys, window))?
        .call_method1("astype", ("bool",))
}

/// Attention to the whole text, or to `window` tokens on each side: [..., tokens, head_dim]
/// three times to the same shape; `mask` is padding_mask's, a bias [heads, tokens, tokens].
#[pyfunction]
#[pyo3(signature = (query, key, value, mask=None, window=None, bias=None))]
pub fn blockwise_attention<'py>(
    py: Python<'py>,
    query: Object,
    key: Object,
    value: Object,
    mask: Option<Object>,
    window: Option<usize>,
    bias: Option<Object>,
) -> PyArray<'py> {
    let (query, key, value) =
        (float("query", query)?, float("key", key)?, float("value", value)?);
    let mask = mask.map(|mask| integer("mask", mask)).transpose()?;
    let bias = bias.map(|bias| float("bias", bias)).transpose()?;
    let (mask, bias) = (mask.as_ref(), bias.as_ref());
    compute(py, || attention::blockwise_attention(&query, &key, &value, mask, window, bias))
}

/// Attention within each text of a packed row: [heads, tokens, head_dim] three times to the
/// same shape; a bias is that of the longest text, [heads, longest, longest].
#[pyfunction]
#[pyo3(signature = (query, key, value, cu_seqlens, window=None, bias=None))]
pub fn packed_attention<'py>(
    py: Python<'py>,
    query: Object,
    key: Object,
    value: Object,
    cu_seqlens: Object,
    window: Option<usize>,
    bias: Option<Object>,
) -> PyArray<'py> {
    let (query, key, value) =
        (float("query", query)?, float("key", key)?, float("value", value)?);
    let bias = bias.map(|bias| float("bias", bias)).transpose()?;
    let cu_seqlens = sizes(cu_seqlens)?;
    compute(py, || {
        let cu_seqlens = Lengths::new(&cu_seqlens, query.dims3()?.1)?;
        attention::packed_attention(&query, &key, &value, cu_seqlens, window, bias.as_ref())
    })
}

/// 0, 1, 2, ... within each text of a packed row: [texts + 1] to [tokens].
#[pyfunction]
pub fn positions<'py>(py: Python<'py>, cu_seqlens: Object) -> PyArray<'py> {
    let cu_seqlens = sizes(cu_seqlens)?;
    compute(py, || {
        let tokens = cu_seqlens.last().copied().unwrap_or(0);
        attention::positions(Lengths::new(&cu_seqlens, tokens)?, &Device::Cpu)
    })
}

/// A packed row [tokens, hidden] as a padded batch [texts, longest, hidden] and its mask
/// [texts, longest].
#[pyfunction]
pub fn pad_packed<'py>(py: Python<'py>, packed: Object, cu_seqlens: Object) -> PyPair<'py> {
    let (packed, cu_seqlens) = (float("packed", packed)?, sizes(cu_seqlens)?);
    compute_pair(py, || {
        let cu_seqlens = Lengths::new(&cu_seqlens, packed.dims2()?.0)?;
        attention::pad_packed(&packed, cu_seqlens)
    })
}
