//! Tokenizer files as Transformers opens them; damaged ones, which are an error and never a
//! panic.

use encoders::{Error, Result, Tokenizer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::config_json;
use crate::embedder::tokenizer_json;
use crate::files::write_json;

const WORDS: [&str; 12] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "Cat", "é", "e", "中", "##s", "<s>"];

fn open(model_type: &str, files: &[(&str, Value)]) -> Result<Tokenizer> {
    let folder = TempDir::new().unwrap();
    write_json(&folder.path().join("config.json"), &config_json(model_type, json!({})));
    for (name, value) in files {
        let path = folder.path().join(name);
        match value {
            Value::String(text) => std::fs::write(path, text).unwrap(),
            value => write_json(&path, value),
        }
    }
    Tokenizer::from_pretrained(folder.path().to_str().unwrap())
}

fn ids(files: &[(&str, Value)], text: &str) -> Vec<i64> {
    open("bert", files).unwrap().ids(&[text]).unwrap().remove(0)
}

fn words() -> (&'static str, Value) {
    ("vocab.txt", json!(WORDS.join("\n") + "\n"))
}

/// As BERT's tokenizer.json is.
fn word_pieces() -> Value {
    let mut content = tokenizer_json();
    let vocabulary: Value =
        WORDS.iter().enumerate().map(|(id, word)| (word.to_string(), json!(id))).collect();
    content["normalizer"] = json!({
        "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
        "strip_accents": null, "lowercase": true,
    });
    content["pre_tokenizer"] = json!({"type": "BertPreTokenizer"});
    content["model"] = json!({
        "type": "WordPiece", "vocab": vocabulary, "unk_token": "[UNK]",
        "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
    });
    content
}

fn settings(values: Value) -> (&'static str, Value) {
    ("tokenizer_config.json", values)
}

#[test]
fn word_lists_and_files_are_read_as_transformers_reads_them() {
    for vocabulary in [words(), ("tokenizer.json", word_pieces())] {
        let of = |values: Value, text: &str| ids(&[vocabulary.clone(), settings(values)], text);
        assert_eq!(of(json!({}), "Cats É 中中"), [2, 5, 10, 8, 9, 9, 3]);
        assert_eq!(of(json!({"do_lower_case": false}), "Cats é"), [2, 6, 10, 7, 3]);
        assert_eq!(of(json!({"strip_accents": false}), "É"), [2, 7, 3]);
        assert_eq!(of(json!({"tokenize_chinese_chars": false}), "中中"), [2, 1, 3]);
        assert_eq!(of(json!({}), "cat[MASK]<s>"), [2, 5, 4, 1, 1, 1, 3]);
        assert_eq!(of(json!({"bos_token": "<s>"}), "cat <s>"), [2, 5, 11, 3]);
        assert_eq!(of(json!({"split_special_tokens": true}), "[MASK]"), [2, 1, 1, 1, 3]);
        let mapped = json!({"sep_token": {"content": "[MASK]"}});
        assert_eq!(
            ids(&[vocabulary.clone(), ("special_tokens_map.json", mapped)], "cat"),
            [2, 5, 4]
        );
        let listed =
            json!({"added_tokens_decoder": {"5": {"content": "cat", "special": true}}});
        assert_eq!(of(listed, "xcat"), [2, 1, 5, 3]);
    }
}

#[test]
fn padding_is_refused_where_it_changes_results() {
    let mut file = tokenizer_json();
    let opened = |model_type: &str, file: &Value, mut values: Value| {
        values["tokenizer_class"] = json!("PreTrainedTokenizerFast");
        open(model_type, &[("tokenizer.json", file.clone()), settings(values)])
    };
    let refused = |file: &Value, values: Value, part: &str| {
        let error = opened("bert", file, values).unwrap_err().to_string();
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    };
    refused(&file, json!({"padding_side": "left"}), "padding_side is left");
    refused(&file, json!({"padding_side": "up"}), "padding_side is \"up\"");
    refused(&file, json!({"model_input_names": ["input_ids"]}), "without attention_mask");
    refused(&file, json!({"model_input_names": "ids"}), "model_input_names is \"ids\"");
    opened("bert", &file, json!({"model_input_names": ["input_ids", "attention_mask"]}))
        .unwrap();
    opened("roberta", &file, json!({"padding_side": "left"})).unwrap();
    file["padding"] = json!({
        "strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
    });
    refused(&file, json!({}), "tokenizer.json: the direction of its padding is left");
    opened("bert", &file, json!({"padding_side": "right"})).unwrap();
    opened("roberta", &file, json!({})).unwrap();
}

#[test]
fn what_contradicts_is_refused() {
    let refused = |model_type: &str, files: &[(&str, Value)], part: &str| {
        let error = open(model_type, files).expect_err(part).to_string();
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    };
    let file = |edit: &dyn Fn(&mut Value)| {
        let mut content = word_pieces();
        edit(&mut content);
        ("tokenizer.json", content)
    };
    let ready = file(&|_| {});
    let class = |name: &str| settings(json!({"tokenizer_class": name}));
    refused("bert", &[ready.clone(), class("XLNetTokenizer")], "XLNetTokenizer");
    refused("bert", &[ready.clone(), class("RobertaTokenizerFast")], "RobertaTokenizer");
    refused("bert", &[file(&|c| c["normalizer"]["clean_text"] = json!(false))], "clean_text");
    refused("bert", &[file(&|c| c["pre_tokenizer"] = json!(null))], "pre_tokenizer");
    refused("bert", &[file(&|c| c["model"]["dropout"] = json!(0.1))], "dropout");
    refused("bert", &[file(&|c| c["post_processor"] = json!(null))], "post_processor");
    refused("roberta", &[words()], "bare word list");
    let of = |values: Value| [ready.clone(), settings(values)];
    refused("bert", &of(json!({"do_lower_case": "no"})), "do_lower_case is \"no\"");
    refused("bert", &of(json!({"cls_token": null})), "cls_token is null");
    refused("bert", &of(json!({"cls_token": 3})), "cls_token is 3");
    refused("bert", &of(json!({"add_eos_token": false})), "add_eos_token is false");
    let moved = json!({"added_tokens_decoder": {"7": {"content": "cat"}}});
    refused("bert", &of(moved), "with the id 7");
    refused("bert", &[("sentencepiece.bpe.model", json!("x"))], "SentencePiece");
    refused("bert", &[], "holds no tokenizer");
    // A file that says otherwise is taken as it stands where the folder asks for that.
    let kept = file(&|c| c["normalizer"]["lowercase"] = json!(false));
    assert_eq!(ids(&[kept.clone(), class("PreTrainedTokenizerFast")], "Cat"), [2, 6, 3]);
    assert_eq!(ids(&[kept], "Cat"), [2, 5, 3]);
}

#[test]
fn damaged_tokenizers_are_an_error_and_never_a_panic() {
    let regex = |pattern: &str| {
        json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
            "invert": false})
    };
    let template = |id: &str| {
        json!({"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": id, "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {}})
    };
    let precompiled =
        |table: &str| json!({"type": "Precompiled", "precompiled_charsmap": table});
    let mut other_type = tokenizer_json()["post_processor"].clone();
    other_type["single"][1]["Sequence"]["type_id"] = json!(1);
    let damages = [
        ("pre_tokenizer", regex("(")),
        ("post_processor", template("[GONE]")),
        ("post_processor", other_type),
        ("normalizer", precompiled("AAAA")),
        ("normalizer", precompiled("/////////////////////w==")),
        ("normalizer", json!({"type": "Nonsense"})),
        ("model", json!({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "[UNK]"})),
        ("model", json!({"type": "Unigram", "vocab": [], "unk_id": 3})),
        ("model", json!({"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]})),
    ];
    for (part, value) in damages {
        let mut content = tokenizer_json();
        content[part] = value.clone();
        let class = settings(json!({"tokenizer_class": "PreTrainedTokenizerFast"}));
        match open("bert", &[("tokenizer.json", content), class]) {
            Err(Error::Checkpoint(text)) => assert!(text.contains("tokenizer.json"), "{text}"),
            other => panic!("{part} {value}: {other:?}"),
        }
    }
}

#[test]
fn a_normalizer_does_not_make_a_mountain_of_a_text() {
    let many = "a".repeat(100);
    let hundredfold =
        |pattern: Value| json!({"type": "Replace", "pattern": pattern, "content": many});
    let letter = json!({"String": "a"});
    let nested: Vec<Value> = (0..4).map(|_| hundredfold(letter.clone())).collect();
    let part = |steps: Value| json!({"type": "Sequence", "normalizers": steps});
    let doubling = json!({"type": "Replace", "pattern": letter, "content": "aa"});
    let six: Vec<Value> = (0..6).map(|_| doubling.clone()).collect();
    for steps in [
        part(json!(nested)),
        part(json!([part(json!(nested[..1]))])),
        part(json!(six)),
        hundredfold(json!({"Regex": ""})),
    ] {
        let mut content = tokenizer_json();
        content["normalizer"] = steps;
        let class = settings(json!({"tokenizer_class": "PreTrainedTokenizerFast"}));
        let error =
            open("bert", &[("tokenizer.json", content), class]).unwrap_err().to_string();
        assert!(error.contains("times as long"), "{error}");
    }
}
