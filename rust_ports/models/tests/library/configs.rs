//! Configurations of BERT and of RoBERTa: defaults, spellings, and what is refused.

use encoders_models::Result;
use encoders_models::bert::BertConfig;
use encoders_models::family::Config;
use encoders_models::roberta::RobertaConfig;

fn read(text: &str) -> Result<Config> {
    Config::from_json(text)
}

#[test]
fn defaults_are_those_of_transformers() {
    let names = ["bert", "roberta", "xlm-roberta", "camembert"];
    let words = [30522, 50265, 30522, 30522];
    for ((name, vocab_size), longest) in names.into_iter().zip(words).zip([512, 510, 510, 510])
    {
        let config = read(&format!(r#"{{"model_type": "{name}"}}"#)).unwrap();
        let encoder = config.encoder();
        assert_eq!((encoder.vocab_size, encoder.hidden_size), (vocab_size, 768), "{name}");
        assert_eq!(encoder.pad_token_id, Some(usize::from(name != "bert")), "{name}");
        assert_eq!((encoder.num_labels(), encoder.tie_word_embeddings), (2, true));
        assert_eq!(config.limits().max_tokens, longest, "{name}");
        assert_eq!((config.model_type(), config.limits().type_vocab_size), (name, 2));
    }
    assert_eq!(
        BertConfig::from_json(r#"{"model_type": "bert"}"#).unwrap().num_hidden_layers,
        12
    );
    let roberta = RobertaConfig::from_json(r#"{"model_type": "camembert"}"#).unwrap();
    assert_eq!((roberta.num_attention_heads, roberta.hidden_act.as_str()), (12, "gelu"));
}

#[test]
fn labels_come_by_name_or_by_number() {
    let labels = |text: &str| read(&format!(r#"{{"model_type": "bert", {text}}}"#)).unwrap();
    let named = labels(r#""id2label": {"1": "b", "0": "a", "2": "c"}"#);
    assert_eq!((named.encoder().num_labels(), named.encoder().label2id()["c"]), (3, 2));
    assert_eq!(labels(r#""num_labels": 4"#).id2label()[&3], "LABEL_3");
    let integers = labels(r#""id2label": {"0": 10, "1": -1, "2": "c"}"#);
    assert_eq!(integers.id2label().values().collect::<Vec<_>>(), ["10", "-1", "c"]);
}

#[test]
fn code_that_comes_with_a_checkpoint_is_left_alone() {
    for name in ["bert", "roberta", "modernbert"] {
        let text = format!(
            r#"{{"model_type": "{name}", "auto_map": {{"AutoModel": "modeling.Other"}}}}"#
        );
        assert_eq!(read(&text).unwrap().model_type(), name);
    }
}

#[test]
fn the_known_are_named_where_one_is_unknown() {
    let error = read(r#"{"model_type": "gpt2"}"#).unwrap_err().to_string();
    assert!(error.contains("bert, xlm-roberta, roberta, camembert, modernbert"), "{error}");
    let camembert = read(r#"{"model_type": "camembert"}"#).unwrap();
    for name in ["CamembertForMaskedLM", "RobertaForMaskedLM", "XLMRobertaForMaskedLM"] {
        assert_eq!(camembert.architecture(name).unwrap().suffix, "ForMaskedLM");
    }
    let error = camembert.architecture("CamembertForMultipleChoice").unwrap_err().to_string();
    assert!(error.contains("XLMRoberta followed by Model, ForMaskedLM"), "{error}");
    let error = RobertaConfig::from_json(r#"{"model_type": "bert"}"#).unwrap_err().to_string();
    assert!(error.contains("\"bert\"") && error.contains("XLMRobertaConfig"), "{error}");
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = [
        ("", "not valid JSON"),
        ("[]", "JSON object"),
        ("{}", "model_type is missing"),
        (r#"{"model_type": "gpt2"}"#, "gpt2"),
        (r#"{"model_type": "bert", "hidden_act": "geglu"}"#, "geglu"),
        (r#"{"model_type": "bert", "hidden_size": 10}"#, "not a multiple"),
        (r#"{"model_type": "bert", "num_hidden_layers": 1001}"#, "no encoder"),
        (r#"{"model_type": "bert", "hidden_size": 0}"#, "hidden_size is 0"),
        (r#"{"model_type": "bert", "hidden_size": "8"}"#, "hidden_size"),
        (r#"{"model_type": "bert", "num_hidden_layers": 1.5}"#, "num_hidden_layers is 1.5"),
        (r#"{"model_type": "bert", "vocab_size": 1e30}"#, "vocab_size"),
        (r#"{"model_type": "bert", "layer_norm_eps": 0}"#, "layer_norm_eps"),
        (r#"{"model_type": "bert", "hidden_dropout_prob": 2}"#, "probability"),
        (r#"{"model_type": "bert", "pad_token_id": 40000}"#, "outside the vocabulary"),
        (r#"{"model_type": "bert", "is_decoder": true}"#, "is_decoder is true"),
        (
            r#"{"model_type": "bert", "position_embedding_type": "relative_key"}"#,
            "relative_key",
        ),
        (r#"{"model_type": "bert", "problem_type": "ranking"}"#, "ranking"),
        (r#"{"model_type": "bert", "id2label": {"0": "a", "2": "b"}}"#, "id2label"),
        (
            r#"{"model_type": "bert", "id2label": {"0": "a"}, "num_labels": 2}"#,
            "num_labels is 2",
        ),
        (r#"{"model_type": "bert", "id2label": {"0": 0.5}}"#, "id2label"),
        (r#"{"model_type": "bert", "id2label": {"0": true}}"#, "id2label"),
        (r#"{"model_type": "bert", "num_labels": 10000000}"#, "cannot be meant"),
        (r#"{"model_type": "bert", "tie_word_embeddings": "yes"}"#, "tie_word_embeddings"),
        (r#"{"model_type": "roberta", "pad_token_id": null}"#, "pad_token_id"),
        (
            r#"{"model_type": "roberta", "max_position_embeddings": 2}"#,
            "no position for a token",
        ),
    ];
    for (text, part) in wrong {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let deep = "[".repeat(100_000);
    assert!(read(&deep).is_err());
}
