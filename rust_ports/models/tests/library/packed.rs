//! Packed input against padded input, and kernels against the plain forms.

use crate::common::{Random, batch, config, difference, tensors};
use candle_core::{DType, Device, Tensor, Var};
use encoders_models::attention::pad_packed;
use encoders_models::family::Config;
use encoders_models::inputs::Inputs;
use encoders_models::model::{Model, Network};
use encoders_models::weights::{Tensors, Weights};
use encoders_models::{Error, Lengths};
use serde_json::json;

const CU_SEQLENS: [usize; 4] = [0, 5, 7, 11];

fn model(config: &Config, architecture: &str, dtype: DType) -> Model {
    Model::new(architecture, config.clone(), tensors(config, architecture, dtype)).unwrap()
}

/// The real tokens of `batch`, in a row.
fn row(padded: &Tensor, mask: &Tensor) -> Tensor {
    let mask: Vec<i64> = mask.flatten_all().unwrap().to_vec1().unwrap();
    let real: Vec<i64> =
        (0..mask.len() as i64).filter(|place| mask[*place as usize] == 1).collect();
    let real = Tensor::new(real, &Device::Cpu).unwrap();
    padded.flatten(0, 1).unwrap().index_select(&real, 0).unwrap()
}

#[test]
fn packed_equals_padded_at_every_layer() {
    for kind in ["bert", "roberta", "xlm-roberta"] {
        for act in ["gelu", "gelu_new", "silu"] {
            let config = config(kind, json!({"hidden_act": act}));
            let model = model(
                &config,
                if kind == "bert" { "BertModel" } else { "RobertaModel" },
                DType::F64,
            );
            let (mut ids, mut mask) = batch(&config);
            if kind == "bert" {
                // BERT's positions count padding on the left, so there a packed text differs
                // from a padded one.
                (ids, mask) = (ids.narrow(0, 0, 2).unwrap(), mask.narrow(0, 0, 2).unwrap());
            }
            let cu_seqlens = &CU_SEQLENS[..ids.dims()[0] + 1];
            let packed_ids = row(&ids, &mask);
            let want = |inputs: Inputs| {
                let inputs = Inputs { output_hidden_states: true, ..inputs };
                model.network.forward(&inputs, None).unwrap().hidden_states.unwrap()
            };
            let padded = want(Inputs::padded(&ids, &mask));
            let packed = want(Inputs::packed(&packed_ids, cu_seqlens));
            assert_eq!(padded.len(), 3);
            for (padded, packed) in padded.iter().zip(&packed) {
                assert!(difference(&row(padded, &mask), packed) < 1e-13, "{kind} {act}");
            }
        }
    }
}

#[test]
fn packed_heads_give_a_row_a_text_or_a_token() {
    let config = config("bert", json!({}));
    let (ids, mask) = batch(&config);
    let (ids, mask) = (ids.narrow(0, 0, 2).unwrap(), mask.narrow(0, 0, 2).unwrap());
    let packed_ids = row(&ids, &mask);
    for architecture in
        ["BertForSequenceClassification", "BertForTokenClassification", "BertForMaskedLM"]
    {
        let model = model(&config, architecture, DType::F64);
        let logits = |inputs| model.network.forward(&inputs, None).unwrap().logits.unwrap();
        let mut padded = logits(Inputs::padded(&ids, &mask));
        let packed = logits(Inputs::packed(&packed_ids, &CU_SEQLENS[..3]));
        if padded.rank() == 3 {
            padded = row(&padded, &mask);
        }
        assert!(difference(&padded, &packed) < 1e-13, "{architecture}");
    }
}

#[test]
fn only_the_places_asked_for_are_scored() {
    for (kind, name) in [("bert", "BertForMaskedLM"), ("roberta", "RobertaForMaskedLM")] {
        let config = config(kind, json!({}));
        let model = model(&config, name, DType::F64);
        let (ids, mask) = batch(&config);
        let (ids, mask) = (ids.narrow(0, 0, 2).unwrap(), mask.narrow(0, 0, 2).unwrap());
        let packed_ids = row(&ids, &mask);
        let places = Tensor::new(&[0i64, 4, 5], &Device::Cpu).unwrap();
        let all = Inputs::packed(&packed_ids, &CU_SEQLENS[..3]);
        let logits = |inputs| model.network.forward(&inputs, None).unwrap().logits.unwrap();
        let asked = logits(Inputs { places: Some(&places), ..all });
        let expected = logits(all).index_select(&places, 0).unwrap();
        assert!(difference(&asked, &expected) < 1e-14, "{kind}");
    }
}

/// Products of few rows keep a weight as they laid it out; what follows an update must not see
/// the old one.
#[test]
fn an_update_reaches_every_layer() {
    let config = config("bert", json!({"hidden_size": 48, "intermediate_size": 300}));
    let (ids, mask) = batch(&config);
    let hidden =
        |model: &Model| model.network.last_hidden_state(&Inputs::padded(&ids, &mask)).unwrap();
    let mut changed = model(&config, "BertModel", DType::F32);
    let before = hidden(&changed);
    let tensors: Tensors =
        changed.state().map(|(key, tensor)| (key.clone(), (tensor * 1.25).unwrap())).collect();
    changed.update(tensors.clone()).unwrap();
    let fresh = Model::new("BertModel", config.clone(), tensors).unwrap();
    assert_eq!(difference(&hidden(&changed), &hidden(&fresh)), 0.0);
    assert!(difference(&hidden(&changed), &before) > 0.1);
}

/// The plain forms run where gradients are tracked, the fused ones where not. In float32 they
/// may differ by a few ulp.
#[test]
fn fused_equals_plain() {
    for (dtype, bound) in [(DType::F64, 1e-14), (DType::F32, 1e-5)] {
        for kind in ["bert", "xlm-roberta"] {
            for act in ["gelu", "relu"] {
                let config = config(
                    kind,
                    json!({"hidden_act": act, "hidden_size": 48, "intermediate_size": 300}),
                );
                let name = if kind == "bert" { "BertModel" } else { "XLMRobertaModel" };
                let constants = tensors(&config, name, dtype);
                let variables = constants.iter().map(|(key, tensor)| {
                    (key.clone(), Var::from_tensor(tensor).unwrap().into_inner())
                });
                let variables: Tensors = variables.collect();
                let (ids, mask) = batch(&config);
                let types = Tensor::new(
                    &[[0i64, 0, 1, 1, 1], [1, 0, 0, 0, 0], [0, 0, 0, 1, 1]],
                    &Device::Cpu,
                )
                .unwrap();
                let inputs = Inputs {
                    token_type_ids: Some(&types),
                    output_hidden_states: true,
                    ..Inputs::padded(&ids, &mask)
                };
                let states = |tensors: &Tensors| {
                    let network =
                        Weights::build(tensors, |weights| Network::new(name, &config, weights))
                            .unwrap();
                    network.forward(&inputs, None).unwrap().hidden_states.unwrap()
                };
                let (fused, plain) = (states(&constants), states(&variables));
                assert!(plain[0].track_op() && !fused[0].track_op());
                for (layer, (fused, plain)) in fused.iter().zip(&plain).enumerate() {
                    let gap = difference(&row(fused, &mask), &row(plain, &mask));
                    assert!(gap < bound, "{kind} {act} {dtype:?} {layer}: {gap}");
                }
            }
        }
    }
}

/// A trace keeps operations apart, which rounds otherwise than the fused layer but computes the
/// same.
#[test]
fn a_trace_ends_where_the_model_does() {
    let config = config("bert", json!({}));
    let model = model(&config, "BertModel", DType::F64);
    let (ids, mask) = batch(&config);
    let inputs = Inputs::padded(&ids, &mask);
    let trace = model.trace(&inputs).unwrap();
    let last = &trace.iter().find(|(name, _)| name == "encoder.layer.1.output").unwrap().1;
    let output = model.network.forward(&inputs, None).unwrap();
    assert!(difference(last, &output.last_hidden_state.unwrap()) < 1e-14);
    assert!(difference(&trace[trace.len() - 1].1, &output.pooler_output.unwrap()) < 1e-14);
}

#[test]
fn a_trace_names_every_operation_in_order() {
    let config = config("bert", json!({"num_hidden_layers": 1}));
    let (ids, mask) = batch(&config);
    let names = |architecture| -> Vec<String> {
        let trace = model(&config, architecture, DType::F32)
            .trace(&Inputs::padded(&ids, &mask))
            .unwrap();
        trace.into_iter().map(|(name, _)| name).collect()
    };
    let layer = [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.self",
        "attention.output.dense",
        "attention.output",
        "intermediate.dense",
        "intermediate",
        "output.dense",
        "output",
    ];
    let expected = |prefix: &str, rest: &[&str]| -> Vec<String> {
        let layer = layer.iter().map(|name| format!("{prefix}encoder.layer.0.{name}"));
        std::iter::once(format!("{prefix}embeddings"))
            .chain(layer)
            .chain(rest.iter().map(|name| name.to_string()))
            .collect()
    };
    assert_eq!(names("BertModel"), expected("", &["pooler.dense", "pooler"]));
    let predictions = [
        "cls.predictions.transform.dense",
        "cls.predictions.transform",
        "cls.predictions.decoder",
    ];
    assert_eq!(names("BertForMaskedLM"), expected("bert.", &predictions));
    let classifier = ["bert.pooler.dense", "bert.pooler", "classifier"];
    assert_eq!(names("BertForSequenceClassification"), expected("bert.", &classifier));
}

#[test]
fn pad_packed_lays_texts_out() {
    let packed = Random(1).tensor(&[11, 4], DType::F32);
    let lengths = Lengths::new(&CU_SEQLENS, 11).unwrap();
    let (padded, mask) = pad_packed(&packed, lengths).unwrap();
    assert_eq!(padded.dims(), [3, 5, 4]);
    assert_eq!(
        mask.to_vec2::<i64>().unwrap(),
        [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]]
    );
    for (text, (start, length)) in lengths.texts().enumerate() {
        let found = padded.get(text).unwrap().narrow(0, 0, length).unwrap();
        assert_eq!(difference(&found, &packed.narrow(0, start, length).unwrap()), 0.0);
    }
}

#[test]
fn bad_inputs_are_named() {
    let config = config("bert", json!({}));
    let model = model(&config, "BertModel", DType::F32);
    let ids = |row: [i64; 3]| Tensor::new(&[row], &Device::Cpu).unwrap();
    let flat = |ids: &[i64]| Tensor::new(ids, &Device::Cpu).unwrap();
    let good = ids([1, 2, 3]);
    let refused = |inputs: Inputs, part: &str| match model.network.forward(&inputs, None) {
        Err(Error::Input(text)) => assert!(text.contains(part), "{text}"),
        other => panic!("{part}: {other:?}"),
    };
    let ones = good.ones_like().unwrap();
    refused(Inputs::padded(&ids([1, 2, 13]), &ones), "input_ids holds 13");
    refused(Inputs::padded(&ids([1, -2, 3]), &ones), "input_ids holds -2");
    refused(Inputs::padded(&good, &ids([1, 1, 2])), "attention_mask holds 2");
    refused(Inputs::padded(&good, &flat(&[1, 1, 1])), "attention_mask has shape [3]");
    refused(
        Inputs { token_type_ids: Some(&ids([0, 1, 2])), ..Inputs::padded(&good, &ones) },
        "token_type_ids holds 2",
    );
    refused(Inputs::padded(&good.to_dtype(DType::F32).unwrap(), &ones), "dtype F32");
    let long = Tensor::ones((1, 21), DType::I64, &Device::Cpu).unwrap();
    refused(Inputs::padded(&long, &long), "at most 20");
    refused(Inputs::packed(&long.squeeze(0).unwrap(), &[0, 21]), "at most 20");
    let row = flat(&[1, 2, 3]);
    for wrong in [&[0usize, 2][..], &[0, 4], &[1, 3], &[0, 2, 2, 3], &[0, 3, 2], &[0], &[]] {
        refused(Inputs::packed(&row, wrong), "cu_seqlens must rise");
    }
    refused(
        Inputs { attention_mask: Some(&row), ..Inputs::packed(&row, &[0, 3]) },
        "exclude each other",
    );
    refused(Inputs::packed(&good, &[0, 3]), "beside cu_seqlens it must be [tokens]");
    refused(
        Inputs { places: Some(&flat(&[3])), ..Inputs::packed(&row, &[0, 3]) },
        "places holds 3",
    );
    refused(Inputs { places: Some(&flat(&[1])), ..Inputs::padded(&good, &ones) }, "packed row");
}
