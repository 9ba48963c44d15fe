//! The RoPE encoder from a folder: vectors of length one without a modules.json, and texts that
//! are refused beyond the context.

use candle_core::{DType, Device, Tensor};
use encoders::{Encoder, FromPretrained, MaskedLM};
use encoders::{Error, Inputs, Model, RopeEncoderModel, SentenceEmbedder, Tokenizer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::difference;
use crate::embedder::tokenizer_json;
use crate::files::{write, write_json};
use crate::headed::path;
use crate::tiny_rope_encoder::{HIDDEN, config, config_json, tensors};

const LONG: &str = "the cat sat on the mat and ran";

fn folder(head: &str, changes: Value) -> TempDir {
    let folder = TempDir::new().unwrap();
    let named = json!({"architectures": [format!("RopeEncoder{head}")]});
    let mut values = config_json(changes);
    values["architectures"] = named["architectures"].clone();
    let config = config(values.clone());
    write(folder.path(), &values, &tensors(&config, head, DType::F32));
    write_json(&folder.path().join("tokenizer.json"), &tokenizer_json());
    folder
}

fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|number| number * number).sum::<f32>().sqrt()
}

#[test]
fn vectors_have_length_one_without_a_modules_json() {
    let folder = folder("Model", json!({}));
    let embedder = SentenceEmbedder::from_pretrained(path(&folder), &Device::Cpu).unwrap();
    let vectors = embedder.encode(&["the cat sat", "dogs"]).unwrap();
    assert!(vectors.iter().all(|vector| (length(vector) - 1.0).abs() < 1e-6));

    let model = RopeEncoderModel::from_pretrained(path(&folder), &Device::Cpu).unwrap();
    let ids = Tensor::new(&[[2i64, 8, 5, 6, 3]], &Device::Cpu).unwrap();
    let all = ids.ones_like().unwrap();
    let pooled = model.forward(&Inputs::padded(&ids, &all)).unwrap().pooler_output.unwrap();
    let found = Tensor::new(vectors[0].as_slice(), &Device::Cpu).unwrap();
    assert!(difference(&pooled.get(0).unwrap(), &found) < 1e-6);
}

#[test]
fn a_text_beyond_the_context_is_refused_unless_it_may_be_cut() {
    let folder = folder("Model", json!({}));
    let mut embedder = SentenceEmbedder::from_pretrained(path(&folder), &Device::Cpu).unwrap();
    let error = embedder.encode(&["dogs", LONG]).unwrap_err();
    assert!(matches!(error, Error::Input(_)));
    let words = error.to_string();
    assert!(words.starts_with("text 1: there are 4 tokens more than the 6"), "{words}");
    embedder.tokenizer.truncates = true;
    let vectors = embedder.encode(&["dogs", LONG]).unwrap();
    assert_eq!((vectors.len(), vectors[1].len()), (2, HIDDEN));

    let folder = self::folder("ForMaskedLM", json!({}));
    let mut tokenizer = tokenizer_json();
    tokenizer["model"]["vocab"].as_object_mut().unwrap().remove("ran");
    tokenizer["model"]["vocab"]["[MASK]"] = json!(12);
    tokenizer["added_tokens"] = json!([{
        "id": 12, "content": "[MASK]", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
    }]);
    write_json(&folder.path().join("tokenizer.json"), &tokenizer);
    let model = MaskedLM::from_pretrained(path(&folder), &Device::Cpu).unwrap();
    assert_eq!(model.fill(&["the [MASK] sat"]).unwrap()[0].len(), 1);
    let error = model.fill(&["the [MASK] sat on the mat and sat"]).unwrap_err().to_string();
    assert!(error.contains("tokens more than the 6"), "{error}");
}

#[test]
fn a_folder_loads_as_what_it_names_and_as_the_encoder() {
    for head in ["Model", "ForMaskedLM", "ForTokenClassification"] {
        let folder = folder(head, json!({}));
        let whole = Model::from_pretrained(path(&folder), &Device::Cpu).unwrap();
        let alone = RopeEncoderModel::from_pretrained(path(&folder), &Device::Cpu).unwrap();
        let ids = Tensor::new(&[[2i64, 7, 3]], &Device::Cpu).unwrap();
        let all = ids.ones_like().unwrap();
        let inputs = Inputs::padded(&ids, &all);
        let inside = whole.network.last_hidden_state(&inputs).unwrap();
        let hidden = alone.forward(&inputs).unwrap().last_hidden_state;
        assert_eq!(difference(&inside, &hidden), 0.0);
    }
}

#[test]
fn pads_may_be_on_the_left() {
    let folder = folder("Model", json!({}));
    let settings = json!({"padding_side": "left"});
    write_json(&folder.path().join("tokenizer_config.json"), &settings);
    assert!(Tokenizer::from_pretrained(path(&folder)).is_ok());
}
