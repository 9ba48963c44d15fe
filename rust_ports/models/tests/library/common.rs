//! Tiny checkpoints, made from nothing.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use encoders_models::bert::BertConfig;
use encoders_models::family::Config;
use encoders_models::roberta::XLMRobertaConfig;
use encoders_models::weights::Tensors;
use serde_json::{Value, json};

/// A small linear congruential generator: tests need numbers that are the same everywhere, not
/// good ones.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % limit
    }

    /// Between -1 and 1.
    pub fn float(&mut self) -> f64 {
        self.below(1 << 24) as f64 / (1 << 23) as f64 - 1.0
    }

    pub fn tensor(&mut self, shape: &[usize], dtype: DType) -> Tensor {
        let numbers: Vec<f64> = (0..shape.iter().product()).map(|_| self.float()).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
    }
}

pub const VOCABULARY: usize = 13;

/// A config.json of two narrow layers; `changes` replace or add keys.
pub fn config_json(model_type: &str, changes: Value) -> Value {
    let mut config = json!({
        "model_type": model_type, "vocab_size": VOCABULARY, "hidden_size": 8,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
        "max_position_embeddings": 20, "type_vocab_size": 2,
        "num_labels": 3, "pad_token_id": if model_type == "bert" { 0 } else { 1 },
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    config
}

pub fn config(model_type: &str, changes: Value) -> Config {
    Config::from_json(&config_json(model_type, changes).to_string()).unwrap()
}

/// BERT's own fields, which RoBERTa has too.
pub fn fields(config: &Config) -> &BertConfig {
    config.get().unwrap_or_else(|_| &config.get::<XLMRobertaConfig>().unwrap().bert)
}

pub fn is_bert(config: &Config) -> bool {
    config.model_type() == "bert"
}

/// The keys and shapes of an architecture, written down apart from the library.
pub fn shapes(config: &Config, architecture: &str) -> BTreeMap<String, Vec<usize>> {
    let bert = is_bert(config);
    let config = fields(config);
    let (hidden, wide, vocabulary) =
        (config.hidden_size, config.intermediate_size, config.vocab_size);
    let prefix = match architecture.ends_with("Model") {
        true => "",
        false if bert => "bert.",
        false => "roberta.",
    };
    let mut shapes = BTreeMap::new();
    let mut dense = |name: String, inputs: usize, outputs: usize| {
        shapes.insert(format!("{name}.weight"), vec![outputs, inputs]);
        shapes.insert(format!("{name}.bias"), vec![outputs]);
    };
    for layer in 0..config.num_hidden_layers {
        let layer = format!("{prefix}encoder.layer.{layer}");
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            dense(format!("{layer}.attention.{part}"), hidden, hidden);
        }
        dense(format!("{layer}.intermediate.dense"), hidden, wide);
        dense(format!("{layer}.output.dense"), wide, hidden);
    }
    if architecture.ends_with("Model") || architecture == "BertForSequenceClassification" {
        dense(format!("{prefix}pooler.dense"), hidden, hidden);
    }
    let masked = if bert { "cls.predictions" } else { "lm_head" };
    if architecture.ends_with("ForMaskedLM") {
        dense(
            format!("{masked}{}", if bert { ".transform.dense" } else { ".dense" }),
            hidden,
            hidden,
        );
        if !config.tie_word_embeddings {
            dense(format!("{masked}.decoder"), hidden, vocabulary);
        }
    } else if architecture.ends_with("ForSequenceClassification") && !bert {
        dense("classifier.dense".into(), hidden, hidden);
        dense("classifier.out_proj".into(), hidden, config.num_labels());
    } else if !architecture.ends_with("Model") {
        dense("classifier".into(), hidden, config.num_labels());
    }
    let mut norm = |name: String| {
        shapes.insert(format!("{name}.weight"), vec![hidden]);
        shapes.insert(format!("{name}.bias"), vec![hidden]);
    };
    norm(format!("{prefix}embeddings.LayerNorm"));
    for layer in 0..config.num_hidden_layers {
        norm(format!("{prefix}encoder.layer.{layer}.attention.output.LayerNorm"));
        norm(format!("{prefix}encoder.layer.{layer}.output.LayerNorm"));
    }
    if architecture.ends_with("ForMaskedLM") {
        norm(format!("{masked}{}", if bert { ".transform.LayerNorm" } else { ".layer_norm" }));
        shapes.insert(format!("{masked}.bias"), vec![vocabulary]);
    }
    for (table, rows) in [
        ("word", vocabulary),
        ("position", config.max_position_embeddings),
        ("token_type", config.type_vocab_size),
    ] {
        shapes.insert(
            format!("{prefix}embeddings.{table}_embeddings.weight"),
            vec![rows, hidden],
        );
    }
    shapes
}

pub fn tensors(config: &Config, architecture: &str, dtype: DType) -> Tensors {
    let mut random = Random(7);
    let shapes = shapes(config, architecture);
    shapes.into_iter().map(|(key, shape)| (key, random.tensor(&shape, dtype))).collect()
}

/// Ids and mask of three rows, the second padded on the right and the third on the left.
pub fn batch(config: &Config) -> (Tensor, Tensor) {
    batch_with_pad(config.encoder().pad_token_id.unwrap_or(0) as i64)
}

/// The same for a pad id.
pub fn batch_with_pad(pad: i64) -> (Tensor, Tensor) {
    let ids = [[2, 3, 4, 5, 6], [7, 8, pad, pad, pad], [pad, 9, 10, 11, 12]];
    let mask = [[1i64, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 1, 1, 1]];
    (Tensor::new(&ids, &Device::Cpu).unwrap(), Tensor::new(&mask, &Device::Cpu).unwrap())
}

/// The largest difference between two tensors of one shape.
pub fn difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let gap = (a.to_dtype(DType::F64).unwrap() - b.to_dtype(DType::F64).unwrap()).unwrap();
    gap.abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}
