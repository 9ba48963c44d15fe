//! What the Rust library does by itself, from a folder on.

use candle_core::{Device, Tensor};
use encoders::embedder::Options;
use encoders::{FromPretrained, SentenceEmbedder, Tokenizer};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{PyArray, compute};
use crate::arrays::Array;
use crate::errors::run;
use crate::model::dict;

/// Raises the InputError that names what is available unless there is a device of that name.
#[pyfunction]
pub fn check_device(py: Python, name: &str) -> PyResult<()> {
    run(py, || encoders::device(name).map(|_| ()))
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
#[pyo3(signature = (
    folder, texts, prompt=None, prompt_name=None, normalize=None, truncate_dim=None
))]
pub fn embed_texts<'py>(
    py: Python<'py>,
    folder: &str,
    texts: Vec<String>,
    prompt: Option<&str>,
    prompt_name: Option<&str>,
    normalize: Option<bool>,
    truncate_dim: Option<usize>,
) -> PyArray<'py> {
    compute(py, || {
        let mut options = Options::new();
        if let Some(name) = prompt_name {
            options = options.prompt_name(name);
        }
        if let Some(prompt) = prompt {
            options = options.prompt(prompt);
        }
        if let Some(unit) = normalize {
            options = options.normalize(unit);
        }
        if let Some(numbers) = truncate_dim {
            options = options.truncate_dim(numbers);
        }
        let embedder = SentenceEmbedder::from_pretrained(folder, &Device::Cpu)?;
        Ok(Tensor::new(embedder.encode_with(&texts, options)?, &Device::Cpu)?)
    })
}

/// The token ids of each text, by the Rust library alone.
#[pyfunction]
pub fn token_ids(py: Python, folder: &str, texts: Vec<String>) -> PyResult<Vec<Vec<i64>>> {
    run(py, || Tokenizer::from_pretrained(folder)?.ids(&texts))
}
