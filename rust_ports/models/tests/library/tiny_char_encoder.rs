//! Tiny character encoders, made from nothing.

use candle_core::DType;
use encoders_models::char_encoder::{CharEncoderConfig, TowerConfig};
use encoders_models::weights::Tensors;
use serde_json::{Value, json};

use crate::common::{Random, VOCABULARY};

pub const FILTERS: usize = 8;
pub const HIDDEN: usize = 4 + 6;
pub const OUTPUTS: usize = 7;
const CHARACTERS: usize = 4;

/// What is put on an encoder.
pub const HEADS: [&str; 3] =
    ["ForMaskedLM", "ForSequenceClassification", "ForTokenClassification"];

/// A config.json of two narrow towers, one of them with a window; `changes` replace or add
/// keys.
pub fn config_json(changes: Value) -> Value {
    let mut config = json!({
        "model_type": "char_encoder", "vocab_size": VOCABULARY, "char_emb_size": CHARACTERS,
        "n_filters": FILTERS, "kernel_size": 3, "max_example_len": 6, "num_outputs": OUTPUTS,
        "num_labels": 3, "rope_theta": 100.0, "num_hash_buckets": 5,
        "towers": [
            {
                "downsample_factor": 4, "n_strided_convs": 2, "n_conv_filters": 4,
                "num_heads": 2, "hidden_dim": 6,
            },
            {
                "downsample_factor": 3, "n_strided_convs": 1, "stride_len": 3,
                "n_conv_filters": 6, "num_layers": 1, "num_heads": 1, "hidden_dim": 4,
                "window": 1, "upsample": "repeat",
            },
        ],
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    config
}

pub fn config(changes: Value) -> CharEncoderConfig {
    CharEncoderConfig::from_json(&config_json(changes).to_string()).unwrap()
}

/// The tensors of the encoder with that head, or with "Model" of the encoder alone, written
/// down apart from the library.
pub fn tensors(config: &CharEncoderConfig, head: &str, dtype: DType) -> Tensors {
    let base = if head == "Model" { "" } else { "model." };
    let mut shapes = Vec::new();
    let characters = format!("{base}embeddings.characters");
    match config.num_hashes {
        0 => shapes.push((format!("{characters}.weight"), vec![VOCABULARY, CHARACTERS])),
        count => shapes.extend((0..count).map(|table| {
            (format!("{characters}.tables.{table}.weight"), vec![5, CHARACTERS / count])
        })),
    }
    let mut add = |name: String, shape: &[usize]| {
        shapes.push((format!("{name}.weight"), shape.to_vec()));
        shapes.push((format!("{name}.bias"), vec![shape[0]]));
    };
    add(format!("{base}embeddings.convolution"), &[FILTERS, CHARACTERS, 3]);
    add(format!("{base}embeddings.norm"), &[FILTERS]);
    for (number, tower) in config.towers.iter().enumerate() {
        add_tower(&mut add, &format!("{base}towers.{number}"), tower);
    }
    match head {
        "Model" => {}
        "ForMaskedLM" => add("decoder".into(), &[OUTPUTS, HIDDEN]),
        _ => add("classifier".into(), &[3, HIDDEN]),
    }
    let mut random = Random(7);
    shapes.into_iter().map(|(key, shape)| (key, random.tensor(&shape, dtype))).collect()
}

fn add_tower(add: &mut impl FnMut(String, &[usize]), at: &str, tower: &TowerConfig) {
    let (size, stride) = (tower.n_conv_filters, tower.stride_len);
    let wide = tower.hidden_dim;
    let mut layer = |at: String, size: usize| {
        for name in ["query", "key", "value", "output"] {
            add(format!("{at}.attention.{name}"), &[size, size]);
        }
        add(format!("{at}.feed_forward.up"), &[wide, size]);
        add(format!("{at}.feed_forward.down"), &[size, wide]);
        add(format!("{at}.attention_norm"), &[size]);
        add(format!("{at}.feed_forward_norm"), &[size]);
    };
    if tower.window.is_some() {
        layer(format!("{at}.local"), FILTERS);
    }
    for number in 0..tower.num_layers {
        layer(format!("{at}.layers.{number}"), size);
    }
    for step in 0..tower.n_strided_convs {
        let inputs = if step == 0 { FILTERS } else { size };
        add(format!("{at}.down.{step}.convolution"), &[size, inputs, stride]);
        add(format!("{at}.down.{step}.norm"), &[size]);
        add(format!("{at}.up.{step}.convolution"), &[size, size, stride]);
        add(format!("{at}.up.{step}.norm"), &[size]);
    }
    add(format!("{at}.final_norm"), &[size]);
    add(format!("{at}.merge.projection"), &[size, FILTERS + size]);
    add(format!("{at}.merge.norm"), &[size]);
}
