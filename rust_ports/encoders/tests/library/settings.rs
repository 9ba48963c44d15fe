//! What sentence-transformers' and Transformers' settings say of a text and of its vector:
//! honoured, or refused by name.

use std::path::Path;

use serde_json::{Value, json};

use crate::embedder::{embedder, folder, mean};
use crate::files::write_json;

/// The vector of a text where these files stand in the folder.
fn embed(files: &[(&str, Value)], text: &str) -> encoders::Result<Vec<f32>> {
    let folder = folder(mean(), true);
    for (name, value) in files {
        write_json(&folder.path().join(name), value);
    }
    Ok(embedder(&folder)?.encode(&[text])?.remove(0))
}

fn same(files: &[(&str, Value)], text: &str, plain: &str) {
    assert_eq!(embed(files, text).unwrap(), embed(&[], plain).unwrap(), "{files:?}");
}

fn refused(name: &str, value: Value, part: &str) {
    let error = embed(&[(name, value.clone())], "a cat").expect_err(&value.to_string());
    let error = error.to_string();
    assert!(error.contains(part) && error.contains(name), "{part:?} is not in {error:?}");
}

const SENTENCES: &str = "config_sentence_transformers.json";
const SENTENCE: &str = "sentence_bert_config.json";
const TOKENIZER: &str = "tokenizer_config.json";

#[test]
fn the_default_prompt_is_put_before_each_text() {
    let prompts = json!({"query": "the cat ", "other": "a ", "none": null});
    let named = |name: Value| {
        [(SENTENCES, json!({"prompts": prompts.clone(), "default_prompt_name": name}))]
    };
    same(&named(json!("query")), "sat", "the cat sat");
    same(&named(json!("other")), "sat", "a sat");
    for none in [json!(null), json!(""), json!("document"), json!("none")] {
        same(&named(none), "sat", "sat");
    }
    let wrong = |values: Value, part| refused(SENTENCES, values, part);
    wrong(json!({"default_prompt_name": "gone", "prompts": {"a": "b"}}), "\"gone\"");
    wrong(json!({"default_prompt_name": 3}), "default_prompt_name is 3");
    wrong(json!({"default_prompt_name": "a", "prompts": ["b"]}), "prompts is [\"b\"]");
    wrong(json!({"default_prompt_name": "a", "prompts": {"a": 3}}), "the prompt \"a\" is 3");
}

#[test]
fn vectors_are_cut_after_normalization() {
    let whole = embed(&[], "a cat").unwrap();
    let cut =
        |dim: Value| embed(&[(SENTENCES, json!({"truncate_dim": dim}))], "a cat").unwrap();
    assert_eq!(cut(json!(3)), whole[..3]);
    assert_eq!(cut(json!(null)), whole);
    assert_eq!(cut(json!(99)), whole);
    for wrong in [json!(0), json!(-1), json!(2.5), json!("3"), json!(true)] {
        refused(SENTENCES, json!({"truncate_dim": wrong}), "truncate_dim is");
    }
}

#[test]
fn other_kinds_of_models_are_refused() {
    same(&[(SENTENCES, json!({"model_type": "SentenceTransformer"}))], "a", "a");
    for kind in ["CrossEncoder", "SparseEncoder"] {
        refused(SENTENCES, json!({"model_type": kind}), kind);
    }
}

#[test]
fn without_modules_the_mean_is_taken() {
    let folder = folder(mean(), true);
    let vector = |folder| embedder(folder).unwrap().encode(&["a cat"]).unwrap().remove(0);
    let unit = vector(&folder);
    std::fs::remove_file(folder.path().join("modules.json")).unwrap();
    let error = embedder(&folder).err().unwrap().to_string();
    assert!(error.contains(SENTENCE) && error.contains("no modules.json"), "{error}");
    std::fs::remove_file(folder.path().join(SENTENCE)).unwrap();
    let mean = vector(&folder);
    let length = mean.iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!(mean.iter().zip(unit).all(|(a, b)| (a / length - b).abs() < 1e-6));
}

#[test]
fn the_shorter_of_all_lengths_counts() {
    let text = "a cat sat on the mat and the dogs ran on the mat";
    let cut = |words: &str, files: &[(&str, Value)]| {
        let mut files = files.to_vec();
        let class = json!({"tokenizer_class": "PreTrainedTokenizerFast"});
        if let Some((_, value)) = files.iter_mut().find(|(name, _)| *name == TOKENIZER) {
            value["tokenizer_class"] = class["tokenizer_class"].clone();
        }
        let whole = [(SENTENCE, json!({"max_seq_length": 1e30}))];
        assert_eq!(embed(&files, text).unwrap(), embed(&whole, words).unwrap(), "{files:?}");
    };
    let nothing = || (SENTENCE, json!({}));
    cut("a cat sat on", &[]);
    cut("a cat sat", &[(SENTENCE, json!({"max_seq_length": 5}))]);
    cut("a cat sat", &[nothing(), (TOKENIZER, json!({"model_max_length": 5}))]);
    cut("a cat sat", &[nothing(), (TOKENIZER, json!({"max_len": 5.0}))]);
    cut("a cat sat on", &[(TOKENIZER, json!({"model_max_length": 5}))]);
    cut(text, &[nothing(), (TOKENIZER, json!({"model_max_length": 1e30}))]);
    cut(
        "the mat",
        &[
            (SENTENCE, json!({"max_seq_length": 4})),
            (TOKENIZER, json!({"truncation_side": "left"})),
        ],
    );
    let handed_on =
        json!({"tokenizer_args": {"model_max_length": 4, "truncation_side": "left"}});
    cut("the mat", &[(SENTENCE, handed_on)]);
    refused(TOKENIZER, json!({"truncation_side": "up"}), "truncation_side is \"up\"");
}

#[test]
fn older_names_of_the_sentence_file_count_too() {
    let text = "the cat and the dogs ran";
    for kind in ["roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"] {
        let name = format!("sentence_{kind}_config.json");
        let files = [(SENTENCE, json!({})), (name.as_str(), json!({"max_seq_length": 4}))];
        same(&files, text, "the cat");
    }
}

#[test]
fn what_else_the_sentence_file_says_is_refused() {
    let refused = |values: Value, part| refused(SENTENCE, values, part);
    refused(json!({"transformer_task": "fill-mask"}), "transformer_task");
    refused(json!({"module_output_name": "sentence_embedding"}), "module_output_name");
    refused(json!({"config_args": {"num_hidden_layers": 1}}), "num_hidden_layers");
    refused(json!({"model_args": {"dtype": "float16"}}), "float16");
    refused(json!({"processor_kwargs": {"padding_side": "left"}}), "padding_side");
    refused(json!({"tokenizer_name_or_path": "elsewhere"}), "tokenizer_name_or_path");
    refused(json!({"query_length": 32}), "query_length");
    refused(json!({"of_tomorrow": 1}), "of_tomorrow");
    refused(json!({"do_lower_case": "yes"}), "do_lower_case");
    let written_today = json!({
        "max_seq_length": 6, "do_lower_case": false, "transformer_task": "feature-extraction",
        "modality_config":
            {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        "module_output_name": "token_embeddings", "processing_kwargs": {},
        "model_args": {"attn_implementation": "sdpa", "torch_dtype": "float32"},
    });
    same(&[(SENTENCE, written_today)], "a cat", "a cat");
}

#[test]
fn texts_are_lower_cased_where_the_sentence_file_says() {
    let mut tokenizer = crate::embedder::tokenizer_json();
    tokenizer["normalizer"] = json!(null);
    let plain = ("tokenizer.json", tokenizer);
    let unknown = embed(std::slice::from_ref(&plain), "DOGS").unwrap();
    assert_eq!(unknown, embed(&[], "nonsense").unwrap());
    let lower = (SENTENCE, json!({"do_lower_case": true}));
    same(&[plain, lower], "DOGS", "dogs");
}

/// A name that leads to what is no file is an error at once, where reading it would never end.
#[cfg(unix)]
#[test]
fn pipes_and_devices_are_no_settings() {
    let names = [
        "config.json",
        "modules.json",
        "1_Pooling/config.json",
        "tokenizer.json",
        SENTENCE,
        SENTENCES,
        TOKENIZER,
    ];
    let pipe = |path: &Path| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let zero = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    let nowhere = |path: &Path| std::os::unix::fs::symlink("/nowhere", path).unwrap();
    for place in [&pipe as &dyn Fn(&Path), &zero, &nowhere] {
        for name in names {
            let folder = folder(mean(), true);
            let path = folder.path().join(name);
            std::fs::remove_file(&path).ok();
            place(&path);
            let error = embedder(&folder).err().expect(name).to_string();
            assert!(error.contains("cannot be read"), "{name}: {error}");
        }
    }
}

#[test]
fn a_settings_file_has_an_end() {
    let folder = folder(mean(), true);
    let file = std::fs::File::create(folder.path().join("modules.json")).unwrap();
    file.set_len(1 << 30).unwrap(); // of no bytes on the disk
    let error = embedder(&folder).err().unwrap().to_string();
    assert!(error.contains("larger than 256 MiB"), "{error}");
}
