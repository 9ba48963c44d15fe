//! Gradients of every architecture against finite differences, in float64.

use crate::common::{Random, batch, config, difference, tensors};
use candle_core::{DType, Device, Tensor};
use encoders_models::family::Config;
use encoders_models::inputs::Inputs;
use encoders_models::layers::ACTIVATIONS;
use encoders_models::model::Model;
use encoders_models::weights::Tensors;
use serde_json::json;

/// The loss through the network that is used where no gradient is wanted: the kernels.
fn loss(
    architecture: &str,
    config: &Config,
    tensors: Tensors,
    inputs: &Inputs,
    labels: &Tensor,
) -> f64 {
    let model = Model::new(architecture, config.clone(), tensors).unwrap();
    model.network.forward(inputs, Some(labels)).unwrap().loss.unwrap().to_scalar().unwrap()
}

fn check(architecture: &str, config: &Config, labels: &Tensor) {
    let tensors = tensors(config, architecture, DType::F64);
    check_tensors(architecture, config, &tensors, &batch(config), labels);
}

/// Moves a few numbers of every parameter a little and compares.
pub fn check_tensors(
    architecture: &str,
    config: &Config,
    tensors: &Tensors,
    (ids, mask): &(Tensor, Tensor),
    labels: &Tensor,
) {
    const STEP: f64 = 1e-5;
    let inputs = Inputs::padded(ids, mask);
    let model = Model::new(architecture, config.clone(), tensors.clone()).unwrap();
    let (value, gradients) = model.gradients(&inputs, labels).unwrap();
    assert_eq!(gradients.keys().collect::<Vec<_>>(), tensors.keys().collect::<Vec<_>>());
    let plain = loss(architecture, config, tensors.clone(), &inputs, labels);
    assert!(
        (value - plain).abs() < 1e-12,
        "{architecture}: loss {value}, without gradients {plain}"
    );

    let mut random = Random(11);
    for (key, tensor) in tensors {
        let gradient: Vec<f64> = gradients[key].flatten_all().unwrap().to_vec1().unwrap();
        for _ in 0..2 {
            let place = random.below(gradient.len());
            if is_padding(config, key, place / tensor.dims().last().unwrap()) {
                continue;
            }
            let moved = |step: f64| {
                let mut numbers: Vec<f64> = tensor.flatten_all().unwrap().to_vec1().unwrap();
                numbers[place] += step;
                let moved = Tensor::from_vec(numbers, tensor.dims(), &Device::Cpu).unwrap();
                let mut tensors = tensors.clone();
                tensors.insert(key.clone(), moved);
                loss(architecture, config, tensors, &inputs, labels)
            };
            let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            let gap = (slope - gradient[place]).abs();
            assert!(
                gap < 1e-7 + 1e-6 * slope.abs(),
                "{architecture} {key}[{place}]: {} for {slope}",
                gradient[place]
            );
        }
    }
}

/// The pad's rows get no gradient, as PyTorch's padding_idx has it, although a head may look at
/// a pad's vector.
fn is_padding(config: &Config, key: &str, row: usize) -> bool {
    let counted =
        config.limits().uncounted.is_some() && key.ends_with("position_embeddings.weight");
    (key.ends_with("word_embeddings.weight") || counted)
        && Some(row) == config.encoder().pad_token_id
}

#[test]
fn base_models() {
    for kind in ["bert", "xlm-roberta"] {
        let config = config(kind, json!({}));
        let labels = Random(3).tensor(&[3, 5, 8], DType::F64);
        let architecture = if kind == "bert" { "BertModel" } else { "XLMRobertaModel" };
        check(architecture, &config, &labels);
    }
}

#[test]
fn masked_language_models_tied_and_untied() {
    let labels = Tensor::new(
        &[[2i64, -100, 4, -100, 0], [7, -100, -100, -100, -100], [-100, -100, 3, 3, -100]],
        &Device::Cpu,
    );
    let labels = labels.unwrap();
    for (kind, architecture) in [("bert", "BertForMaskedLM"), ("roberta", "RobertaForMaskedLM")]
    {
        for tied in [true, false] {
            let config = config(kind, json!({"tie_word_embeddings": tied}));
            check(architecture, &config, &labels);
        }
    }
}

#[test]
fn sequence_classifiers_with_each_loss() {
    let classes = Tensor::new(&[0i64, 2, 1], &Device::Cpu).unwrap();
    let targets = Random(5).tensor(&[3, 3], DType::F64).abs().unwrap();
    for (kind, architecture) in [
        ("bert", "BertForSequenceClassification"),
        ("xlm-roberta", "XLMRobertaForSequenceClassification"),
    ] {
        check(architecture, &config(kind, json!({})), &classes);
        check(architecture, &config(kind, json!({})), &targets);
        check(architecture, &config(kind, json!({"problem_type": "regression"})), &targets);
        let single = targets.narrow(1, 0, 1).unwrap().squeeze(1).unwrap();
        check(architecture, &config(kind, json!({"num_labels": 1})), &single);
    }
}

#[test]
fn token_classifiers() {
    let labels = Tensor::new(
        &[[0i64, 1, 2, 0, 1], [1, 1, -100, -100, -100], [-100, 2, 2, 0, 0]],
        &Device::Cpu,
    )
    .unwrap();
    check("BertForTokenClassification", &config("bert", json!({})), &labels);
    check("XLMRobertaForTokenClassification", &config("xlm-roberta", json!({})), &labels);
}

#[test]
fn every_activation() {
    let labels = Random(3).tensor(&[3, 5, 8], DType::F64);
    for (name, _) in ACTIVATIONS {
        check(
            "BertModel",
            &config("bert", json!({"hidden_act": name, "num_hidden_layers": 1})),
            &labels,
        );
    }
}

#[test]
fn the_padding_row_has_no_gradient_of_its_own() {
    let config = config("bert", json!({}));
    let model =
        Model::new("BertModel", config.clone(), tensors(&config, "BertModel", DType::F64))
            .unwrap();
    // The pad's id where a token is real.
    let ids = Tensor::new(&[[3i64, 0, 4]], &Device::Cpu).unwrap();
    let mask = ids.ones_like().unwrap();
    let labels = Random(3).tensor(&[1, 3, 8], DType::F64);
    let (_, gradients) = model.gradients(&Inputs::padded(&ids, &mask), &labels).unwrap();
    let words = &gradients["embeddings.word_embeddings.weight"];
    let sizes = words.abs().unwrap().sum(1).unwrap().to_vec1::<f64>().unwrap();
    assert_eq!(sizes[0], 0.0);
    assert!(sizes[3] > 0.0 && sizes[4] > 0.0);
    let unreached = &gradients["pooler.dense.weight"];
    assert_eq!(difference(unreached, &unreached.zeros_like().unwrap()), 0.0);
}

#[test]
fn float32_gradients_follow_float64() {
    let config = config("bert", json!({}));
    let (ids, mask) = batch(&config);
    let inputs = Inputs::padded(&ids, &mask);
    let labels = Random(3).tensor(&[3, 5, 8], DType::F64);
    let gradients = |dtype| {
        let tensors = tensors(&config, "BertModel", DType::F32);
        let tensors = tensors
            .into_iter()
            .map(|(key, tensor)| (key, tensor.to_dtype(dtype).unwrap()))
            .collect();
        Model::new("BertModel", config.clone(), tensors)
            .unwrap()
            .gradients(&inputs, &labels)
            .unwrap()
            .1
    };
    let (single, double) = (gradients(DType::F32), gradients(DType::F64));
    for (key, gradient) in &double {
        let size: f64 = gradient.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
        assert!(difference(&single[key], gradient) < 1e-5 * size.max(0.01), "{key}");
    }
}
