//! Tiny RoPE encoders, made from nothing.

use candle_core::DType;
use encoders_models::rope_encoder::RopeEncoderConfig;
use encoders_models::weights::Tensors;
use serde_json::{Value, json};

use crate::common::{Random, VOCABULARY};

pub const HIDDEN: usize = 8;
const WIDE: usize = 12;
const LAYERS: usize = 2;

/// What is put on an encoder.
pub const HEADS: [&str; 3] =
    ["ForMaskedLM", "ForSequenceClassification", "ForTokenClassification"];

/// A config.json of two narrow layers; `changes` replace or add keys.
pub fn config_json(changes: Value) -> Value {
    let mut config = json!({
        "model_type": "rope_encoder", "vocab_size": VOCABULARY, "embedding_dim": HIDDEN,
        "num_layers": LAYERS, "num_heads": 2, "hidden_dim": WIDE, "context_window": 6,
        "num_labels": 3, "rope_theta": 100.0,
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    config
}

pub fn config(changes: Value) -> RopeEncoderConfig {
    RopeEncoderConfig::from_json(&config_json(changes).to_string()).unwrap()
}

/// The tensors of the encoder with that head, or with "Model" of the encoder alone, written
/// down apart from the library.
pub fn tensors(config: &RopeEncoderConfig, head: &str, dtype: DType) -> Tensors {
    let base = if head == "Model" { "" } else { "model." };
    let mut shapes =
        vec![(format!("{base}embeddings.word_embeddings.weight"), vec![VOCABULARY, HIDDEN])];
    let mut add = |name: String, shape: &[usize]| {
        shapes.push((format!("{name}.weight"), shape.to_vec()));
        shapes.push((format!("{name}.bias"), vec![shape[0]]));
    };
    for layer in 0..LAYERS {
        let layer = format!("{base}layers.{layer}");
        for name in ["query", "key", "value", "output"] {
            add(format!("{layer}.attention.{name}"), &[HIDDEN, HIDDEN]);
        }
        add(format!("{layer}.feed_forward.up"), &[WIDE, HIDDEN]);
        add(format!("{layer}.feed_forward.down"), &[HIDDEN, WIDE]);
        add(format!("{layer}.attention_norm"), &[HIDDEN]);
        add(format!("{layer}.feed_forward_norm"), &[HIDDEN]);
    }
    add(format!("{base}final_norm"), &[HIDDEN]);
    match head {
        "Model" => {}
        "ForMaskedLM" if config.tie_word_embeddings => {
            shapes.push(("decoder.bias".into(), vec![VOCABULARY]));
        }
        "ForMaskedLM" => add("decoder".into(), &[VOCABULARY, HIDDEN]),
        _ => add("classifier".into(), &[3, HIDDEN]),
    }
    if config.use_temperature {
        shapes.push((format!("{base}log_temperature"), vec![1]));
    }
    let mut random = Random(7);
    shapes.into_iter().map(|(key, shape)| (key, random.tensor(&shape, dtype))).collect()
}
