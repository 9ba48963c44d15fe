//! The pipelines of the Rust library alone, from a folder to its results.

use candle_core::Device;
use encoders::{MaskedLM, masked_lm};
use pyo3::prelude::*;

use crate::errors::run;

/// A token, its probability, and the text with it.
type Filled = (String, f64, String);

/// What may stand at each mask of each text.
#[pyfunction]
#[pyo3(signature = (folder, texts, top_k=5, targets=None))]
pub fn fill_texts(
    py: Python,
    folder: &str,
    texts: Vec<String>,
    top_k: usize,
    targets: Option<Vec<String>>,
) -> PyResult<Vec<Vec<Vec<Filled>>>> {
    run(py, || {
        let mut options = masked_lm::Options::new().top_k(top_k);
        if let Some(targets) = &targets {
            options = options.targets(targets);
        }
        let model = MaskedLM::from_pretrained(folder, &Device::Cpu)?;
        let plain = |one: masked_lm::Filled| (one.token, one.probability, one.text);
        let of_mask = |found: Vec<masked_lm::Filled>| found.into_iter().map(plain).collect();
        let found = model.fill_with(&texts, options)?;
        Ok(found.into_iter().map(|masks| masks.into_iter().map(of_mask).collect()).collect())
    })
}
