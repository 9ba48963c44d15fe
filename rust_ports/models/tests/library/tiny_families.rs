//! Tiny DistilBERTs, MPNets and ELECTRAs, made from nothing.

use std::collections::BTreeMap;

use candle_core::DType;
use encoders_models::family::Config;
use encoders_models::weights::Tensors;
use serde_json::{Value, json};

use crate::common::{Random, VOCABULARY};

/// What model types are called, and what their classes begin with.
pub const FAMILIES: [(&str, &str); 3] =
    [("distilbert", "DistilBert"), ("mpnet", "MPNet"), ("electra", "Electra")];

/// What is put on an encoder.
pub const HEADS: [&str; 4] =
    ["ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForMultipleChoice"];

const HIDDEN: usize = 8;
const WIDE: usize = 12;
const LAYERS: usize = 2;
const POSITIONS: usize = 20;
const LABELS: usize = 3;

/// A config.json of two narrow layers; `changes` replace or add keys.
pub fn config_json(model_type: &str, changes: Value) -> Value {
    let mut config = match model_type {
        "distilbert" => {
            json!({"dim": HIDDEN, "n_layers": LAYERS, "n_heads": 2, "hidden_dim": WIDE})
        }
        _ => json!({
            "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 2,
            "intermediate_size": WIDE, "embedding_size": 6,
        }),
    };
    let rest = json!({
        "model_type": model_type, "vocab_size": VOCABULARY, "num_labels": LABELS,
        "max_position_embeddings": POSITIONS,
    });
    for (key, value) in [rest, changes].iter().flat_map(|part| part.as_object().unwrap()) {
        config[key] = value.clone();
    }
    config
}

pub fn config(model_type: &str, changes: Value) -> Config {
    Config::from_json(&config_json(model_type, changes).to_string()).unwrap()
}

/// What the tensors of an architecture are called, written down apart from the library.
struct Names {
    table: &'static str,
    projections: &'static [&'static str],
    widening: &'static str,
    narrowing: &'static str,
    norms: [&'static str; 2],
}

fn names(model_type: &str) -> Names {
    match model_type {
        "distilbert" => Names {
            table: "transformer.layer",
            projections: &[
                "attention.q_lin",
                "attention.k_lin",
                "attention.v_lin",
                "attention.out_lin",
            ],
            widening: "ffn.lin1",
            narrowing: "ffn.lin2",
            norms: ["sa_layer_norm", "output_layer_norm"],
        },
        "mpnet" => Names {
            table: "encoder.layer",
            projections: &[
                "attention.attn.q",
                "attention.attn.k",
                "attention.attn.v",
                "attention.attn.o",
            ],
            widening: "intermediate.dense",
            narrowing: "output.dense",
            norms: ["attention.LayerNorm", "output.LayerNorm"],
        },
        _ => Names {
            table: "encoder.layer",
            projections: &[
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
                "attention.output.dense",
            ],
            widening: "intermediate.dense",
            narrowing: "output.dense",
            norms: ["attention.output.LayerNorm", "output.LayerNorm"],
        },
    }
}

/// The keys and shapes of an architecture of `values`, which are a config.json's.
pub fn shapes(values: &Value, architecture: &str) -> BTreeMap<String, Vec<usize>> {
    let model_type = values["model_type"].as_str().unwrap();
    let base = if architecture.ends_with("Model") { "" } else { &format!("{model_type}.") };
    let electra = model_type == "electra";
    let narrow = values["embedding_size"].as_u64().filter(|_| electra);
    let narrow = narrow.map_or(HIDDEN, |size| size as usize);
    let untied = values["tie_word_embeddings"] == json!(false);
    let mut shapes = BTreeMap::new();

    let mut table = |name: &str, rows: usize, size: usize| {
        shapes.insert(format!("{base}{name}.weight"), vec![rows, size]);
    };
    table("embeddings.word_embeddings", VOCABULARY, narrow);
    table("embeddings.position_embeddings", POSITIONS, narrow);
    if electra {
        table("embeddings.token_type_embeddings", 2, narrow);
    }
    if model_type == "mpnet" {
        table("encoder.relative_attention_bias", 32, 2);
    }

    let mut norm = |name: String, size: usize| {
        shapes.insert(format!("{name}.weight"), vec![size]);
        shapes.insert(format!("{name}.bias"), vec![size]);
    };
    let parts = names(model_type);
    norm(format!("{base}embeddings.LayerNorm"), narrow);
    for layer in 0..LAYERS {
        for name in parts.norms {
            norm(format!("{base}{}.{layer}.{name}", parts.table), HIDDEN);
        }
    }
    let masked = architecture.ends_with("ForMaskedLM");
    match model_type {
        "distilbert" if masked => norm("vocab_layer_norm".into(), HIDDEN),
        "mpnet" if masked => norm("lm_head.layer_norm".into(), HIDDEN),
        "electra" if masked => norm("generator_predictions.LayerNorm".into(), narrow),
        _ => {}
    }

    let mut dense = |name: String, inputs: usize, outputs: usize| {
        shapes.insert(format!("{name}.weight"), vec![outputs, inputs]);
        shapes.insert(format!("{name}.bias"), vec![outputs]);
    };
    for layer in 0..LAYERS {
        let layer = format!("{base}{}.{layer}", parts.table);
        for name in parts.projections {
            dense(format!("{layer}.{name}"), HIDDEN, HIDDEN);
        }
        dense(format!("{layer}.{}", parts.widening), HIDDEN, WIDE);
        dense(format!("{layer}.{}", parts.narrowing), WIDE, HIDDEN);
    }
    if electra && narrow != HIDDEN {
        dense(format!("{base}embeddings_project"), narrow, HIDDEN);
    }
    let pooled = architecture == "MPNetModel" || architecture == "MPNetForMultipleChoice";
    if pooled {
        dense(format!("{base}pooler.dense"), HIDDEN, HIDDEN);
    }
    let sequence = architecture.ends_with("ForSequenceClassification");
    let choice = architecture.ends_with("ForMultipleChoice");
    if masked {
        match model_type {
            "distilbert" => dense("vocab_transform".into(), HIDDEN, HIDDEN),
            "mpnet" => dense("lm_head.dense".into(), HIDDEN, HIDDEN),
            _ => dense("generator_predictions.dense".into(), HIDDEN, narrow),
        }
        if untied && model_type == "mpnet" {
            dense("lm_head.decoder".into(), HIDDEN, VOCABULARY);
        }
    } else if sequence && model_type != "distilbert" {
        dense("classifier.dense".into(), HIDDEN, HIDDEN);
        dense("classifier.out_proj".into(), HIDDEN, LABELS);
    } else if !base.is_empty() {
        dense("classifier".into(), HIDDEN, if choice { 1 } else { LABELS });
    }
    if model_type == "distilbert" && (sequence || choice) {
        dense("pre_classifier".into(), HIDDEN, HIDDEN);
    }
    if electra && choice && values["summary_use_proj"] != json!(false) {
        dense("sequence_summary.summary".into(), HIDDEN, HIDDEN);
    }
    let decoder = match model_type {
        "distilbert" => "vocab_projector",
        "mpnet" => "lm_head",
        _ => "generator_lm_head",
    };
    if masked {
        shapes.insert(format!("{decoder}.bias"), vec![VOCABULARY]);
        if untied && model_type != "mpnet" {
            shapes.insert(format!("{decoder}.weight"), vec![VOCABULARY, narrow]);
        }
    }
    shapes
}

pub fn tensors(values: &Value, architecture: &str, dtype: DType) -> Tensors {
    let mut random = Random(7);
    let shapes = shapes(values, architecture);
    shapes.into_iter().map(|(key, shape)| (key, random.tensor(&shape, dtype))).collect()
}
