//! The masking strategy: one draw cut three ways, words and spans as a whole.

use candle_core::{DType, Device, Tensor, WithDType};
use encoders_models::masking::{Draws, mask_tokens, spread, word_bounds};

fn tensor<T: WithDType>(row: &[T]) -> Tensor {
    Tensor::new(row, &Device::Cpu).unwrap().unsqueeze(0).unwrap()
}

fn row<T: WithDType>(tensor: &Tensor) -> Vec<T> {
    tensor.squeeze(0).unwrap().to_vec1().unwrap()
}

fn draws(chosen: &[f32], action: &[f32]) -> Draws {
    let words: Vec<i64> = (70..).take(chosen.len()).collect();
    Draws { chosen: tensor(chosen), action: tensor(action), word: tensor(&words) }
}

#[test]
fn one_draw_is_cut_three_ways_and_specials_are_let_be() {
    let (ids, special) = (tensor(&[1i64, 21, 22, 23, 24, 2]), tensor(&[1i64, 0, 0, 0, 0, 1]));
    let draws = draws(&[0.0, 0.1, 0.1499, 0.0, 0.15, 0.0], &[0.0, 0.7999, 0.8, 0.9, 0.0, 0.0]);
    let (masked, labels) =
        mask_tokens(&ids, &special, &draws, 4, 0.15, 0.8, 0.1, None, 1).unwrap();
    assert_eq!(row::<i64>(&masked), [1, 4, 72, 23, 24, 2]);
    assert_eq!(row::<i64>(&labels), [-100, 21, 22, 23, -100, -100]);
    assert_eq!(row::<i64>(&ids), [1, 21, 22, 23, 24, 2]);
}

#[test]
fn a_word_is_known_by_where_it_begins_and_ends() {
    let words = tensor(&[-1i64, 0, 0, 0, 1, -1, -1, 2]);
    let free = tensor(&[0u8, 1, 1, 1, 1, 0, 0, 1]);
    let (first, last) = word_bounds(Some(&words), &free).unwrap();
    assert_eq!(row::<i64>(&first), [0, 1, 1, 1, 4, 5, 6, 7]);
    assert_eq!(row::<i64>(&last), [0, 3, 3, 3, 4, 5, 6, 7]);
    let (first, last) = word_bounds(None, &free).unwrap();
    assert_eq!(row::<i64>(&first), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(row::<i64>(&last), row::<i64>(&first));
    assert!(word_bounds(Some(&words.narrow(1, 0, 3).unwrap()), &free).is_err());
}

#[test]
fn spans_end_before_a_special_token_or_do_not_begin() {
    let free = tensor(&[0u8, 1, 1, 1, 1, 0, 1, 1]);
    let starts = tensor(&[0u8, 0, 1, 1, 0, 0, 1, 0]);
    let (first, last) = word_bounds(None, &free).unwrap();
    let found = |span| row::<u8>(&spread(&starts, &free, &first, &last, span).unwrap());
    assert_eq!(found(1), [0, 0, 1, 1, 0, 0, 1, 0]);
    assert_eq!(found(2), [0, 0, 1, 1, 1, 0, 1, 1]);
    assert_eq!(found(3), [0, 0, 1, 1, 1, 0, 0, 0]);
    assert_eq!(found(9), [0; 8]);
    assert!(spread(&starts, &free, &first, &last, 0).is_err());
    assert!(spread(&starts, &free.narrow(1, 0, 3).unwrap(), &first, &last, 2).is_err());
}

#[test]
fn spans_of_words_end_where_a_word_does() {
    let words = tensor(&[-1i64, 0, 0, 1, 2, 2, 3, -1]);
    let free = tensor(&[0u8, 1, 1, 1, 1, 1, 1, 0]);
    let (first, last) = word_bounds(Some(&words), &free).unwrap();
    let found = |starts: &[u8], span| {
        row::<u8>(&spread(&tensor(starts), &free, &first, &last, span).unwrap())
    };
    assert_eq!(found(&[0, 1, 1, 0, 0, 0, 0, 0], 2), [0, 1, 1, 1, 0, 0, 0, 0]);
    assert_eq!(found(&[0, 0, 0, 1, 0, 0, 0, 0], 2), [0, 0, 0, 1, 1, 1, 0, 0]);
    assert_eq!(found(&[0, 0, 0, 0, 0, 0, 1, 0], 2), [0; 8]);
    assert_eq!(found(&[0, 1, 1, 0, 0, 0, 0, 0], 4), [0, 1, 1, 1, 1, 1, 1, 0]);
}

#[test]
fn a_batch_without_texts_or_tokens_stays_empty() {
    for shape in [(0, 3), (2, 0)] {
        let ids = Tensor::zeros(shape, DType::I64, &Device::Cpu).unwrap();
        let uniform = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let draws = Draws { chosen: uniform.clone(), action: uniform, word: ids.clone() };
        let (masked, labels) =
            mask_tokens(&ids, &ids, &draws, 4, 0.5, 0.8, 0.1, Some(&ids), 2).unwrap();
        assert_eq!(masked.dims(), ids.dims());
        assert_eq!(labels.dims(), ids.dims());
    }
}

#[test]
fn impossible_shares_and_shapes_are_refused() {
    let (ids, special) = (tensor(&[5i64, 6]), tensor(&[0u8, 0]));
    let fine = draws(&[0.5, 0.5], &[0.5, 0.5]);
    let attempt = |ids: &Tensor, special: &Tensor, draws: &Draws, shares: [f64; 3], span| {
        let [probability, mask, random] = shares;
        mask_tokens(ids, special, draws, 4, probability, mask, random, None, span)
    };
    let usual = [0.15, 0.8, 0.1];
    assert!(attempt(&ids, &special, &fine, usual, 1).is_ok());
    for shares in [
        [1.5, 0.8, 0.1],
        [f64::NAN, 0.8, 0.1],
        [0.15, -0.1, 0.1],
        [0.15, 0.8, f64::INFINITY],
        [0.15, 0.8, 0.3],
    ] {
        assert!(attempt(&ids, &special, &fine, shares, 1).is_err());
    }
    assert!(attempt(&ids, &special, &fine, usual, 0).is_err());
    assert!(attempt(&ids, &special, &fine, [1.0, 0.8, 0.1], usize::MAX).is_ok());
    assert!(attempt(&tensor(&[5i64]), &special, &fine, usual, 1).is_err());
    assert!(attempt(&ids, &tensor(&[0u8]), &fine, usual, 1).is_err());
    assert!(attempt(&ids.squeeze(0).unwrap(), &special, &fine, usual, 1).is_err());
    assert!(attempt(&ids.to_dtype(DType::U32).unwrap(), &special, &fine, usual, 1).is_err());
    let mut coarse = fine.clone();
    coarse.action = coarse.action.to_dtype(DType::F64).unwrap();
    assert!(attempt(&ids, &special, &coarse, usual, 1).is_err());
    assert!(mask_tokens(&ids, &special, &fine, -1, 0.15, 0.8, 0.1, None, 1).is_err());
    assert!(mask_tokens(&ids, &special, &fine, 4, 0.15, 0.8, 0.1, Some(&special), 1).is_err());
}
