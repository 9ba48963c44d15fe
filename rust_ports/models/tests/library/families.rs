//! DistilBERT, MPNet and ELECTRA: gradients, packed against padded, choices, traces.

use candle_core::{DType, Device, Tensor};
use encoders_models::inputs::Inputs;
use encoders_models::model::Model;
use encoders_models::mpnet::{MPNetConfig, MPNetEncoder, relative_position_bucket};
use encoders_models::weights::Weights;
use serde_json::{Value, json};

use crate::common::{Random, batch, batch_with_pad, difference};
use crate::gradients::check_tensors;
use crate::tiny_families::{FAMILIES, HEADS, config, config_json, tensors};
use crate::tiny_modernbert::real;

const ROUNDED: f64 = 1e-13;

fn model(model_type: &str, architecture: &str, changes: Value) -> Model {
    let values = config_json(model_type, changes.clone());
    let tensors = tensors(&values, architecture, DType::F64);
    Model::new(architecture, config(model_type, changes), tensors).unwrap()
}

fn labels(head: &str) -> Tensor {
    let tokens = [[2i64, -100, 0, -100, 1], [1, 0, -100, -100, -100], [-100, -100, 2, 2, 0]];
    match head {
        "Model" => Random(3).tensor(&[3, 5, 8], DType::F64),
        "ForMaskedLM" | "ForTokenClassification" => Tensor::new(&tokens, &Device::Cpu).unwrap(),
        _ => Tensor::new(&[0i64, 2, 1], &Device::Cpu).unwrap(),
    }
}

/// Finite differences through the kernels against the plain forms' gradients.
#[test]
fn gradients_are_slopes() {
    for (model_type, prefix) in FAMILIES {
        let act = if model_type == "distilbert" { "activation" } else { "hidden_act" };
        for head in
            ["Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification"]
        {
            for (name, tied) in [("gelu", true), ("silu", false)] {
                let changes = json!({act: name, "tie_word_embeddings": tied});
                let changes = with_size(changes, if tied { 6 } else { 8 });
                let architecture = format!("{prefix}{head}");
                let values = config_json(model_type, changes.clone());
                let tensors = tensors(&values, &architecture, DType::F64);
                let config = config(model_type, changes);
                check_tensors(&architecture, &config, &tensors, &batch(&config), &labels(head));
            }
        }
    }
}

fn with_size(mut changes: Value, embedding_size: usize) -> Value {
    changes["embedding_size"] = json!(embedding_size);
    changes
}

#[test]
fn gradients_of_choices_are_slopes() {
    let label = Tensor::new(&[2i64], &Device::Cpu).unwrap();
    for (model_type, prefix) in FAMILIES {
        let changes = [
            json!({}),
            json!({"summary_use_proj": false, "summary_activation": "tanh"}),
            json!({"summary_activation": ""}),
        ];
        for changes in changes.into_iter().take(if model_type == "electra" { 3 } else { 1 }) {
            let architecture = format!("{prefix}ForMultipleChoice");
            let values = config_json(model_type, changes.clone());
            let tensors = tensors(&values, &architecture, DType::F64);
            let config = config(model_type, changes);
            let (ids, mask) = batch(&config);
            let asked = (ids.unsqueeze(0).unwrap(), mask.unsqueeze(0).unwrap());
            check_tensors(&architecture, &config, &tensors, &asked, &label);
        }
    }
}

/// Two texts padded on the right: ids, mask and token types, and the ids and types in a row.
fn texts(model_type: &str) -> [Tensor; 5] {
    let (ids, mask) = batch_with_pad(if model_type == "mpnet" { 1 } else { 0 });
    let two = |x: Tensor| x.narrow(0, 0, 2).unwrap();
    let types = Tensor::new(&[[0i64, 0, 1, 1, 1], [1, 0, 0, 0, 0]], &Device::Cpu).unwrap();
    let types = if model_type == "electra" { types } else { types.zeros_like().unwrap() };
    let (ids, mask) = (two(ids), two(mask));
    let row = |x: &Tensor| real(&x.unsqueeze(2).unwrap(), &mask).squeeze(1).unwrap();
    let (packed, packed_types) = (row(&ids), row(&types));
    [ids, mask, types, packed, packed_types]
}

#[test]
fn packed_equals_padded() {
    for (model_type, prefix) in FAMILIES {
        let [ids, mask, types, packed, packed_types] = texts(model_type);
        for head in ["Model"].into_iter().chain(HEADS) {
            let model = model(model_type, &format!("{prefix}{head}"), json!({}));
            let forward = |inputs: Inputs| {
                let inputs = Inputs { output_hidden_states: true, ..inputs };
                model.network.forward(&inputs, None).unwrap()
            };
            let choose = head == "ForMultipleChoice";
            let shaped = |x: &Tensor| if choose { x.unsqueeze(0).unwrap() } else { x.clone() };
            let (asked, hides, types) = (shaped(&ids), shaped(&mask), shaped(&types));
            let padded =
                Inputs { token_type_ids: Some(&types), ..Inputs::padded(&asked, &hides) };
            let in_row = Inputs {
                token_type_ids: Some(&packed_types),
                ..Inputs::packed(&packed, &[0, 5, 7])
            };
            let (padded, in_row) = (forward(padded), forward(in_row));
            let states = padded.hidden_states.unwrap();
            assert_eq!(states.len(), 3);
            for (padded, in_row) in states.iter().zip(&in_row.hidden_states.unwrap()) {
                assert!(difference(&real(padded, &mask), in_row) < ROUNDED, "{prefix}{head}");
            }
            let Some(mut logits) = padded.logits else { continue };
            if logits.rank() == 3 {
                logits = real(&logits, &mask);
            }
            assert!(difference(&logits, &in_row.logits.unwrap()) < ROUNDED, "{prefix}{head}");
        }
    }
}

#[test]
fn choices_have_a_score_each() {
    let label = Tensor::new(&[1i64], &Device::Cpu).unwrap();
    for (model_type, prefix) in FAMILIES {
        let [ids, mask, ..] = texts(model_type);
        let (asked, hides) = (ids.unsqueeze(0).unwrap(), mask.unsqueeze(0).unwrap());
        let model = model(model_type, &format!("{prefix}ForMultipleChoice"), json!({}));
        let output = model.network.forward(&Inputs::padded(&asked, &hides), Some(&label));
        let output = output.unwrap();
        let scores = output.logits.unwrap().to_vec2::<f64>().unwrap();
        assert_eq!((scores.len(), scores[0].len()), (1, 2));
        let expected = (1.0 + (scores[0][0] - scores[0][1]).exp()).ln();
        let loss: f64 = output.loss.unwrap().to_scalar().unwrap();
        assert!((loss - expected).abs() < 1e-12);
        let flat = model.network.forward(&Inputs::padded(&ids, &mask), None);
        assert!(flat.unwrap_err().to_string().contains("choices"));
    }
}

#[test]
fn token_types_are_electras_alone() {
    for (model_type, prefix) in FAMILIES {
        let (ids, mask) = batch_with_pad(if model_type == "mpnet" { 1 } else { 0 });
        let inputs = Inputs { token_type_ids: Some(&mask), ..Inputs::padded(&ids, &mask) };
        let model = model(model_type, &format!("{prefix}Model"), json!({}));
        let output = model.network.forward(&inputs, None);
        assert_eq!(output.is_ok(), model_type == "electra", "{model_type}");
    }
}

#[test]
fn a_trace_names_every_operation_in_order() {
    let bert = "attention.self.query attention.self.key attention.self.value attention.self \
                attention.output.dense attention.output intermediate.dense intermediate \
                output.dense output";
    let distilbert = "attention.q_lin attention.k_lin attention.v_lin attention.out_lin.input \
                      attention.out_lin sa_layer_norm ffn.lin1 ffn.lin2.input ffn.lin2 \
                      output_layer_norm";
    let mpnet = "attention.attn.q attention.attn.k attention.attn.v attention.attn.o.input \
                 attention.attn.o attention intermediate.dense intermediate output.dense \
                 output";
    let cases = [
        (
            "DistilBertForMaskedLM",
            ("distilbert", "embeddings", "transformer", distilbert),
            "vocab_transform vocab_layer_norm vocab_projector",
        ),
        (
            "DistilBertForMultipleChoice",
            ("distilbert", "embeddings", "transformer", distilbert),
            "pre_classifier classifier.input classifier",
        ),
        (
            "MPNetForMultipleChoice",
            ("mpnet", "embeddings", "encoder", mpnet),
            "mpnet.pooler.dense mpnet.pooler classifier",
        ),
        (
            "MPNetForSequenceClassification",
            ("mpnet", "embeddings", "encoder", mpnet),
            "classifier.dense classifier.out_proj",
        ),
        (
            "ElectraForMaskedLM",
            ("electra", "embeddings embeddings_project", "encoder", bert),
            "generator_predictions.dense generator_predictions generator_lm_head",
        ),
        (
            "ElectraForSequenceClassification",
            ("electra", "embeddings embeddings_project", "encoder", bert),
            "classifier.dense classifier.out_proj.input classifier.out_proj",
        ),
        (
            "ElectraForMultipleChoice",
            ("electra", "embeddings embeddings_project", "encoder", bert),
            "sequence_summary.summary sequence_summary classifier",
        ),
    ];
    for (architecture, (model_type, first, stack, layer), last) in cases {
        let [ids, mask, ..] = texts(model_type);
        let choose = architecture.ends_with("Choice");
        let shaped = |x: Tensor| if choose { x.unsqueeze(0).unwrap() } else { x };
        let (ids, mask) = (shaped(ids), shaped(mask));
        let model = model(model_type, architecture, json!({}));
        let trace = model.trace(&Inputs::padded(&ids, &mask)).unwrap();
        let names: Vec<String> = trace.into_iter().map(|(name, _)| name).collect();
        let words = |text: &'static str| text.split_whitespace();
        let layers = (0..2).flat_map(|number| {
            words(layer).map(move |name| format!("{model_type}.{stack}.layer.{number}.{name}"))
        });
        let expected: Vec<String> = words(first)
            .map(|name| format!("{model_type}.{name}"))
            .chain(layers)
            .chain(words(last).map(String::from))
            .collect();
        assert_eq!(names, expected, "{architecture}");
    }
}

/// The formula of Transformers, logarithm and all.
#[test]
fn buckets_grow_with_distance() {
    let places = Tensor::arange(-600i64, 601, &Device::Cpu).unwrap();
    let found = relative_position_bucket(&places).unwrap().to_vec1::<i64>().unwrap();
    for (place, found) in (-600i64..=600).zip(found) {
        let distance = place.abs();
        let far = (distance as f32 / 8.0).ln() / 16f32.ln() * 8.0;
        let bucket = if distance < 8 { distance } else { (8 + far as i64).min(15) };
        assert_eq!(found, bucket + if place > 0 { 16 } else { 0 }, "{place}");
    }
}

#[test]
fn a_position_bias_depends_on_the_distance_alone() {
    let values = config_json("mpnet", json!({}));
    let config = MPNetConfig::from_json(&values.to_string()).unwrap();
    let tensors = tensors(&values, "MPNetModel", DType::F64);
    let encoder = tensors
        .iter()
        .filter_map(|(key, tensor)| {
            Some((key.strip_prefix("encoder.")?.to_string(), tensor.clone()))
        })
        .collect();
    let encoder =
        Weights::build(&encoder, |weights| MPNetEncoder::new(&config, weights)).unwrap();
    let table = tensors["encoder.relative_attention_bias.weight"].to_vec2::<f64>().unwrap();
    let bias = encoder.position_bias(20).unwrap().to_vec3::<f64>().unwrap();
    for (head, bias) in bias.iter().enumerate() {
        assert_eq!(bias[4][4], table[0][head]);
        assert_eq!(bias[4][1], table[3][head]);
        assert_eq!(bias[1][4], table[19][head]);
        assert_eq!((bias[19][0], bias[0][19]), (table[10][head], table[26][head]));
        assert_eq!(bias[7][9], bias[12][14]);
    }
}
