//! The RoPE encoder: its configuration, gradients, packed against padded, the context, the
//! temperature, and the class that is built by hand.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor, Var};
use encoders_models::family::Config;
use encoders_models::heads::Encoder;
use encoders_models::inputs::Inputs;
use encoders_models::losses::cross_entropy;
use encoders_models::model::Model;
use encoders_models::pooling::{cosine_similarity, normalize};
use encoders_models::rope_encoder::{
    EmbeddingModel, RopeEncoderConfig, RopeEncoderModel, first_tensors,
};
use encoders_models::weights::{Tensors, Weights};
use serde_json::{Value, json};

use crate::common::{Random, batch_with_pad, difference};
use crate::gradients::check_tensors;
use crate::tiny_modernbert::real;
use crate::tiny_rope_encoder::{HEADS, HIDDEN, config, tensors};

const ROUNDED: f64 = 1e-13;

fn model(head: &str, changes: Value) -> Model {
    let config = config(changes);
    let tensors = tensors(&config, head, DType::F64);
    Model::new(&format!("RopeEncoder{head}"), config, tensors).unwrap()
}

fn read(rest: &str) -> encoders_models::Result<RopeEncoderConfig> {
    RopeEncoderConfig::from_json(&format!(r#"{{"model_type": "rope_encoder"{rest}}}"#))
}

#[test]
fn defaults_are_those_of_the_small_model() {
    let config = read("").unwrap();
    assert_eq!((config.hidden_size, config.max_position_embeddings), (256, 16));
    assert_eq!((config.num_hidden_layers, config.num_attention_heads), (6, 8));
    assert_eq!((config.intermediate_size, config.vocab_size), (512, 20_000));
    assert_eq!((config.dropout, config.temperature_init), (0.1, 1.0));
    assert!(config.use_temperature && !config.is_masked_language);
    let limits = Config::from(config).limits();
    assert_eq!(limits.max_tokens, 16);
    assert!(!limits.pads_take_positions());
    let either = read(r#", "hidden_size": 64, "embedding_dim": 32, "num_layers": 2"#).unwrap();
    assert_eq!((either.hidden_size, either.num_hidden_layers), (64, 2));
}

#[test]
fn a_masked_language_model_is_one_by_its_class_or_by_its_switch() {
    let named = r#", "architectures": ["RopeEncoderForMaskedLM"]"#;
    let switched = r#", "is_masked_language": true"#;
    for text in [named.to_string(), switched.to_string(), format!("{named}{switched}")] {
        let config = read(&text).unwrap();
        assert!(config.is_masked_language);
        assert_eq!(Config::from(config).named_architecture(), "RopeEncoderForMaskedLM");
    }
    assert!(read(&format!(r#"{named}, "is_masked_language": false"#)).is_err());
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = [
        (r#""embedding_dim": 20"#, "embedding_dim 20 is not a multiple of num_heads 8"),
        (r#""embedding_dim": 24"#, "embedding_dim / num_heads is 3; RoPE turns pairs"),
        (r#""context_window": 0"#, "context_window is 0"),
        (r#""activation": "geglu""#, r#"activation is "geglu""#),
        (r#""dropout": 2"#, "dropout is 2"),
        (r#""temperature_init": 0"#, "temperature_init is 0"),
        (r#""use_temperature": 1"#, "use_temperature is 1"),
        (
            r#""architectures": ["RopeEncoderModel"], "is_masked_language": true"#,
            "is_masked_language is true, but architectures names RopeEncoderModel",
        ),
    ];
    for (text, part) in wrong {
        let error = read(&format!(", {text}")).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// Finite differences through the kernels against the plain forms' gradients.
#[test]
fn gradients_are_slopes() {
    let tokens = [[2i64, -100, 0, -100, 1], [1, 0, -100, -100, -100], [-100, -100, 2, 2, 0]];
    for head in ["Model"].into_iter().chain(HEADS) {
        let labels = match head {
            "Model" => Random(3).tensor(&[3, 5, HIDDEN], DType::F64),
            "ForSequenceClassification" => Tensor::new(&[0i64, 2, 1], &Device::Cpu).unwrap(),
            _ => Tensor::new(&tokens, &Device::Cpu).unwrap(),
        };
        for (activation, tied) in [("gelu", true), ("silu", false)] {
            let changes = json!({"activation": activation, "tie_word_embeddings": tied});
            let config = config(changes);
            let tensors = tensors(&config, head, DType::F64);
            let name = format!("RopeEncoder{head}");
            check_tensors(&name, &config.into(), &tensors, &batch_with_pad(0), &labels);
        }
    }
}

#[test]
fn packed_equals_padded() {
    let (ids, mask) = batch_with_pad(0);
    let (ids, mask) = (ids.narrow(0, 0, 2).unwrap(), mask.narrow(0, 0, 2).unwrap());
    let packed = real(&ids.unsqueeze(2).unwrap(), &mask).squeeze(1).unwrap();
    for head in ["Model"].into_iter().chain(HEADS) {
        let model = model(head, json!({}));
        let forward = |inputs: Inputs| {
            let inputs = Inputs { output_hidden_states: true, ..inputs };
            model.network.forward(&inputs, None).unwrap()
        };
        let padded = forward(Inputs::padded(&ids, &mask));
        let in_row = forward(Inputs::packed(&packed, &[0, 5, 7]));
        let states = padded.hidden_states.unwrap();
        assert_eq!(states.len(), 3);
        for (padded, in_row) in states.iter().zip(&in_row.hidden_states.unwrap()) {
            assert!(difference(&real(padded, &mask), in_row) < ROUNDED, "{head}");
        }
        if let Some(vectors) = &padded.pooler_output {
            assert!(difference(vectors, &in_row.pooler_output.unwrap()) < ROUNDED);
            let lengths = vectors.sqr().unwrap().sum(1).unwrap();
            assert!(difference(&lengths, &lengths.ones_like().unwrap()) < ROUNDED);
        }
        let Some(mut logits) = padded.logits else { continue };
        if logits.rank() == 3 {
            logits = real(&logits, &mask);
        }
        assert!(difference(&logits, &in_row.logits.unwrap()) < ROUNDED, "{head}");
    }
}

/// The third row of the batch stands behind a pad: positions say only how far tokens are apart.
#[test]
fn where_a_text_stands_changes_nothing() {
    let (ids, mask) = batch_with_pad(0);
    let model = model("Model", json!({}));
    let vectors = |ids: &Tensor, mask: &Tensor| {
        let output = model.network.forward(&Inputs::padded(ids, mask), None).unwrap();
        output.pooler_output.unwrap()
    };
    let among = vectors(&ids, &mask).narrow(0, 2, 1).unwrap();
    let text = ids.narrow(0, 2, 1).unwrap().narrow(1, 1, 4).unwrap();
    let alone = vectors(&text, &text.ones_like().unwrap());
    assert!(difference(&among, &alone) < ROUNDED);
}

#[test]
fn a_text_beyond_the_context_is_refused() {
    let model = model("Model", json!({"context_window": 4}));
    let (ids, mask) = batch_with_pad(0);
    let error = model.network.forward(&Inputs::padded(&ids, &mask), None).unwrap_err();
    assert!(error.to_string().contains("a text has 5 tokens; this model takes at most 4"));
}

#[test]
fn tables_from_elsewhere_are_refused() {
    let model = model("Model", json!({}));
    let (ids, mask) = batch_with_pad(0);
    let tables = BTreeMap::new();
    let inputs = Inputs { rope_tables: Some(&tables), ..Inputs::padded(&ids, &mask) };
    let error = model.network.forward(&inputs, None).unwrap_err();
    assert!(error.to_string().contains("makes its own tables"));
}

fn vectors(seed: u64) -> Tensor {
    Random(seed).tensor(&[4, HIDDEN], DType::F64)
}

fn ranking_loss(model: &RopeEncoderModel) -> Tensor {
    let logits = model.similarity(&vectors(1), &vectors(2)).unwrap();
    let labels = Tensor::arange(0i64, 4, &Device::Cpu).unwrap();
    cross_entropy(&logits, &labels, -100, None).unwrap()
}

/// The encoder over these tensors, made of variables.
fn trained(tensors: &Tensors) -> (RopeEncoderModel, BTreeMap<String, Var>) {
    let variable =
        |(key, tensor): (&String, &Tensor)| (key.clone(), Var::from_tensor(tensor).unwrap());
    let variables: BTreeMap<_, _> = tensors.iter().map(variable).collect();
    let tensors =
        variables.iter().map(|(key, var)| (key.clone(), var.as_tensor().clone())).collect();
    let config = config(json!({}));
    let build = |weights: &Weights| RopeEncoderModel::new(&config, weights);
    (Weights::build(&tensors, build).unwrap(), variables)
}

#[test]
fn the_temperature_divides_cosines_and_has_a_slope() {
    const STEP: f64 = 1e-5;
    let mut tensors = tensors(&config(json!({})), "Model", DType::F64);
    let mut at = |logarithm: f64| {
        let number = Tensor::new(&[logarithm], &Device::Cpu).unwrap();
        tensors.insert("log_temperature".into(), number);
        trained(&tensors)
    };
    let (model, variables) = at(-1.5);
    let cosines = cosine_similarity(&vectors(1), &vectors(2)).unwrap();
    let divided = (cosines / (-1.5f64).exp()).unwrap();
    let found = model.similarity(&vectors(1), &vectors(2)).unwrap();
    assert!(difference(&found, &divided) < ROUNDED);

    let store = ranking_loss(&model).backward().unwrap();
    let gradient = store.get(&variables["log_temperature"]).unwrap();
    let gradient = gradient.to_vec1::<f64>().unwrap()[0];
    let mut loss = |logarithm| ranking_loss(&at(logarithm).0).to_scalar::<f64>().unwrap();
    let slope = (loss(-1.5 + STEP) - loss(-1.5 - STEP)) / (2.0 * STEP);
    assert!((gradient - slope).abs() < 1e-8 && slope.abs() > 1e-3, "{gradient} for {slope}");
}

/// x / t has the direction of x: before the norm a temperature does nothing and learns nothing.
#[test]
fn before_the_norm_a_temperature_does_nothing() {
    let logarithm = Var::new(&[0.7f64], &Device::Cpu).unwrap();
    let temperature = logarithm.exp().unwrap();
    let divided = vectors(1).broadcast_div(&temperature).unwrap();
    let unit = normalize(&divided, 1e-12).unwrap();
    assert!(difference(&unit, &normalize(&vectors(1), 1e-12).unwrap()) < ROUNDED);
    let loss = (&unit * vectors(3)).unwrap().sum_all().unwrap();
    let store = loss.backward().unwrap();
    let gradient = store.get(&logarithm).unwrap().to_vec1::<f64>().unwrap()[0];
    assert!(gradient.abs() < ROUNDED, "{gradient}");
}

#[test]
fn without_a_temperature_cosines_are_left_alone() {
    let model = model("Model", json!({"use_temperature": false}));
    let found = model.network.encoder().similarity(&vectors(1), &vectors(2)).unwrap();
    assert_eq!(difference(&found, &cosine_similarity(&vectors(1), &vectors(2)).unwrap()), 0.0);
}

#[test]
fn first_tensors_are_distributed_as_they_should_be() {
    let changes = json!({
        "embedding_dim": 64, "hidden_dim": 96, "vocab_size": 300, "temperature_init": 0.05,
        "is_masked_language": true, "tie_word_embeddings": false, "num_layers": 2,
    });
    let config = config(changes);
    let tensors = first_tensors(&config, 3, &Device::Cpu).unwrap();
    let model = Model::new("RopeEncoderForMaskedLM", config.clone(), tensors.clone());
    assert_eq!(model.unwrap().state().count(), tensors.len(), "it is all that there is");
    for (key, tensor) in &tensors {
        let numbers = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let all = |number: f32| numbers.iter().all(|found| *found == number);
        if key.ends_with("log_temperature") {
            assert!((numbers[0].exp() - 0.05).abs() < 1e-6);
        } else if key.ends_with("bias") {
            assert!(all(0.0), "{key}");
        } else if key.ends_with("norm.weight") {
            assert!(all(1.0), "{key}");
        } else {
            let narrow =
                key.ends_with("attention.output.weight") || key.ends_with("down.weight");
            let expected = if narrow { 0.01 } else { 0.02 };
            let count = numbers.len() as f32;
            let mean = numbers.iter().sum::<f32>() / count;
            let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
            assert!((variance.sqrt() / expected - 1.0).abs() < 0.05, "{key}");
            assert!(mean.abs() < 5.0 * expected / count.sqrt(), "{key}");
        }
    }
    let words = &tensors["model.embeddings.word_embeddings.weight"];
    let pads = words.get(0).unwrap().abs().unwrap().sum(D::Minus1).unwrap();
    assert_eq!(pads.to_scalar::<f32>().unwrap(), 0.0, "the row of the pads");
    let again = first_tensors(&config, 3, &Device::Cpu).unwrap();
    let other = first_tensors(&config, 4, &Device::Cpu).unwrap();
    let key = "decoder.weight";
    assert_eq!(difference(&tensors[key], &again[key]), 0.0);
    assert!(difference(&tensors[key], &other[key]) > 0.01);
    let query = |layer| &tensors[&format!("model.layers.{layer}.attention.query.weight")];
    assert!(difference(query(0), query(1)) > 0.01, "each tensor has a generator of its own");
}

#[test]
fn an_embedding_model_is_built_and_called() {
    let (ids, mask) = batch_with_pad(0);
    for masked in [false, true] {
        let config = config(json!({"is_masked_language": masked}));
        let model = EmbeddingModel::from_seed(&config, 0, &Device::Cpu).unwrap();
        let output = model.forward(&ids, Some(&mask)).unwrap();
        assert_eq!(output.embeddings.dims(), [3, HIDDEN]);
        let scores = model.similarity(&output.embeddings, &output.embeddings).unwrap();
        let scores = scores.to_vec2::<f32>().unwrap();
        assert!((0..3).all(|text| (scores[text][text] - 1.0).abs() < 1e-6));
        assert_eq!(output.logits.is_some(), masked);
        let alone = ids.narrow(0, 2, 1).unwrap().narrow(1, 1, 4).unwrap();
        let alone = model.forward(&alone, None).unwrap().embeddings;
        let gap = difference(&alone, &output.embeddings.narrow(0, 2, 1).unwrap());
        assert!(gap < 1e-6, "{gap}");
        let long = Tensor::zeros((1, 7), DType::I64, &Device::Cpu).unwrap();
        let error = model.forward(&long, None).unwrap_err().to_string();
        assert!(error.contains("takes at most 6"), "{error}");
        let outside = Tensor::new(&[[13i64]], &Device::Cpu).unwrap();
        assert!(model.forward(&outside, None).unwrap_err().to_string().contains("holds 13"));
    }
}
