//! The pipelines of the Rust library alone, from a folder to its results.

use candle_core::Device;
use encoders::text_classification::{self, Kind, TextClassification};
use encoders::token_classification::{self, TokenClassification};
use encoders::{MaskedLM, MaskedSequence, masked_lm};
use pyo3::prelude::*;

use crate::errors::run;

/// A token, its probability, and the text with it.
type Filled = (String, f64, String);
/// Labels, what stands beside each of them, and what that is.
type Classified = (Vec<String>, Vec<f64>, &'static str);
/// A document's number, its score, the document, and what the score is.
type Ranked = (usize, f64, String, &'static str);
/// The bytes of a span, its characters, its label, its score, and what stands there.
type Span = ((usize, usize), (usize, usize), String, f64, String);
/// The bytes of a detection, what stands there, its labels, and all labels with their
/// probabilities.
type Detected = ((usize, usize), String, Vec<String>, Vec<(String, f64)>);

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

/// The labels of each text, or of each text with its pair.
#[pyfunction]
#[pyo3(signature = (folder, texts, pairs=None, top_k=None))]
pub fn classify_texts(
    py: Python,
    folder: &str,
    texts: Vec<String>,
    pairs: Option<Vec<String>>,
    top_k: Option<usize>,
) -> PyResult<Vec<Classified>> {
    run(py, || {
        let mut options = best(top_k);
        if let Some(pairs) = &pairs {
            options = options.pairs(pairs);
        }
        let model = TextClassification::from_pretrained(folder, &Device::Cpu)?;
        let found = model.classify_with(&texts, options)?.into_iter();
        Ok(found.map(|one| (one.labels, one.probabilities, named(one.kind))).collect())
    })
}

/// The documents, those first that go best with the query.
#[pyfunction]
#[pyo3(signature = (folder, query, documents, top_k=None))]
pub fn rank_texts(
    py: Python,
    folder: &str,
    query: &str,
    documents: Vec<String>,
    top_k: Option<usize>,
) -> PyResult<Vec<Ranked>> {
    run(py, || {
        let model = TextClassification::from_pretrained(folder, &Device::Cpu)?;
        let found = model.rank_with(query, &documents, best(top_k))?.into_iter();
        Ok(found.map(|one| (one.index, one.score, one.text, named(one.kind))).collect())
    })
}

fn best<'a>(top_k: Option<usize>) -> text_classification::Options<'a> {
    let options = text_classification::Options::new();
    match top_k {
        None => options,
        Some(count) => options.top_k(count),
    }
}

/// As the package calls it.
fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Probability => "probability",
        Kind::Logit => "logit",
        Kind::Value => "value",
    }
}

/// The spans of each text.
#[pyfunction]
#[pyo3(signature = (folder, texts, aggregation="simple", viterbi=false, overlap=None))]
pub fn tag_texts(
    py: Python,
    folder: &str,
    texts: Vec<String>,
    aggregation: &str,
    viterbi: bool,
    overlap: Option<usize>,
) -> PyResult<Vec<Vec<Span>>> {
    run(py, || {
        let options = token_classification::Options::new();
        let mut options = options.aggregation(aggregation.parse()?).viterbi(viterbi);
        if let Some(tokens) = overlap {
            options = options.overlap(tokens);
        }
        let model = TokenClassification::from_pretrained(folder, &Device::Cpu)?;
        let plain = |text: &String, one: token_classification::Span| {
            let characters = one.characters(text);
            let places = ((one.start, one.end), (characters.start, characters.end));
            (places.0, places.1, one.label, one.score, one.text)
        };
        let found = texts.iter().zip(model.tag_with(&texts, options)?);
        Ok(found
            .map(|(text, spans)| spans.into_iter().map(|one| plain(text, one)).collect())
            .collect())
    })
}

/// Each text without its marks, and its detections.
#[pyfunction]
pub fn detect_texts(
    py: Python,
    folder: &str,
    texts: Vec<String>,
) -> PyResult<Vec<(String, Vec<Detected>)>> {
    run(py, || {
        let model = MaskedSequence::from_pretrained(folder, &Device::Cpu)?;
        let found = model.predict_marked(&texts)?.into_iter().map(|(text, found)| {
            let plain = found
                .into_iter()
                .map(|one| ((one.start, one.end), one.text, one.given, one.labels));
            (text, plain.collect())
        });
        Ok(found.collect())
    })
}
