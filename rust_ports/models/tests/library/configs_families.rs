//! Configurations of DistilBERT, MPNet and ELECTRA: defaults, spellings, and what is refused.

use encoders_models::Result;
use encoders_models::distilbert::DistilBertConfig;
use encoders_models::electra::ElectraConfig;
use encoders_models::family::Config;
use encoders_models::mpnet::MPNetConfig;

fn read(model_type: &str, rest: &str) -> Result<Config> {
    Config::from_json(&format!(r#"{{"model_type": "{model_type}"{rest}}}"#))
}

#[test]
fn defaults_are_those_of_transformers() {
    for (name, words, hidden, longest, types) in [
        ("distilbert", 30522, 768, 512, 1),
        ("mpnet", 30527, 768, 510, 1),
        ("electra", 30522, 256, 512, 2),
    ] {
        let config = read(name, "").unwrap();
        let encoder = config.encoder();
        assert_eq!((encoder.vocab_size, encoder.hidden_size), (words, hidden), "{name}");
        assert_eq!(encoder.pad_token_id, Some(usize::from(name == "mpnet")), "{name}");
        assert_eq!(config.limits().max_tokens, longest, "{name}");
        assert_eq!(config.limits().type_vocab_size, types, "{name}");
    }
    let distilbert = DistilBertConfig::from_json(r#"{"model_type": "distilbert"}"#).unwrap();
    assert_eq!((distilbert.num_hidden_layers, distilbert.intermediate_size), (6, 3072));
    assert_eq!((distilbert.hidden_act.as_str(), distilbert.seq_classif_dropout), ("gelu", 0.2));
    let mpnet = MPNetConfig::from_json(r#"{"model_type": "mpnet"}"#).unwrap();
    assert_eq!((mpnet.num_hidden_layers, mpnet.layer_norm_eps), (12, 1e-12));
    let electra = ElectraConfig::from_json(r#"{"model_type": "electra"}"#).unwrap();
    assert_eq!((electra.num_attention_heads, electra.intermediate_size), (4, 1024));
    assert_eq!((electra.embedding_size, electra.projects()), (128, true));
    assert_eq!(electra.summary_activation.as_deref(), Some("gelu"));
}

/// Transformers takes three of DistilBERT's keys under the usual names too, and two not.
#[test]
fn distilbert_spells_in_its_own_way() {
    let read = |text: &str| {
        let text = format!(r#"{{"model_type": "distilbert", {text}}}"#);
        DistilBertConfig::from_json(&text).unwrap()
    };
    let own = read(
        r#""dim": 8, "n_layers": 2, "n_heads": 4, "hidden_dim": 12, "activation": "relu""#,
    );
    assert_eq!((own.hidden_size, own.num_hidden_layers, own.num_attention_heads), (8, 2, 4));
    assert_eq!((own.intermediate_size, own.hidden_act.as_str()), (12, "relu"));
    let usual = read(
        r#""hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4,
           "intermediate_size": 12, "hidden_act": "relu""#,
    );
    assert_eq!(
        (usual.hidden_size, usual.num_hidden_layers, usual.num_attention_heads),
        (8, 2, 4)
    );
    assert_eq!((usual.intermediate_size, usual.hidden_act.as_str()), (3072, "gelu"));
    let both = read(r#""dim": 8, "n_heads": 4, "num_attention_heads": 2"#);
    assert_eq!((both.hidden_size, both.num_attention_heads), (8, 2));
}

#[test]
fn electra_may_leave_a_summary_as_it_is() {
    let text = r#"{"model_type": "electra", "summary_activation": ""}"#;
    assert_eq!(ElectraConfig::from_json(text).unwrap().summary_activation, None);
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = [
        ("distilbert", r#""dim": 10"#, "dim 10 is not a multiple of n_heads 12"),
        ("distilbert", r#""n_layers": 0"#, "n_layers is 0"),
        ("distilbert", r#""n_layers": 1001"#, "n_layers is 1001"),
        ("distilbert", r#""hidden_dim": null"#, "hidden_dim is null"),
        ("distilbert", r#""activation": "geglu""#, r#"activation is "geglu""#),
        ("distilbert", r#""qa_dropout": 2"#, "qa_dropout is 2"),
        ("distilbert", r#""sinusoidal_pos_embds": 1"#, "sinusoidal_pos_embds is 1"),
        ("distilbert", r#""is_decoder": true"#, "is_decoder is true"),
        ("mpnet", r#""relative_attention_num_buckets": 16"#, "num_buckets is 16"),
        ("mpnet", r#""pad_token_id": 0"#, "pad_token_id is 0"),
        ("mpnet", r#""pad_token_id": null"#, "pad_token_id is null"),
        ("mpnet", r#""max_position_embeddings": 2"#, "no position for a token"),
        ("electra", r#""summary_type": "mean""#, r#"summary_type is "mean""#),
        ("electra", r#""summary_proj_to_labels": true"#, "summary_proj_to_labels is true"),
        ("electra", r#""summary_activation": "geglu""#, r#"summary_activation is "geglu""#),
        ("electra", r#""embedding_size": 0"#, "embedding_size is 0"),
        ("electra", r#""position_embedding_type": "relative_key""#, "relative_key"),
    ];
    for (model_type, text, part) in wrong {
        let error = read(model_type, &format!(", {text}")).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
