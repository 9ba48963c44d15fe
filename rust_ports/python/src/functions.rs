//! The pieces of the port as functions of NumPy arrays, to teach with and to test.

use candle_core::{Device, Tensor};
use encoders::attention;
use encoders::layers::{ACTIVATIONS, Activation};
use encoders::masking::Draws;
use encoders::weights::Path;
use encoders::{
    FromPretrained, Lengths, SentenceEmbedder, Tokenizer, layers, losses, masking, pooling,
    rope,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Array, cu_seqlens as sizes, float, integer, labels as any_labels};
use crate::errors::run;
use crate::model::{dict, dtype_of};

type Object<'a, 'py> = &'a Bound<'py, PyAny>;
type PyArray<'py> = PyResult<Bound<'py, PyAny>>;

/// Computes one tensor without Python's lock and hands it over.
fn compute<'py>(
    py: Python<'py>,
    work: impl FnOnce() -> encoders::Result<Tensor> + Send,
) -> PyArray<'py> {
    run(py, || Array::of(&work()?))?.into_python(py)
}

/// The mean over a text's real tokens: [batch, tokens, hidden] and a mask [batch, tokens] to
/// [batch, hidden].
#[pyfunction]
pub fn mean_pooling<'py>(
    py: Python<'py>,
    hidden: Object,
    attention_mask: Object,
) -> PyArray<'py> {
    let (hidden, mask) = (float("hidden", hidden)?, integer("attention_mask", attention_mask)?);
    compute(py, || pooling::mean_pooling(&hidden, &mask))
}

/// The vector of a text's first real token: [batch, tokens, hidden] and a mask [batch, tokens]
/// to [batch, hidden].
#[pyfunction]
pub fn cls_pooling<'py>(
    py: Python<'py>,
    hidden: Object,
    attention_mask: Object,
) -> PyArray<'py> {
    let (hidden, mask) = (float("hidden", hidden)?, integer("attention_mask", attention_mask)?);
    compute(py, || pooling::cls_pooling(&hidden, &mask))
}

/// The largest value over a text's real tokens: [batch, tokens, hidden] and a mask [batch,
/// tokens] to [batch, hidden].
#[pyfunction]
pub fn max_pooling<'py>(
    py: Python<'py>,
    hidden: Object,
    attention_mask: Object,
) -> PyArray<'py> {
    let (hidden, mask) = (float("hidden", hidden)?, integer("attention_mask", attention_mask)?);
    compute(py, || pooling::max_pooling(&hidden, &mask))
}

/// Vectors [..., hidden] of length one: x / max(|x|, eps).
#[pyfunction]
#[pyo3(signature = (vectors, eps=1e-12))]
pub fn normalize<'py>(py: Python<'py>, vectors: Object, eps: f64) -> PyArray<'py> {
    let vectors = float("vectors", vectors)?;
    compute(py, || pooling::normalize(&vectors, eps))
}

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

/// softmax(query keyᵀ / √head_dim) value: [..., queries, head_dim] and twice [..., keys,
/// head_dim] to [..., queries, head_dim]; a mask broadcasts to [..., queries, keys].
#[pyfunction]
#[pyo3(signature = (query, key, value, mask=None))]
pub fn scaled_dot_product_attention<'py>(
    py: Python<'py>,
    query: Object,
    key: Object,
    value: Object,
    mask: Option<Object>,
) -> PyArray<'py> {
    let (query, key, value) =
        (float("query", query)?, float("key", key)?, float("value", value)?);
    let mask = mask.map(|mask| integer("mask", mask)).transpose()?;
    compute(py, || attention::scaled_dot_product_attention(&query, &key, &value, mask.as_ref()))
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
/// three times to the same shape; `mask` is padding_mask's.
#[pyfunction]
#[pyo3(signature = (query, key, value, mask=None, window=None))]
pub fn blockwise_attention<'py>(
    py: Python<'py>,
    query: Object,
    key: Object,
    value: Object,
    mask: Option<Object>,
    window: Option<usize>,
) -> PyArray<'py> {
    let (query, key, value) =
        (float("query", query)?, float("key", key)?, float("value", value)?);
    let mask = mask.map(|mask| integer("mask", mask)).transpose()?;
    compute(py, || attention::blockwise_attention(&query, &key, &value, mask.as_ref(), window))
}

/// Attention within each text of a packed row: [heads, tokens, head_dim] three times to the
/// same shape.
#[pyfunction]
#[pyo3(signature = (query, key, value, cu_seqlens, window=None))]
pub fn packed_attention<'py>(
    py: Python<'py>,
    query: Object,
    key: Object,
    value: Object,
    cu_seqlens: Object,
    window: Option<usize>,
) -> PyArray<'py> {
    let (query, key, value) =
        (float("query", query)?, float("key", key)?, float("value", value)?);
    let cu_seqlens = sizes(cu_seqlens)?;
    compute(py, || {
        let cu_seqlens = Lengths::new(&cu_seqlens, query.dims3()?.1)?;
        attention::packed_attention(&query, &key, &value, cu_seqlens, window)
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
pub fn pad_packed<'py>(
    py: Python<'py>,
    packed: Object,
    cu_seqlens: Object,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let (packed, cu_seqlens) = (float("packed", packed)?, sizes(cu_seqlens)?);
    let (padded, mask) = run(py, || {
        let cu_seqlens = Lengths::new(&cu_seqlens, packed.dims2()?.0)?;
        let (padded, mask) = attention::pad_packed(&packed, cu_seqlens)?;
        Ok((Array::of(&padded)?, Array::of(&mask)?))
    })?;
    Ok((padded.into_python(py)?, mask.into_python(py)?))
}

/// The mean of -log softmax(logits)[label] over the labels that are not ignore_index: a scalar.
#[pyfunction]
#[pyo3(signature = (logits, labels, ignore_index=-100))]
pub fn cross_entropy<'py>(
    py: Python<'py>,
    logits: Object,
    labels: Object,
    ignore_index: i64,
) -> PyArray<'py> {
    let (logits, labels) = (float("logits", logits)?, integer("labels", labels)?);
    compute(py, || losses::cross_entropy(&logits, &labels, ignore_index))
}

/// The mean over independent yes-or-no questions: a scalar.
#[pyfunction]
pub fn binary_cross_entropy<'py>(
    py: Python<'py>,
    logits: Object,
    labels: Object,
) -> PyArray<'py> {
    let (logits, labels) = (float("logits", logits)?, float("labels", labels)?);
    compute(py, || losses::binary_cross_entropy(&logits, &labels.to_dtype(logits.dtype())?))
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
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let ids = integer("input_ids", input_ids)?;
    let special = integer("special_tokens_mask", special_tokens_mask)?;
    let words = word_ids.map(|ids| integer("word_ids", ids)).transpose()?;
    let draws = Draws {
        chosen: float("draws.chosen", &draws.0)?,
        action: float("draws.action", &draws.1)?,
        word: integer("draws.word", &draws.2)?,
    };
    let (mask, random) = shares;
    let (masked, labels) = run(py, || {
        let (masked, labels) = masking::mask_tokens(
            &ids,
            &special,
            &draws,
            mask_token_id,
            probability,
            mask,
            random,
            words.as_ref(),
            min_span,
        )?;
        Ok((Array::of(&masked)?, Array::of(&labels)?))
    })?;
    Ok((masked.into_python(py)?, labels.into_python(py)?))
}

/// Where each token's word begins and where it ends: [batch, tokens] twice.
#[pyfunction]
#[pyo3(signature = (word_ids, free))]
pub fn word_bounds<'py>(
    py: Python<'py>,
    word_ids: Option<Object>,
    free: Object,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let words = word_ids.map(|ids| integer("word_ids", ids)).transpose()?;
    let free = integer("free", free)?;
    let (first, last) = run(py, || {
        let (first, last) = masking::word_bounds(words.as_ref(), &free)?;
        Ok((Array::of(&first)?, Array::of(&last)?))
    })?;
    Ok((first.into_python(py)?, last.into_python(py)?))
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
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let (positions, dtype) = (integer("positions", positions)?, dtype_of(py, dtype)?);
    let (cos, sin) = run(py, || {
        let (cos, sin) = rope::rope_tables(&positions, head_dim, theta, dtype)?;
        Ok((Array::of(&cos)?, Array::of(&sin)?))
    })?;
    Ok((cos.into_python(py)?, sin.into_python(py)?))
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

/// The tensors of a model folder, as the Rust library itself reads and checks them.
#[pyfunction]
pub fn read_checkpoint<'py>(py: Python<'py>, folder: &str) -> PyResult<Bound<'py, PyDict>> {
    let tensors = run(py, || {
        let model = encoders::Model::from_pretrained(folder, &Device::Cpu)?;
        model.state().map(|(key, tensor)| Ok((key.clone(), Array::of(&tensor)?))).collect()
    })?;
    dict(py, tensors)
}

/// Embeddings of texts, [texts, dimensions], by the Rust library alone: from the folder to the
/// vectors.
#[pyfunction]
pub fn embed_texts<'py>(py: Python<'py>, folder: &str, texts: Vec<String>) -> PyArray<'py> {
    compute(py, || {
        let vectors =
            SentenceEmbedder::from_pretrained(folder, &Device::Cpu)?.encode(&texts)?;
        Ok(Tensor::new(vectors, &Device::Cpu)?)
    })
}

/// The token ids of each text, by the Rust library alone.
#[pyfunction]
pub fn token_ids(py: Python, folder: &str, texts: Vec<String>) -> PyResult<Vec<Vec<i64>>> {
    run(py, || Tokenizer::from_pretrained(folder)?.ids(&texts))
}
