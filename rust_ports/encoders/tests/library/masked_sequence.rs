//! Labels for chosen pieces of texts.

#![allow(clippy::single_range_in_vec_init)] // one span is meant, and no list of numbers

use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use encoders::masked_sequence::Detection;
use encoders::{Error, MaskedSequence};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{config, config_json, tensors};
use crate::files::write;
use crate::headed::{WORDS, max_length, path};

/// A BERT with a detection head; `changes` are to what its config.json says of the head.
fn folder(changes: Value) -> TempDir {
    named("bert", changes)
}

fn named(base: &str, changes: Value) -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut tensors = tensors(&config("bert", json!({})), "BertModel", DType::F32);
    tensors.retain(|key, _| !key.starts_with("pooler."));
    let mut tensors: std::collections::BTreeMap<String, Tensor> =
        tensors.into_iter().map(|(key, own)| (format!("{base}.{key}"), own)).collect();
    let own = config_json("bert", json!({}));
    let hidden = own["hidden_size"].as_u64().unwrap() as usize;
    let draw = |shape: &[usize]| Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
    for (name, shape) in [
        ("dense.weight", vec![hidden, hidden]),
        ("dense.bias", vec![hidden]),
        ("norm.weight", vec![hidden]),
        ("norm.bias", vec![hidden]),
        ("classifier.weight", vec![3, hidden]),
        ("classifier.bias", vec![3]),
    ] {
        tensors.insert(format!("detection_head.{name}"), draw(&shape));
    }
    let mut whole = json!({
        "model_type": "masked_sequence",
        "architectures": ["AutoModelForMaskedSeqModeling"],
        "base_config": own,
        "base_model_attr_name": base,
        "id2label": {"0": "a", "1": "b", "2": "c"},
    });
    whole.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    write(folder.path(), &whole, &tensors);
    std::fs::write(folder.path().join("vocab.txt"), WORDS.join("\n")).unwrap();
    folder
}

fn model(folder: &TempDir) -> MaskedSequence {
    MaskedSequence::from_pretrained(path(folder), &Device::Cpu).unwrap()
}

fn alike(a: &[Detection], b: &[Detection]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!((a.start, a.end, &a.text), (b.start, b.end, &b.text));
        for (one, other) in a.labels.iter().zip(&b.labels) {
            assert_eq!(one.0, other.0);
            assert!((one.1 - other.1).abs() < 1e-5);
        }
    }
}

fn error(found: Result<Vec<Vec<Detection>>, Error>) -> String {
    found.unwrap_err().to_string()
}

#[test]
fn texts_together_are_as_texts_alone() {
    for pooling in ["first", "mean", "first_last"] {
        let folder = folder(json!({"span_pooling": pooling}));
        let model = model(&folder);
        let texts = ["the cats sat", "on the mat.", "cat", "the mat sat on the cats."];
        let spans: Vec<Vec<Range<usize>>> =
            vec![vec![0..3, 4..8], vec![], vec![0..3], vec![18..23, 0..7, 8..11]];
        let together = model.predict(&texts, &spans).unwrap();
        for ((text, spans), found) in texts.iter().zip(&spans).zip(&together) {
            assert_eq!(found.len(), spans.len());
            alike(found, &model.predict(&[*text], std::slice::from_ref(spans)).unwrap()[0]);
        }
        let (plain, marked) =
            model.predict_marked(&["[[the]] [[ cats]] sat"]).unwrap().remove(0);
        assert_eq!(plain, "the  cats sat");
        assert_eq!([&marked[0].text, &marked[1].text], ["the", "cats"]);
    }
}

#[test]
fn the_pooling_is_that_of_the_configuration() {
    let by = |pooling: &str| {
        let folder = folder(json!({"span_pooling": pooling}));
        // The weights of the head are drawn anew each time: ask one model for two spans.
        let model = model(&folder);
        let spans = vec![vec![4..8, 4..7]]; // cat ##s, and half of it, which is its first token
        model.predict(&["the cats sat"], &spans).unwrap().remove(0)
    };
    let first = by("first");
    assert_eq!(first[0].labels, first[1].labels);
    for other in ["mean", "first_last"] {
        let found = by(other);
        assert_ne!(found[0].labels, found[1].labels);
    }
}

#[test]
fn labels_are_given_as_the_configuration_says() {
    let all = folder(json!({"thresholds": [0.0, 0.0, 0.0]}));
    let found = model(&all).predict_marked(&["the [[cat]]"]).unwrap().remove(0).1;
    assert_eq!(found[0].given.len(), 3);
    let none = folder(json!({"thresholds": [1.0, 1.0, 1.0]}));
    let found = model(&none).predict_marked(&["the [[cat]]"]).unwrap().remove(0).1;
    assert!(found[0].given.len() < 3);
    let single = folder(json!({"task": "multiclass"}));
    let found = model(&single).predict_marked(&["the [[cat]]"]).unwrap().remove(0).1;
    assert_eq!(found[0].given, [found[0].labels[0].0.clone()]);
    let total: f64 = found[0].labels.iter().map(|(_, share)| share).sum();
    assert!((total - 1.0).abs() < 1e-12);
}

#[test]
fn an_encoder_under_another_name_is_the_same() {
    let folder = named("inside", json!({}));
    assert_eq!(model(&folder).predict_marked(&["[[cat]]"]).unwrap()[0].1.len(), 1);
}

#[test]
fn a_detection_in_what_is_cut_is_refused() {
    let folder = folder(json!({}));
    max_length(&folder, 6);
    let model = model(&folder);
    let text = "the cat sat on the mat.";
    assert_eq!(model.predict(&[text], &[vec![4..7]]).unwrap()[0].len(), 1);
    let message = error(model.predict(&[text], &[vec![4..7, 19..22]]));
    assert!(message.contains("\"mat\" at bytes 19..22 lies in what is cut"), "{message}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let folder = folder(json!({}));
    let model = model(&folder);
    for spans in [vec![0..99], vec![3..3], vec![3..4]] {
        assert!(model.predict(&["the cat"], &[spans]).is_err());
    }
    assert!(error(model.predict(&["the cat"], &[])).contains("1 texts and spans of 0"));
    for (changes, part) in [
        (json!({"task": "ranking"}), "task"),
        (json!({"span_pooling": "last"}), "span_pooling"),
        (json!({"thresholds": [0.5]}), "thresholds"),
        (json!({"base_config": {"model_type": "gpt2"}}), "no port computes"),
        (json!({"base_config": null}), "base_config"),
        (json!({"task": "multiclass", "pos_weight": [1, 1, 1]}), "pos_weight"),
        (json!({"problem_type": "regression"}), "problem_type"),
    ] {
        let folder = self::folder(changes);
        let found = MaskedSequence::from_pretrained(path(&folder), &Device::Cpu);
        let message = found.err().unwrap().to_string();
        assert!(message.contains(part), "{message}");
    }
}
