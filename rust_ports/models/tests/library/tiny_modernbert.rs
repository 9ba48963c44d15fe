//! Tiny ModernBERTs, made from nothing.

use candle_core::{DType, Device, Tensor};
use encoders_models::model::Model;
use encoders_models::modernbert::ModernBertConfig;
use encoders_models::weights::Tensors;
use serde_json::{Value, json};

use crate::common::{Random, batch_with_pad};

pub const HEADS: [&str; 3] = [
    "ModernBertForMaskedLM",
    "ModernBertForSequenceClassification",
    "ModernBertForTokenClassification",
];

/// Four narrow layers whose windows are narrower than the texts of [`batch`]; `changes` replace
/// or add keys.
pub fn config_json(changes: Value) -> Value {
    let mut config = json!({
        "model_type": "modernbert", "vocab_size": 13, "hidden_size": 8, "num_hidden_layers": 4,
        "num_attention_heads": 2, "intermediate_size": 12, "local_attention": 3,
        "num_labels": 3, "pad_token_id": 0,
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    config
}

pub fn config(changes: Value) -> ModernBertConfig {
    ModernBertConfig::from_json(&config_json(changes).to_string()).unwrap()
}

/// The tensors of an architecture, written down apart from the library.
pub fn tensors(config: &ModernBertConfig, architecture: &str, dtype: DType) -> Tensors {
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let base = if architecture == "ModernBertModel" { "" } else { "model." };
    let mut shapes = vec![(
        format!("{base}embeddings.tok_embeddings.weight"),
        vec![config.vocab_size, hidden],
    )];
    let mut add = |name: String, shape: &[usize], bias: bool| {
        shapes.push((format!("{name}.weight"), shape.to_vec()));
        if bias {
            shapes.push((format!("{name}.bias"), vec![shape[0]]));
        }
    };
    add(format!("{base}embeddings.norm"), &[hidden], config.norm_bias);
    add(format!("{base}final_norm"), &[hidden], config.norm_bias);
    for number in 0..config.num_hidden_layers {
        let layer = format!("{base}layers.{number}");
        if number > 0 {
            add(format!("{layer}.attn_norm"), &[hidden], config.norm_bias);
        }
        add(format!("{layer}.mlp_norm"), &[hidden], config.norm_bias);
        let attention = config.attention_bias;
        add(format!("{layer}.attn.Wqkv"), &[3 * hidden, hidden], attention);
        add(format!("{layer}.attn.Wo"), &[hidden, hidden], attention);
        add(format!("{layer}.mlp.Wi"), &[2 * wide, hidden], config.mlp_bias);
        add(format!("{layer}.mlp.Wo"), &[hidden, wide], config.mlp_bias);
    }
    if !base.is_empty() {
        add("head.dense".into(), &[hidden, hidden], config.classifier_bias);
        add("head.norm".into(), &[hidden], config.norm_bias);
    }
    if architecture.ends_with("Classification") {
        add("classifier".into(), &[config.num_labels(), hidden], true);
    }
    if architecture.ends_with("ForMultipleChoice") {
        add("classifier".into(), &[1, hidden], true);
    }
    if architecture.ends_with("ForMaskedLM") {
        if !config.tie_word_embeddings {
            shapes.push(("decoder.weight".into(), vec![config.vocab_size, hidden]));
        }
        if config.decoder_bias {
            shapes.push(("decoder.bias".into(), vec![config.vocab_size]));
        }
    }
    let mut random = Random(7);
    shapes.into_iter().map(|(key, shape)| (key, random.tensor(&shape, dtype))).collect()
}

pub fn model(config: &ModernBertConfig, architecture: &str, dtype: DType) -> Model {
    let tensors = tensors(config, architecture, dtype);
    Model::new(architecture, config.clone(), tensors).unwrap()
}

/// Two texts padded on the right: ids and mask, and the same packed, with cumulative lengths.
pub fn batch() -> (Tensor, Tensor, Tensor, [usize; 3]) {
    let (ids, mask) = batch_with_pad(0);
    let (ids, mask) = (ids.narrow(0, 0, 2).unwrap(), mask.narrow(0, 0, 2).unwrap());
    let packed = real(&ids.unsqueeze(2).unwrap(), &mask).squeeze(1).unwrap();
    (ids, mask, packed, [0, 5, 7])
}

/// The rows of real tokens of `padded` `[2, 5, size]`: the whole first text, and two tokens of
/// the second.
pub fn real(padded: &Tensor, mask: &Tensor) -> Tensor {
    let mask: Vec<i64> = mask.flatten_all().unwrap().to_vec1().unwrap();
    let places: Vec<i64> =
        (0..mask.len() as i64).filter(|place| mask[*place as usize] == 1).collect();
    let places = Tensor::new(places, &Device::Cpu).unwrap();
    padded.flatten(0, 1).unwrap().index_select(&places, 0).unwrap()
}
