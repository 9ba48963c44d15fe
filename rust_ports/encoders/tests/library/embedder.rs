//! From text to vectors, with a tokenizer and a checkpoint made from nothing.

use crate::common::{config, config_json, tensors};
use crate::files::{write, write_json};
use candle_core::{DType, Device};
use encoders::embedder::Options;
use encoders::weights::Tensors;
use encoders::{Error, FromPretrained, Inputs, Model, SentenceEmbedder, Tokenizer};
use serde_json::{Value, json};
use tempfile::TempDir;

const WORDS: [&str; 13] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "sat", "on", "the", "mat", "and", "dogs",
    "ran",
];

/// A word-level tokenizer as tokenizer.json spells it, saved with a padding and a truncation to
/// be ignored.
pub fn tokenizer_json() -> Value {
    let vocabulary: Value =
        WORDS.iter().enumerate().map(|(id, word)| (word.to_string(), json!(id))).collect();
    let special = |id: usize| json!({"id": WORDS[id], "type_id": 0});
    json!({
        "version": "1.0",
        "truncation": {
            "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
        },
        "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [
                {"SpecialToken": special(2)},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": special(3)},
            ],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 0}},
            ],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    })
}

/// A folder as sentence-transformers writes it, with a tokenizer that is taken as it stands.
pub fn folder(pooling: Value, normalize: bool) -> TempDir {
    folder_of(pooling, normalize, |_| {})
}

fn folder_of(pooling: Value, normalize: bool, edit: impl FnOnce(&mut Tensors)) -> TempDir {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    let mut tensors = tensors(&config("bert", json!({})), "BertModel", DType::F32);
    edit(&mut tensors);
    write(folder.path(), &config_json("bert", json!({})), &tensors);
    write_json(&place("tokenizer.json"), &tokenizer_json());
    let class = json!({"tokenizer_class": "PreTrainedTokenizerFast"});
    write_json(&place("tokenizer_config.json"), &class);
    write_json(&place("sentence_bert_config.json"), &json!({"max_seq_length": 6}));
    let module = |path: &str, kind: &str| {
        let kind = format!("sentence_transformers.models.{kind}");
        json!({"path": path, "type": kind})
    };
    let mut modules = vec![module("", "Transformer"), module("1_Pooling", "Pooling")];
    modules.extend(normalize.then(|| module("2_Normalize", "Normalize")));
    write_json(&place("modules.json"), &Value::from(modules));
    std::fs::create_dir(place("1_Pooling")).unwrap();
    write_json(&place("1_Pooling/config.json"), &pooling);
    folder
}

pub fn embedder(folder: &TempDir) -> encoders::Result<SentenceEmbedder> {
    SentenceEmbedder::from_pretrained(folder.path().to_str().unwrap(), &Device::Cpu)
}

pub fn mean() -> Value {
    json!({
        "word_embedding_dimension": 8, "pooling_mode_cls_token": false,
        "pooling_mode_mean_tokens": true,
    })
}

#[test]
fn texts_are_cut_where_the_checkpoint_says() {
    let folder = folder(mean(), true);
    let tokenizer = Tokenizer::from_pretrained(folder.path().to_str().unwrap()).unwrap();
    let ids = tokenizer.ids(&["A cat sat", "the cat and the dogs ran on the mat", ""]).unwrap();
    assert_eq!(ids, [vec![2, 4, 5, 6, 3], vec![2, 8, 5, 10, 8, 3], vec![2, 3]]);
    let batch = tokenizer.batch(&["A cat sat", ""], (0, "[PAD]"), &Device::Cpu).unwrap();
    assert_eq!(batch.input_ids.to_vec2::<i64>().unwrap(), [[2, 4, 5, 6, 3], [2, 3, 0, 0, 0]]);
    assert_eq!(
        batch.attention_mask.to_vec2::<i64>().unwrap(),
        [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    );
}

#[test]
fn encode_keeps_the_order_and_needs_no_neighbours() {
    let folder = folder(mean(), true);
    let embedder = embedder(&folder).unwrap();
    let texts = ["", "a cat", "the cat sat on the mat", "dogs", "a cat"];
    let together = embedder.encode(&texts).unwrap();
    assert_eq!(together.len(), 5);
    for (text, vector) in texts.iter().zip(&together) {
        let alone = &embedder.encode(&[text]).unwrap()[0];
        assert!(alone.iter().zip(vector).all(|(a, b)| (a - b).abs() < 1e-6), "{text}");
        let length: f32 = vector.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5);
    }
    assert_eq!(together[1], together[4]);
    assert!(embedder.encode::<&str>(&[]).unwrap().is_empty());
}

#[test]
fn an_encoder_in_eight_bits_takes_the_place_of_the_loaded_one() {
    let folder = folder(mean(), true);
    let mut embedder = embedder(&folder).unwrap();
    let text = ["the cat sat"];
    let whole = embedder.encode(&text).unwrap().remove(0);
    let model = Model::from_pretrained(folder.path().to_str().unwrap(), &Device::Cpu).unwrap();
    embedder.model = model.in_int8().unwrap().network;
    let eighths = embedder.encode(&text).unwrap().remove(0);
    assert_ne!(whole, eighths);
    let cosine: f32 = whole.iter().zip(&eighths).map(|(a, b)| a * b).sum();
    assert!(cosine > 0.99, "{cosine}");
}

#[test]
fn pooling_follows_its_configuration() {
    let both = json!({"pooling_mode": ["cls", "max"]});
    let folder_of_both = folder(both, false);
    let embedder_of_both = embedder(&folder_of_both).unwrap();
    let vector = &embedder_of_both.encode(&["a cat sat"]).unwrap()[0];
    assert_eq!(vector.len(), 16);
    let ids = candle_core::Tensor::new(&[2i64, 4, 5, 6, 3], &Device::Cpu).unwrap();
    let hidden =
        embedder_of_both.model.last_hidden_state(&Inputs::packed(&ids, &[0, 5])).unwrap();
    let hidden = hidden.to_vec2::<f32>().unwrap();
    assert_eq!(vector[..8], hidden[0]);
    let largest = |place: usize| hidden.iter().map(|row| row[place]).fold(f32::MIN, f32::max);
    assert!((0..8).all(|place| vector[8 + place] == largest(place)));

    let unknown = [
        json!({"pooling_mode": "firsttoken"}),
        json!({"pooling_mode": ["mean", "median"]}),
        json!({"pooling_mode_of_tomorrow": true}),
    ];
    for pooling in unknown {
        let error = embedder(&folder(pooling, false)).err().unwrap().to_string();
        assert!(error.contains("pooling mode"), "{error}");
    }
}

#[test]
fn both_spellings_name_the_same_ways() {
    let vectors = |pooling| embedder(&folder(pooling, false)).unwrap().encode(&["a cat sat"]);
    for (name, switch) in [
        ("mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"),
        ("weightedmean", "pooling_mode_weightedmean_tokens"),
        ("lasttoken", "pooling_mode_lasttoken"),
    ] {
        let vector = vectors(json!({"pooling_mode": name})).unwrap();
        assert_eq!(vector, vectors(json!({switch: true})).unwrap());
        assert_ne!(vector, vectors(mean()).unwrap());
        let both = vectors(json!({"pooling_mode_cls_token": true, switch: true})).unwrap();
        assert_eq!(both[0][8..], vector[0]);
    }
}

#[test]
fn no_pooling_mode_is_the_mean() {
    let vector =
        |pooling| embedder(&folder(pooling, false)).unwrap().encode(&["a cat"]).unwrap();
    assert_eq!(vector(json!({"pooling_mode_cls_token": false})), vector(mean()));
    assert_ne!(vector(json!({"pooling_mode_cls_token": true})), vector(mean()));
}

#[test]
fn batches_of_any_size_give_the_same_and_are_counted() {
    let embedder = embedder(&folder(mean(), true)).unwrap();
    let texts = ["a", "the cat", "dogs ran", "", "a cat sat on the mat"];
    let whole = embedder.encode(&texts).unwrap();
    for size in [1, 2, 100] {
        let mut seen = Vec::new();
        let options =
            Options::new().batch_size(size).progress(|done, all| seen.push((done, all)));
        let vectors = embedder.encode_with(&texts, options).unwrap();
        for (a, b) in vectors.iter().flatten().zip(whole.iter().flatten()) {
            assert!((a - b).abs() < 1e-6);
        }
        let counted: Vec<_> = (1..=5).filter(|done| done % size == 0 || *done == 5).collect();
        assert_eq!(seen, counted.into_iter().map(|done| (done, 5)).collect::<Vec<_>>());
    }
    let none = embedder.encode_with(&texts, Options::new().batch_size(0));
    assert!(none.unwrap_err().to_string().contains("batch_size is 0"));
}

#[test]
fn vectors_that_are_not_finite_are_an_error() {
    let folder = folder_of(mean(), true, |tensors| {
        let scale = tensors.get_mut("encoder.layer.1.output.LayerNorm.weight").unwrap();
        *scale = (scale.ones_like().unwrap() * 3e38).unwrap();
    });
    match embedder(&folder).unwrap().encode(&["a cat sat"]) {
        Err(Error::Checkpoint(text)) => assert!(text.contains("NaN or infinity"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn unknown_modules_and_broken_files_are_refused() {
    let broken = |name: &str, text: &str| {
        let folder = folder(mean(), false);
        std::fs::write(folder.path().join(name), text).unwrap();
        embedder(&folder).err().unwrap_or_else(|| panic!("{name} {text} loaded")).to_string()
    };
    let module = |path: &str, kind: &str| json!({"path": path, "type": kind});
    let st =
        |path: &str, kind: &str| module(path, &format!("sentence_transformers.models.{kind}"));
    let modules = |modules: &[Value]| broken("modules.json", &json!(modules).to_string());
    let (first, second) = (st("", "Transformer"), st("1_Pooling", "Pooling"));
    let listed = "supported: a Transformer, a Pooling, and what follows them";
    assert!(modules(&[first.clone(), second.clone(), st("2_CNN", "CNN")]).contains("CNN"));
    assert!(modules(&[second.clone(), first.clone()]).contains(listed));
    assert!(modules(std::slice::from_ref(&first)).contains(listed));
    assert!(modules(&[]).contains("lists the modules none"));
    assert!(
        modules(&[module("", "my.Transformer"), second.clone()]).contains("my.Transformer")
    );
    assert!(modules(&[st("0_Transformer", "Transformer"), second]).contains("0_Transformer"));
    let nowhere = json!({"type": "sentence_transformers.models.Pooling"});
    assert!(modules(&[first.clone(), nowhere]).contains("sends Pooling to null"));
    for outside in ["../1_Pooling", "/1_Pooling", "", ".", "./", "1_Pooling/../.."] {
        let error = modules(&[first.clone(), st(outside, "Pooling")]);
        assert!(error.contains("a folder inside its own"), "{outside}: {error}");
    }
    assert!(broken("modules.json", "{").contains("not valid JSON"));
    assert!(broken("tokenizer.json", "{}").contains("holds no model"));
    for wrong in ["-1", "2", "3.5", "true", "\"6\""] {
        let error =
            broken("sentence_bert_config.json", &format!(r#"{{"max_seq_length": {wrong}}}"#));
        assert!(error.contains("max_seq_length is"), "{error}");
    }
    let pooling = |values: Value| broken("1_Pooling/config.json", &values.to_string());
    assert!(pooling(json!({"word_embedding_dimension": 9})).contains("pools vectors of 9"));
    assert!(pooling(json!({"include_prompt": 0})).contains("include_prompt is 0"));
    assert!(pooling(json!({"pooling_mode_cls_token": 1})).contains("must be true or false"));
    assert!(pooling(json!({"pooling_mode": []})).contains("pooling_mode is []"));
    assert!(pooling(json!({"of_tomorrow": 1})).contains("the key of_tomorrow"));
    let folder = folder(mean(), true);
    std::fs::create_dir(folder.path().join("2_Normalize")).unwrap();
    let of_tokens = json!({"module_input_name": "token_embeddings"});
    write_json(&folder.path().join("2_Normalize/config.json"), &of_tokens);
    assert!(embedder(&folder).err().unwrap().to_string().contains("module_input_name"));
}
