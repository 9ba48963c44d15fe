//! What is asked of the vectors: prompts, a length, a number of dimensions; and how two are
//! compared.

use candle_core::{Device, Tensor};
use encoders::embedder::Options;
use encoders::{Inputs, SentenceEmbedder, Similarity};
use serde_json::{Value, json};

use crate::embedder::{embedder, folder, mean};
use crate::files::write_json;

const SENTENCES: &str = "config_sentence_transformers.json";

/// A model whose config_sentence_transformers.json is this.
fn model(settings: Value, pooling: Value, unit: bool) -> encoders::Result<SentenceEmbedder> {
    let folder = folder(pooling, unit);
    write_json(&folder.path().join(SENTENCES), &settings);
    let named = json!({"tokenizer_class": "PreTrainedTokenizerFast", "sep_token": "[SEP]"});
    write_json(&folder.path().join("tokenizer_config.json"), &named);
    embedder(&folder)
}

fn prompts() -> Value {
    json!({
        "prompts": {"query": "the ", "document": "a ", "other": "dogs ", "none": null},
        "default_prompt_name": "other",
    })
}

#[test]
fn a_prompt_is_named_given_or_the_default() {
    let plain = model(json!({}), mean(), true).unwrap();
    let expected = |text: &str| plain.encode(&[text]).unwrap();
    let embedder = model(prompts(), mean(), true).unwrap();
    let with = |options: Options| embedder.encode_with(&["cat"], options).unwrap();
    assert_eq!(embedder.encode(&["cat"]).unwrap(), expected("dogs cat"));
    assert_eq!(embedder.encode_query(&["cat"]).unwrap(), expected("the cat"));
    assert_eq!(embedder.encode_document(&["cat"]).unwrap(), expected("a cat"));
    assert_eq!(with(Options::new().prompt_name("query")), expected("the cat"));
    assert_eq!(with(Options::new().prompt_name("none")), expected("cat"));
    assert_eq!(with(Options::new().prompt("on the ")), expected("on the cat"));
    assert_eq!(with(Options::new().prompt("")), expected("cat"));
    let unknown = embedder.encode_with(&["cat"], Options::new().prompt_name("passage"));
    let error = unknown.unwrap_err().to_string();
    assert!(error.contains("\"passage\"") && error.contains("document, none"), "{error}");
}

#[test]
fn a_model_without_prompts_has_empty_ones() {
    let embedder = model(json!({"prompts": {"passage": "a "}}), mean(), true).unwrap();
    let plain = embedder.encode(&["cat"]).unwrap();
    assert_eq!(embedder.encode_query(&["cat"]).unwrap(), plain);
    assert_eq!(embedder.encode_document(&["cat"]).unwrap(), plain);
    let passage = Options::new().prompt_name("passage");
    assert_ne!(embedder.encode_with(&["cat"], passage).unwrap(), plain);
}

#[test]
fn pooling_may_leave_the_prompt_out() {
    let mut without = mean();
    without["include_prompt"] = json!(false);
    let embedder = model(prompts(), without, false).unwrap();
    let hidden = |ids: &[i64]| {
        let row = Tensor::new(ids, &Device::Cpu).unwrap();
        let hidden =
            embedder.model.last_hidden_state(&Inputs::packed(&row, &[0, ids.len()])).unwrap();
        hidden.to_vec2::<f32>().unwrap()
    };
    // [CLS] the | cat [SEP]: what stands before a text is left out with the prompt.
    let seen = &hidden(&[2, 8, 5, 3])[2..];
    let found = embedder.encode_query(&["cat"]).unwrap().remove(0);
    for (place, number) in found.iter().enumerate() {
        let expected = seen.iter().map(|row| row[place]).sum::<f32>() / 2.0;
        assert!((number - expected).abs() < 1e-6);
    }
    let all = hidden(&[2, 5, 3]);
    let bare = embedder.encode_with(&["cat"], Options::new().prompt("")).unwrap().remove(0);
    assert!((bare[0] - all.iter().map(|row| row[0]).sum::<f32>() / 3.0).abs() < 1e-6);
    assert_eq!(embedder.tokenizer.prompt_length("the ").unwrap(), 2);
    // A prompt is cut where every text is: one token is left, if only the last.
    let long = "the cat and the dogs ran on the mat";
    assert_eq!(embedder.tokenizer.prompt_length(long).unwrap(), 5);
    assert!(embedder.encode_with(&["cat"], Options::new().prompt(long)).is_ok());
}

#[test]
fn a_special_token_must_be_named_to_end_a_prompt() {
    let folder = folder(mean(), false);
    let path = folder.path().join("tokenizer_config.json");
    let lengths = ["[SEP]", "[PAD]"].map(|named| {
        let class = "PreTrainedTokenizerFast";
        write_json(&path, &json!({"tokenizer_class": class, "sep_token": named}));
        embedder(&folder).unwrap().tokenizer.prompt_length("the ").unwrap()
    });
    assert_eq!(lengths, [2, 3]);
}

#[test]
fn vectors_are_cut_and_then_normalized() {
    let embedder = model(json!({"truncate_dim": 5}), mean(), true).unwrap();
    let with = |options: Options| embedder.encode_with(&["cat"], options).unwrap().remove(0);
    let whole = with(Options::new().truncate_dim(8));
    let length = |vector: &[f32]| vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!((length(&whole) - 1.0).abs() < 1e-6);
    assert_eq!(embedder.dimensions(), 5);
    assert_eq!(embedder.encode(&["cat"]).unwrap()[0], whole[..5]);
    assert_eq!(with(Options::new().truncate_dim(3)), whole[..3]);
    let unit = with(Options::new().truncate_dim(3).normalize(true));
    for (number, cut) in unit.iter().zip(&whole[..3]) {
        assert!((number - cut / length(&whole[..3])).abs() < 1e-6);
    }
    let plain = model(json!({}), mean(), false).unwrap().encode(&["cat"]).unwrap().remove(0);
    assert_eq!(with(Options::new().truncate_dim(8).normalize(false)), plain);
    for wrong in [0, 9] {
        let error = embedder.encode_with(&["cat"], Options::new().truncate_dim(wrong));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(&format!("truncate_dim is {wrong}")), "{error}");
    }
}

#[test]
fn vectors_are_compared_as_the_checkpoint_says() {
    let named = |name: Value| {
        model(json!({"similarity_fn_name": name}), mean(), false).map(|found| found.similarity)
    };
    for (name, similarity) in [
        (json!("cosine"), Similarity::Cosine),
        (json!("dot"), Similarity::Dot),
        (json!("euclidean"), Similarity::Euclidean),
        (json!("manhattan"), Similarity::Manhattan),
        (json!(null), Similarity::Cosine),
        (json!(""), Similarity::Cosine),
    ] {
        assert_eq!(named(name).unwrap(), similarity);
    }
    for wrong in [json!("maxsim"), json!(3)] {
        let error = named(wrong).unwrap_err().to_string();
        assert!(
            error.contains("similarity_fn_name is") && error.contains(SENTENCES),
            "{error}"
        );
    }
}

#[test]
fn scores_are_those_of_their_definitions() {
    let vectors = [vec![3.0, 4.0], vec![0.0, 0.0]];
    let references = [vec![4.0, 3.0], vec![0.0, 2.0], vec![3.0, 4.0]];
    let scores = |similarity: Similarity| similarity.scores(&vectors, &references).unwrap();
    assert_eq!(scores(Similarity::Dot), [[24.0, 8.0, 25.0], [0.0; 3]]);
    assert_eq!(scores(Similarity::Manhattan), [[-2.0, -5.0, 0.0], [-7.0, -2.0, -7.0]]);
    let apart = scores(Similarity::Euclidean);
    assert_eq!(apart, [[-(2f32.sqrt()), -(13f32.sqrt()), 0.0], [-5.0, -2.0, -5.0]]);
    let cosine = scores(Similarity::Cosine);
    for (found, expected) in cosine[0].iter().zip([0.96, 0.8, 1.0]) {
        assert!((found - expected).abs() < 1e-6);
    }
    assert_eq!(cosine[1], [0.0; 3]);
    assert_eq!(Similarity::Dot.scores(&vectors, &[]).unwrap(), [[], [] as [f32; 0]]);
    assert!(Similarity::Dot.scores(&[], &references).unwrap().is_empty());
    let ragged = Similarity::Dot.scores(&vectors, &[vec![1.0]]).unwrap_err().to_string();
    assert!(ragged.contains("2 numbers and 1"), "{ragged}");
}
