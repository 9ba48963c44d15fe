//! From one vector a token to one a text: what is padding, and what is left of a text.

use candle_core::{DType, Device, Tensor};
use encoders_models::pooling::*;
use encoders_models::{Lengths, Result};

fn example() -> (Tensor, Tensor) {
    let nan = f64::NAN;
    let hidden =
        [[[1.0, -4.0], [3.0, -2.0], [nan, nan]], [[nan, 9.0], [5.0, -7.0], [6.0, -8.0]]];
    let mask = [[1i64, 1, 0], [0, 1, 1]];
    (Tensor::new(&hidden, &Device::Cpu).unwrap(), Tensor::new(&mask, &Device::Cpu).unwrap())
}

#[test]
fn padding_never_counts_even_if_it_is_nan() {
    let (hidden, mask) = example();
    let rows = |x: Result<Tensor>| x.unwrap().to_vec2::<f64>().unwrap();
    assert_eq!(rows(mean_pooling(&hidden, &mask)), [[2.0, -3.0], [5.5, -7.5]]);
    assert_eq!(rows(max_pooling(&hidden, &mask)), [[3.0, -2.0], [6.0, -7.0]]);
    assert_eq!(rows(cls_pooling(&hidden, &mask)), [[1.0, -4.0], [5.0, -7.0]]);
    assert_eq!(rows(last_token_pooling(&hidden, &mask)), [[3.0, -2.0], [6.0, -8.0]]);
    let root = |sum: f64| sum / 2f64.sqrt();
    let by_root = [[root(4.0), root(-6.0)], [root(11.0), root(-15.0)]];
    assert_eq!(rows(mean_sqrt_len_pooling(&hidden, &mask)), by_root);
    let weighted = [[7.0 / 3.0, -8.0 / 3.0], [17.0 / 3.0, -23.0 / 3.0]];
    assert_eq!(rows(weighted_mean_pooling(&hidden, &mask, 0)), weighted);
}

const WAYS: [Pooling; 6] = [
    Pooling::Cls,
    Pooling::Max,
    Pooling::Mean,
    Pooling::MeanSqrtLen,
    Pooling::WeightedMean,
    Pooling::LastToken,
];

#[test]
fn a_prompt_is_left_out_of_every_way() {
    let (hidden, mask) = example();
    let seen = without_prompt(&mask, 1).unwrap().to_vec2::<i64>().unwrap();
    assert_eq!(seen, [[0, 1, 0], [0, 0, 1]]);
    // Of one token that is left, every way makes the same.
    let pooled = pool(&hidden, &mask, &WAYS, 1).unwrap().to_vec2::<f64>().unwrap();
    for (row, left) in pooled.iter().zip([[3.0, -2.0], [6.0, -8.0]]) {
        assert!(row.chunks(2).all(|vector| vector == left), "{row:?}");
    }
}

#[test]
fn what_a_text_gets_that_has_no_token_left() {
    let hidden = Tensor::new(&[[1.0, -4.0], [3.0, -2.0]], &Device::Cpu).unwrap();
    let lengths = Lengths::new(&[0, 2], 2).unwrap();
    for skip in [2, usize::MAX] {
        let pooled = pool_packed(&hidden, lengths, &WAYS, skip).unwrap();
        let pooled = &pooled.to_vec2::<f64>().unwrap()[0];
        assert_eq!(pooled[..2], [1.0, -4.0]);
        assert_eq!(pooled[2..4], [f64::NEG_INFINITY; 2]);
        assert_eq!(pooled[4..], [0.0; 8]);
    }
}

#[test]
fn half_precision_is_added_up_in_single() {
    let hidden = Tensor::full(600f32, (1, 200, 400), &Device::Cpu)
        .unwrap()
        .to_dtype(DType::F16)
        .unwrap();
    let mask = Tensor::ones((1, 200), DType::I64, &Device::Cpu).unwrap();
    // A sum of 120,000, where float16 ends at 65,504.
    let mean = mean_pooling(&hidden, &mask).unwrap();
    let first = |x: &Tensor| x.to_dtype(DType::F32).unwrap().to_vec2::<f32>().unwrap()[0][0];
    assert_eq!(first(&mean), 600.0);
    assert!((first(&normalize(&mean, 1e-12).unwrap()) - 0.05).abs() < 1e-4);
    let zero = mean.zeros_like().unwrap();
    assert_eq!(first(&normalize(&zero, 1e-12).unwrap()), 0.0);
}

#[test]
fn normalize_keeps_a_zero_vector_at_zero() {
    let vectors = Tensor::new(&[[3.0, 4.0], [0.0, 0.0]], &Device::Cpu).unwrap();
    let unit = normalize(&vectors, 1e-12).unwrap().to_vec2::<f64>().unwrap();
    assert_eq!(unit, [[0.6, 0.8], [0.0, 0.0]]);
}

#[test]
fn shapes_must_fit() {
    let (hidden, mask) = example();
    let weighted = |hidden: &Tensor, mask: &Tensor| weighted_mean_pooling(hidden, mask, 0);
    for pool in [
        mean_pooling,
        cls_pooling,
        max_pooling,
        mean_sqrt_len_pooling,
        last_token_pooling,
        weighted,
    ] {
        assert!(pool(&hidden, &mask.narrow(1, 0, 2).unwrap()).is_err());
        assert!(pool(&mask, &mask).is_err());
    }
    assert!(pool(&hidden, &mask, &[], 0).is_err());
    assert!(without_prompt(&mask.flatten_all().unwrap(), 0).is_err());
}
