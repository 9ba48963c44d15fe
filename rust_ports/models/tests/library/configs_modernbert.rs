//! ModernBERT's configurations: defaults, spellings, and what is refused.

use encoders_models::Result;
use encoders_models::config::LayerType::{FullAttention, SlidingAttention};
use encoders_models::modernbert::ModernBertConfig;
use serde_json::{Value, json};

fn read(mut changes: Value) -> Result<ModernBertConfig> {
    changes["model_type"] = json!("modernbert");
    ModernBertConfig::from_json(&changes.to_string())
}

#[test]
fn defaults_are_those_of_transformers() {
    let config = read(json!({})).unwrap();
    assert_eq!((config.vocab_size, config.num_hidden_layers), (50368, 22));
    assert_eq!((config.head_dim(), config.pad_token_id), (64, Some(50283)));
    assert_eq!(
        config.layer_types[..4],
        [FullAttention, SlidingAttention, SlidingAttention, FullAttention]
    );
    assert_eq!(config.rope_thetas[&FullAttention], 160_000.0);
    assert_eq!(config.rope_thetas[&SlidingAttention], 10_000.0);
    assert_eq!(config.windows()[&SlidingAttention], Some(64));
    assert_eq!(config.windows()[&FullAttention], None);
    let odd = read(json!({"local_attention": 5})).unwrap();
    assert_eq!(odd.windows()[&SlidingAttention], Some(2));
    let half = read(json!({"local_attention": 128, "sliding_window": 2})).unwrap();
    assert_eq!((half.local_attention, half.windows()[&SlidingAttention]), (4, Some(2)));
}

#[test]
fn both_spellings_mean_the_same() {
    let old = read(json!({
        "num_hidden_layers": 4, "global_attn_every_n_layers": 2,
        "global_rope_theta": 500.0, "local_rope_theta": 70.0,
        "position_embedding_type": "absolute",
    }));
    let new = read(json!({
        "num_hidden_layers": 4,
        "layer_types": [
            "full_attention", "sliding_attention", "full_attention", "sliding_attention",
        ],
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 500.0},
            "sliding_attention": {"rope_theta": 70},
        },
    }));
    assert_eq!(old.unwrap(), new.unwrap());
    let half =
        read(json!({"local_rope_theta": 70.0, "rope_parameters": {"full_attention": {}}}));
    let half = half.unwrap().rope_thetas;
    assert_eq!((half[&FullAttention], half[&SlidingAttention]), (160_000.0, 70.0));
}

#[test]
fn what_old_files_say_of_positions_is_never_read() {
    for kind in ["absolute", "rope", "sans_pos"] {
        let config = read(json!({"position_embedding_type": kind})).unwrap();
        assert_eq!(config, read(json!({})).unwrap());
    }
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = [
        (json!({"layer_types": ["full_attention"]}), "names 1 layers"),
        (json!({"layer_types": "full_attention"}), "must be a list"),
        (
            json!({"num_hidden_layers": 1, "layer_types": ["linear_attention"]}),
            "linear_attention",
        ),
        (json!({"num_hidden_layers": 1001}), "no encoder"),
        (json!({"global_attn_every_n_layers": 0}), "global_attn_every_n_layers is 0"),
        (json!({"rope_parameters": 3}), "rope_parameters is 3"),
        (json!({"rope_parameters": {"rope_theta": 1e4}}), "rope_theta"),
        (json!({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}), "yarn"),
        (json!({"rope_parameters": {"full_attention": {"factor": 2}}}), "factor"),
        (json!({"rope_parameters": {"full_attention": {"rope_theta": 0}}}), "greater than 0"),
        (json!({"local_rope_theta": "big"}), "local_rope_theta"),
        (json!({"rope_scaling": {"type": "linear"}}), "rope_scaling"),
        (json!({"position_embedding_type": "sinusoidal"}), "sinusoidal"),
        (json!({"head_dim": 32}), "head_dim is 32"),
        (json!({"hidden_size": 36}), "must be even"),
        (json!({"hidden_size": 35}), "not a multiple"),
        (json!({"local_attention": 0}), "local_attention is 0"),
        (json!({"hidden_activation": "geglu"}), "geglu"),
        (json!({"classifier_pooling": "max"}), "max"),
        (json!({"norm_bias": 1}), "norm_bias is 1"),
        (json!({"vocab_size": 100}), "outside the vocabulary"),
        (json!({"sparse_pred_ignore_index": 0.5}), "sparse_pred_ignore_index"),
    ];
    for (changes, part) in wrong {
        let error = read(changes.clone()).unwrap_err().to_string();
        assert!(error.contains(part), "{changes}: {error}");
    }
}
