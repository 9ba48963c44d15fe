//! ModernBERT's heads: packed against padded, multiple choice, sparse prediction.

use crate::common::difference;
use crate::modernbert::ROUNDED;
use crate::tiny_modernbert::{HEADS, batch, config, model, real};
use candle_core::{DType, Device, Tensor};
use encoders_models::Error;
use encoders_models::inputs::Inputs;
use serde_json::json;

#[test]
fn packed_heads_give_a_row_a_text_or_a_token() {
    for pooling in ["cls", "mean"] {
        let config = config(json!({"classifier_pooling": pooling}));
        let (ids, mask, packed_ids, cu_seqlens) = batch();
        for architecture in HEADS {
            let model = model(&config, architecture, DType::F64);
            let logits = |inputs| {
                let output = model.network.forward(&inputs, None).unwrap();
                output.logits.unwrap()
            };
            let mut padded = logits(Inputs::padded(&ids, &mask));
            let packed = logits(Inputs::packed(&packed_ids, &cu_seqlens));
            if padded.rank() == 3 {
                padded = real(&padded, &mask);
            }
            assert!(difference(&padded, &packed) < ROUNDED, "{architecture}");
        }
    }
}

/// One question with two choices: the texts of [`batch`], once padded and once in a row.
#[test]
fn choices_have_a_score_each() {
    let (ids, mask, packed_ids, cu_seqlens) = batch();
    let (asked, hides) = (ids.unsqueeze(0).unwrap(), mask.unsqueeze(0).unwrap());
    let label = Tensor::new(&[1i64], &Device::Cpu).unwrap();
    for pooling in ["cls", "mean"] {
        let config = config(json!({"classifier_pooling": pooling}));
        let model = model(&config, "ModernBertForMultipleChoice", DType::F64);
        let forward = |inputs| model.network.forward(&inputs, Some(&label)).unwrap();
        let padded = forward(Inputs::padded(&asked, &hides));
        let packed = forward(Inputs::packed(&packed_ids, &cu_seqlens));
        let logits = padded.logits.unwrap();
        assert_eq!(logits.dims(), [1, 2]);
        assert!(difference(&logits, &packed.logits.unwrap()) < ROUNDED);
        let scores: Vec<f64> = logits.flatten_all().unwrap().to_vec1().unwrap();
        let expected = (1.0 + (scores[0] - scores[1]).exp()).ln();
        let loss: f64 = padded.loss.unwrap().to_scalar().unwrap();
        assert!((loss - expected).abs() < 1e-12);
        let (_, gradients) = model.gradients(&Inputs::padded(&asked, &hides), &label).unwrap();
        let slope: Vec<f64> =
            gradients["classifier.weight"].flatten_all().unwrap().to_vec1().unwrap();
        assert!(slope.iter().any(|number| number.abs() > 1e-3));
        // The bias moves both scores alike.
        let bias: Vec<f64> = gradients["classifier.bias"].to_vec1().unwrap();
        assert!(bias[0].abs() < 1e-12);
    }
}

#[test]
fn choices_need_an_axis_of_their_own() {
    let (ids, mask, ..) = batch();
    let model = model(&config(json!({})), "ModernBertForMultipleChoice", DType::F32);
    let flat = model.network.forward(&Inputs::padded(&ids, &mask), None);
    assert!(matches!(flat, Err(Error::Input(message)) if message.contains("choices")));
    let asked = ids.unsqueeze(0).unwrap();
    let wrong = model.network.forward(&Inputs::padded(&asked, &mask), None);
    assert!(matches!(wrong, Err(Error::Input(message)) if message.contains("attention_mask")));
}

#[test]
fn sparse_prediction_scores_labelled_positions_only() {
    let (ids, mask, ..) = batch();
    let labels = [[-100i64, 3, -100, -100, 1], [-100, 2, -100, -100, -100]];
    let labels = Tensor::new(&labels, &Device::Cpu).unwrap();
    let forward = |sparse: bool, labels: Option<&Tensor>| {
        let config = config(json!({"sparse_prediction": sparse}));
        let model = model(&config, "ModernBertForMaskedLM", DType::F64);
        let inputs = Inputs::padded(&ids, &mask);
        model.network.forward(&inputs, labels).unwrap()
    };
    let (all, some) = (forward(false, Some(&labels)), forward(true, Some(&labels)));
    assert_eq!(some.logits.unwrap().dims(), [3, 13]);
    assert!(difference(&all.loss.unwrap(), &some.loss.unwrap()) < 1e-12);
    assert_eq!(forward(true, None).logits.unwrap().dims(), [2, 5, 13]);
}
