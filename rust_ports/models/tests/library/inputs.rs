//! What a model takes in and what it refuses; configurations of absurd values, which compute.

use candle_core::{DType, Device, Tensor};
use encoders_models::inputs::Inputs;
use encoders_models::model::Model;
use encoders_models::pooling::{Pooling, pool_packed};
use encoders_models::{Error, Lengths, Result};
use serde_json::{Value, json};

use crate::common::{Random, batch, config, difference, tensors};
use crate::tiny_modernbert;

fn bert() -> Model {
    let config = config("bert", json!({}));
    Model::new("BertModel", config.clone(), tensors(&config, "BertModel", DType::F32)).unwrap()
}

fn hidden(model: &Model, inputs: &Inputs) -> Result<Tensor> {
    model.network.last_hidden_state(inputs)
}

fn refused(result: Result<Tensor>, part: &str) {
    match result {
        Err(Error::Input(text)) => assert!(text.contains(part), "{part:?} is not in {text:?}"),
        other => panic!("{part}: {other:?}"),
    }
}

#[test]
fn ids_of_every_whole_type_mean_the_same() {
    let model = bert();
    let (ids, mask) = batch(model.config());
    let types = ids.zeros_like().unwrap();
    let of = |dtype: DType| {
        let [ids, mask, types] = [&ids, &mask, &types].map(|x| x.to_dtype(dtype).unwrap());
        let inputs = Inputs { token_type_ids: Some(&types), ..Inputs::padded(&ids, &mask) };
        hidden(&model, &inputs)
    };
    let expected = of(DType::I64).unwrap();
    for dtype in [DType::U32, DType::U8] {
        assert_eq!(difference(&of(dtype).unwrap(), &expected), 0.0);
    }
    refused(of(DType::F32), "dtype F32");
    let row = Tensor::new(&[2u32, 3, 4], &Device::Cpu).unwrap();
    hidden(&model, &Inputs::packed(&row, &[0, 1, 3])).unwrap();
}

#[test]
fn a_loss_takes_masks_of_every_whole_type() {
    let model = bert();
    let (ids, mask) = batch(model.config());
    let labels = Tensor::zeros((3, 5, 8), DType::F32, &Device::Cpu).unwrap();
    let loss = |mask: &Tensor| model.gradients(&Inputs::padded(&ids, mask), &labels).unwrap().0;
    assert_eq!(loss(&mask), loss(&mask.to_dtype(DType::U32).unwrap()));
}

#[test]
fn a_row_of_padding_alone_is_refused() {
    let model = bert();
    let (ids, mask) = batch(model.config());
    let first = mask.narrow(0, 0, 1).unwrap();
    let mask = Tensor::cat(&[&first, &first.zeros_like().unwrap(), &first], 0).unwrap();
    refused(hidden(&model, &Inputs::padded(&ids, &mask)), "row 1 of attention_mask");
}

#[test]
fn pooling_wants_the_lengths_of_its_row() {
    let hidden = Random(1).tensor(&[3, 4], DType::F32);
    for wrong in [&[0, 2, 1, 3][..], &[0, 3, 2], &[0, 5], &[1, 3], &[]] {
        assert!(Lengths::new(wrong, 3).is_err(), "{wrong:?}");
    }
    let longer = [0, 2, 5];
    let lengths = Lengths::new(&longer, 5).unwrap();
    refused(pool_packed(&hidden, lengths, &[Pooling::Mean], 0), "has 3 tokens");
    let shorter = [0, 2];
    let lengths = Lengths::new(&shorter, 2).unwrap();
    refused(pool_packed(&hidden, lengths, &[Pooling::Mean], 0), "has 3 tokens");
}

/// No value that a configuration may have overflows or panics; what comes out is a tensor.
#[test]
fn absurd_numbers_are_computed_with_or_refused() {
    let (ids, mask, ..) = tiny_modernbert::batch();
    let keys = [
        "global_rope_theta",
        "local_rope_theta",
        "norm_eps",
        "initializer_range",
        "initializer_cutoff_factor",
        "local_attention",
        "max_position_embeddings",
        "global_attn_every_n_layers",
        "sparse_pred_ignore_index",
    ];
    let values =
        ["1e-300", "1e300", "1000000000000000000000000000000", "2147483647", "-1", "1"];
    for key in keys {
        for value in values {
            let value: Value = serde_json::from_str(value).unwrap();
            let mut changes = tiny_modernbert::config_json(json!({}));
            changes[key] = value.clone();
            let read =
                encoders_models::modernbert::ModernBertConfig::from_json(&changes.to_string());
            let Ok(config) = read else { continue };
            let tensors = tiny_modernbert::tensors(&config, "ModernBertModel", DType::F32);
            let model = Model::new("ModernBertModel", config, tensors).unwrap();
            let result = hidden(&model, &Inputs::padded(&ids, &mask));
            assert_eq!(result.unwrap().dims()[..2], *ids.dims(), "{key} {value}");
        }
    }
    for eps in [1e-300, 1e300] {
        let config = config("bert", json!({"layer_norm_eps": eps}));
        let tensors = tensors(&config, "BertModel", DType::F32);
        let model = Model::new("BertModel", config.clone(), tensors).unwrap();
        let (ids, mask) = batch(&config);
        hidden(&model, &Inputs::padded(&ids, &mask)).unwrap();
    }
}

#[test]
fn nothing_is_no_value_of_these() {
    for (model_type, key) in [
        ("electra", "summary_type"),
        ("electra", "summary_activation"),
        ("modernbert", "sliding_window"),
    ] {
        let mut json = json!({"model_type": model_type});
        json[key] = json!(null);
        let error = encoders_models::family::Config::from_json(&json.to_string()).unwrap_err();
        assert!(error.to_string().contains(&format!("{key} is null")), "{error}");
    }
}

#[test]
fn candle_is_the_source_of_its_errors() {
    use std::error::Error as _;
    let x = Random(1).tensor(&[3, 4], DType::F32);
    let error = Error::from(x.matmul(&x).unwrap_err());
    let source = error.source().unwrap();
    assert!(source.is::<candle_core::Error>());
    assert!(error.to_string().contains(&source.to_string()));
}
