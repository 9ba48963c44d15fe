//! The character encoder: gradients, packed against padded, where a text stands, operations,
//! candidates.

use candle_core::{DType, Device, Tensor, Var};
use encoders_models::char_encoder::{length_mask, masked, missing, shortened};
use encoders_models::inputs::Inputs;
use encoders_models::losses::{binary_cross_entropy, cross_entropy};
use encoders_models::model::Model;
use encoders_models::network::Network;
use encoders_models::weights::{Tensors, Weights};
use serde_json::{Value, json};

use crate::common::{Random, batch_with_pad, difference};
use crate::gradients::check_tensors;
use crate::tiny_char_encoder::{FILTERS, HEADS, HIDDEN, OUTPUTS, config, tensors};
use crate::tiny_modernbert::real;

const ROUNDED: f64 = 1e-12;

fn model(head: &str, changes: Value) -> Model {
    let config = config(changes);
    let tensors = tensors(&config, head, DType::F64);
    Model::new(&format!("CharEncoder{head}"), config, tensors).unwrap()
}

fn cpu(numbers: &[i64]) -> Tensor {
    Tensor::new(numbers, &Device::Cpu).unwrap()
}

/// Finite differences through the kernels against the gradients of what is trained.
#[test]
fn gradients_are_slopes() {
    let tokens = [[2i64, -100, 0, -100, 1], [1, 0, -100, -100, -100], [-100, -100, 2, 2, 0]];
    for head in ["Model"].into_iter().chain(HEADS) {
        let labels = match head {
            "Model" => Random(3).tensor(&[3, 5, HIDDEN], DType::F64),
            "ForSequenceClassification" => cpu(&[0, 2, 1]),
            _ => Tensor::new(&tokens, &Device::Cpu).unwrap(),
        };
        for (activation, hashes, width) in [("gelu", 0, 3), ("silu", 2, 3)] {
            let changes = json!({
                "activation": activation, "num_hashes": hashes, "kernel_size": width,
            });
            let config = config(changes);
            let tensors = tensors(&config, head, DType::F64);
            let name = format!("CharEncoder{head}");
            check_tensors(&name, &config.into(), &tensors, &batch_with_pad(0), &labels);
        }
    }
}

#[test]
fn packed_equals_padded() {
    let (ids, mask) = batch_with_pad(0);
    let row = real(&ids.unsqueeze(2).unwrap(), &mask).squeeze(1).unwrap();
    for (head, hashes) in ["Model"].into_iter().chain(HEADS).zip([0, 2, 4, 0]) {
        let model = model(head, json!({"num_hashes": hashes}));
        let forward = |inputs: Inputs| {
            let inputs = Inputs { output_hidden_states: true, ..inputs };
            model.network.forward(&inputs, None).unwrap()
        };
        let padded = forward(Inputs::padded(&ids, &mask));
        let in_row = forward(Inputs::packed(&row, &[0, 5, 7, 11]));
        let states = padded.hidden_states.unwrap();
        assert_eq!([states[0].dims(), states[1].dims()], [[3, 5, FILTERS], [3, 5, HIDDEN]]);
        for (padded, in_row) in states.iter().zip(&in_row.hidden_states.unwrap()) {
            assert!(difference(&real(padded, &mask), in_row) < ROUNDED, "{head}");
            let at_pads = padded.get(1).unwrap().narrow(0, 2, 3).unwrap();
            assert_eq!(difference(&at_pads, &at_pads.zeros_like().unwrap()), 0.0, "{head}");
        }
        if let Some(vectors) = &padded.pooler_output {
            assert!(difference(vectors, &in_row.pooler_output.unwrap()) < ROUNDED);
        }
        let Some(mut logits) = padded.logits else { continue };
        if logits.rank() == 3 {
            logits = real(&logits, &mask);
        }
        assert!(difference(&logits, &in_row.logits.unwrap()) < ROUNDED, "{head}");
    }
}

/// Strides are counted from a text's first character, and nothing is seen beyond its last.
#[test]
fn where_a_text_stands_and_among_which_others_changes_nothing() {
    let model = model("Model", json!({}));
    let forward = |ids: &Tensor, mask: &Tensor| {
        let output = model.network.forward(&Inputs::padded(ids, mask), None).unwrap();
        (output.last_hidden_state.unwrap(), output.pooler_output.unwrap())
    };
    let text = Tensor::new(&[[9i64, 10, 11, 12]], &Device::Cpu).unwrap();
    let (alone, pooled) = forward(&text, &text.ones_like().unwrap());
    let ids = [[9i64, 10, 11, 12, 1, 1], [1, 9, 1, 10, 11, 12], [3, 4, 5, 6, 7, 8]];
    let mask = [[1i64, 1, 1, 1, 0, 0], [0, 1, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1]];
    let ids = Tensor::new(&ids, &Device::Cpu).unwrap();
    let mask = Tensor::new(&mask, &Device::Cpu).unwrap();
    let (among, both) = forward(&ids, &mask);
    for row in 0..2 {
        let one = |x: &Tensor| x.narrow(0, row, 1).unwrap();
        assert!(difference(&one(&both), &pooled) < ROUNDED);
        let there = real(&one(&among), &one(&mask));
        assert!(difference(&there, &alone.squeeze(0).unwrap()) < ROUNDED);
    }
}

/// A mask that hides nothing is as good as none.
#[test]
fn a_mask_may_be_left_out() {
    let model = model("Model", json!({}));
    let ids = Tensor::new(&[[3i64, 4, 5], [6, 7, 8]], &Device::Cpu).unwrap();
    let row = ids.flatten_all().unwrap();
    let all = ids.ones_like().unwrap();
    let hidden = |inputs: Inputs| model.network.last_hidden_state(&inputs).unwrap();
    let padded = hidden(Inputs::padded(&ids, &all));
    let without = hidden(Inputs { attention_mask: None, ..Inputs::padded(&ids, &all) });
    assert_eq!(difference(&padded, &without), 0.0);
    let packed = hidden(Inputs::packed(&row, &[0, 3, 6]));
    assert!(difference(&padded.flatten(0, 1).unwrap(), &packed) < ROUNDED);
}

/// Where gradients are tracked, and where not.
#[test]
fn what_is_trained_gives_what_is_used() {
    let (ids, mask) = batch_with_pad(0);
    for (dtype, bound) in [(DType::F64, ROUNDED), (DType::F32, 2e-5)] {
        for activation in ["gelu", "relu"] {
            let config = config(json!({"activation": activation}));
            let constants = tensors(&config, "Model", dtype);
            let variable = |(key, tensor): (&String, &Tensor)| {
                (key.clone(), Var::from_tensor(tensor).unwrap().into_inner())
            };
            let variables: Tensors = constants.iter().map(variable).collect();
            let config = config.into();
            let hidden = |tensors: &Tensors| {
                let build =
                    |weights: &Weights| Network::new("CharEncoderModel", &config, weights);
                let network = Weights::build(tensors, build).unwrap();
                network.last_hidden_state(&Inputs::padded(&ids, &mask)).unwrap()
            };
            assert!(difference(&hidden(&constants), &hidden(&variables)) < bound);
        }
    }
}

#[test]
fn a_trace_names_every_operation_in_order() {
    let layer = "attention_norm attention.query attention.key attention.value \
                 attention.output.input attention.output feed_forward_norm feed_forward.up \
                 feed_forward.down.input feed_forward.down";
    let of_layer = |at: &str| -> Vec<String> {
        layer.split(' ').map(|name| format!("{at}.{name}")).chain([at.to_string()]).collect()
    };
    let mut expected: Vec<String> =
        ["characters", "convolution"].map(|name| format!("model.embeddings.{name}")).into();
    expected.push("model.embeddings".into());
    for (tower, steps, layers) in [(0, 2, 2), (1, 1, 1)] {
        let at = format!("model.towers.{tower}");
        let both = |name: String| [format!("{name}.convolution"), name];
        if tower == 1 {
            expected.extend(of_layer(&format!("{at}.local")));
        }
        expected.extend((0..steps).flat_map(|step| both(format!("{at}.down.{step}"))));
        expected
            .extend((0..layers).flat_map(|layer| of_layer(&format!("{at}.layers.{layer}"))));
        expected.push(format!("{at}.final_norm"));
        expected.extend((0..steps).flat_map(|step| both(format!("{at}.up.{step}"))));
        expected.extend(["projection", ""].map(|name| match name {
            "" => format!("{at}.merge"),
            name => format!("{at}.merge.{name}"),
        }));
    }
    expected.push("decoder".into());
    let (ids, mask) = batch_with_pad(0);
    let trace = model("ForMaskedLM", json!({})).trace(&Inputs::padded(&ids, &mask)).unwrap();
    let names: Vec<&str> = trace.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected);
    let shape = |name: &str| trace.iter().find(|(known, _)| known == name).unwrap().1.dims();
    assert_eq!(shape("model.embeddings"), [3, 5, FILTERS]);
    assert_eq!(shape("model.towers.0.down.0.convolution"), [3, 4, 4]);
    assert_eq!(shape("model.towers.0.layers.1"), [3, 2, 4]);
    assert_eq!(shape("model.towers.0.up.1.convolution"), [3, 8, 4]);
    assert_eq!(shape("model.towers.1.up.0"), [3, 6, 6]);
    assert_eq!(shape("model.towers.1.merge"), [3, 5, 6]);
}

#[test]
fn candidates_are_scored_as_they_are_among_all() {
    let model = model("ForMaskedLM", json!({}));
    let row = cpu(&[3, 4, 5, 6, 7]);
    let (places, candidates) = (cpu(&[0, 4]), cpu(&[6, 2, 2]));
    let packed = Inputs::packed(&row, &[0, 2, 5]);
    let asked = Inputs { places: Some(&places), ..packed };
    let few = Inputs { candidates: Some(&candidates), ..asked };
    let offsets = [[0.5, f64::NEG_INFINITY, 0.0], [-1.0, 0.0, 2.0]];
    let offsets = Tensor::new(&offsets, &Device::Cpu).unwrap();
    let shifted = Inputs { offsets: Some(&offsets), ..few };
    let logits = |inputs: &Inputs| model.network.forward(inputs, None).unwrap().logits.unwrap();
    let expected = logits(&asked).index_select(&candidates, 1).unwrap();
    assert!(difference(&logits(&few), &expected) < ROUNDED);
    let summed = (expected + &offsets).unwrap().exp().unwrap();
    assert!(difference(&logits(&shifted).exp().unwrap(), &summed) < ROUNDED);
    // Padded, each position is a place.
    let whole = row.unsqueeze(0).unwrap();
    let all = whole.ones_like().unwrap();
    let padded = Inputs { candidates: Some(&candidates), ..Inputs::padded(&whole, &all) };
    assert_eq!(logits(&padded).dims(), [1, 5, 3]);

    let labels = cpu(&[2, 0]);
    let (loss, gradients) = model.gradients(&shifted, &labels).unwrap();
    let of_logits = cross_entropy(&logits(&shifted), &labels, -100, None).unwrap();
    assert!((loss - of_logits.to_scalar::<f64>().unwrap()).abs() < ROUNDED);
    let moved = gradients["decoder.weight"].abs().unwrap().sum(1).unwrap();
    let moved = moved.to_vec1::<f64>().unwrap();
    assert!((0..OUTPUTS).all(|row| (moved[row] > 0.0) == [2, 6].contains(&row)), "{moved:?}");
    assert!(gradients.values().all(|gradient| {
        let numbers = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        numbers.iter().all(|number| number.is_finite())
    }));
}

#[test]
fn float_labels_say_of_each_candidate_whether_it_is_right() {
    let model = model("ForMaskedLM", json!({}));
    let (row, places, candidates) = (cpu(&[3, 4, 5]), cpu(&[1, 2]), cpu(&[0, 3]));
    let inputs = Inputs {
        places: Some(&places),
        candidates: Some(&candidates),
        ..Inputs::packed(&row, &[0, 3])
    };
    let labels = Tensor::new(&[[1f32, 0.0], [-100.0, 1.0]], &Device::Cpu).unwrap();
    let output = model.network.forward(&inputs, Some(&labels)).unwrap();
    let logits = output.logits.unwrap().flatten_all().unwrap();
    let kept = logits.index_select(&cpu(&[0, 1, 3]), 0).unwrap();
    let right = Tensor::new(&[1f64, 0.0, 1.0], &Device::Cpu).unwrap();
    let expected = binary_cross_entropy(&kept, &right, None).unwrap();
    assert!(difference(&output.loss.unwrap(), &expected) < ROUNDED);
}

#[test]
fn candidates_that_do_not_fit_are_refused() {
    let (row, places) = (cpu(&[3, 4, 5]), cpu(&[1, 2]));
    let packed = Inputs { places: Some(&places), ..Inputs::packed(&row, &[0, 3]) };
    let one = cpu(&[1]);
    let few = Inputs { candidates: Some(&one), ..packed };
    let error = |head: &str, inputs: &Inputs| {
        let error = model(head, json!({})).network.forward(inputs, None).unwrap_err();
        assert!(matches!(error, encoders_models::Error::Input(_)));
        error.to_string()
    };
    for head in ["Model", "ForTokenClassification"] {
        assert!(error(head, &few).contains("candidates are for a head"), "{head}");
    }
    let head = "ForMaskedLM";
    for (ids, part) in [(vec![7], "candidates holds 7"), (vec![-1], "candidates holds -1")] {
        let wrong = cpu(&ids);
        assert!(error(head, &Inputs { candidates: Some(&wrong), ..packed }).contains(part));
    }
    let none = Tensor::zeros(0, DType::I64, &Device::Cpu).unwrap();
    let square = one.unsqueeze(0).unwrap();
    for wrong in [&none, &square] {
        let message = error(head, &Inputs { candidates: Some(wrong), ..packed });
        assert!(message.contains("at least one of them"), "{message}");
    }
    let offsets = Tensor::zeros((1, 2), DType::F64, &Device::Cpu).unwrap();
    let message = error(head, &Inputs { offsets: Some(&offsets), ..few });
    assert!(message.contains("the shape [2, 1]"), "{message}");
    let message = error(head, &Inputs { offsets: Some(&offsets), ..packed });
    assert!(message.contains("there are none"), "{message}");
}

#[test]
fn texts_and_tables_that_it_cannot_take_are_refused() {
    let model = model("Model", json!({}));
    let ids = Tensor::ones((1, 7), DType::I64, &Device::Cpu).unwrap();
    let error = model.network.forward(&Inputs::padded(&ids, &ids), None).unwrap_err();
    assert!(error.to_string().contains("a text has 7 tokens; this model takes at most 6"));
    let (ids, mask) = batch_with_pad(0);
    let tables = std::collections::BTreeMap::new();
    let inputs = Inputs { rope_tables: Some(&tables), ..Inputs::padded(&ids, &mask) };
    let error = model.network.forward(&inputs, None).unwrap_err();
    assert!(error.to_string().contains("makes its own RoPE tables"));
}

#[test]
fn lengths_are_rounded_up() {
    let mask = length_mask(&[1, 4, 5], 6, &Device::Cpu).unwrap();
    assert_eq!(mask.sum(1).unwrap().to_vec1::<i64>().unwrap(), [1, 4, 5]);
    let shorter = shortened(&mask, 2).unwrap();
    assert_eq!(shorter.to_vec2::<i64>().unwrap(), [[1, 0, 0], [1, 1, 0], [1, 1, 1]]);
    assert_eq!([missing(5, 4), missing(8, 4)], [3, 0]);
    let x = Tensor::new(&[[[2f32], [3.0]]], &Device::Cpu).unwrap();
    let first = length_mask(&[1], 2, &Device::Cpu).unwrap();
    assert_eq!(masked(&x, &first).unwrap().to_vec3::<f32>().unwrap(), [[[2.0], [0.0]]]);
}
