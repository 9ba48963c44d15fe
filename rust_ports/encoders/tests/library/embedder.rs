//! From text to vectors, with a tokenizer and a checkpoint made from nothing.

use crate::common::{config, config_json, tensors};
use crate::files::write;
use candle_core::{DType, Device};
use encoders::{Inputs, SentenceEmbedder, Tokenizer};
use serde_json::{Value, json};
use tempfile::TempDir;

const WORDS: [&str; 13] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "sat", "on", "the", "mat", "and", "dogs",
    "ran",
];

/// A word-level tokenizer as tokenizer.json spells it, saved with a padding and a truncation to
/// be ignored.
fn tokenizer_json() -> Value {
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

fn folder(pooling: Value, normalize: bool) -> TempDir {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    write(
        folder.path(),
        &config_json("bert", json!({})),
        &tensors(&config("bert", json!({})), "BertModel", DType::F32),
    );
    std::fs::write(place("tokenizer.json"), tokenizer_json().to_string()).unwrap();
    std::fs::write(
        place("sentence_bert_config.json"),
        json!({"max_seq_length": 6}).to_string(),
    )
    .unwrap();
    let module = |path: &str, kind: &str| {
        let kind = format!("sentence_transformers.models.{kind}");
        json!({"path": path, "type": kind})
    };
    let mut modules = vec![module("", "Transformer"), module("1_Pooling", "Pooling")];
    modules.extend(normalize.then(|| module("2_Normalize", "Normalize")));
    std::fs::write(place("modules.json"), Value::from(modules).to_string()).unwrap();
    std::fs::create_dir(place("1_Pooling")).unwrap();
    std::fs::write(place("1_Pooling/config.json"), pooling.to_string()).unwrap();
    folder
}

fn embedder(folder: &TempDir) -> encoders::Result<SentenceEmbedder> {
    SentenceEmbedder::from_pretrained(folder.path().to_str().unwrap(), &Device::Cpu)
}

fn mean() -> Value {
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
        json!({"pooling_mode": "lasttoken"}),
        json!({"pooling_mode_mean_sqrt_len_tokens": true}),
        json!({}),
    ];
    for pooling in unknown {
        let error = embedder(&folder(pooling, false)).err().unwrap().to_string();
        assert!(error.contains("pooling mode"), "{error}");
    }
}

#[test]
fn unknown_modules_and_broken_files_are_refused() {
    let broken = |name: &str, text: &str| {
        let folder = folder(mean(), false);
        std::fs::write(folder.path().join(name), text).unwrap();
        embedder(&folder).err().unwrap_or_else(|| panic!("{name} {text} loaded")).to_string()
    };
    let dense = r#"[{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]"#;
    assert!(broken("modules.json", dense).contains("Dense is not implemented"));
    let outside =
        r#"[{"path": "../1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#;
    assert!(broken("modules.json", outside).contains("folder inside"));
    assert!(broken("modules.json", "[]").contains("no pooling module"));
    assert!(broken("modules.json", "{").contains("not valid JSON"));
    assert!(broken("tokenizer.json", "{}").contains("tokenizer.json cannot be used"));
    assert!(
        broken("sentence_bert_config.json", r#"{"max_seq_length": -1}"#)
            .contains("max_seq_length is -1")
    );
    assert!(
        broken("sentence_bert_config.json", r#"{"max_seq_length": 1}"#).contains("cut at 1")
    );
}
