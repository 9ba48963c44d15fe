//! Attention: what it computes, what masks and windows leave of it, the kernels beside it.

use candle_core::{Device, Tensor};
use encoders_kernels as kernels;
use encoders_models::Lengths;
use encoders_models::attention::*;

fn heads(seed: f64) -> Tensor {
    let numbers: Vec<f64> =
        (0..2 * 5 * 3).map(|place| (seed + f64::from(place) * 1.7).sin()).collect();
    Tensor::from_vec(numbers, (2, 5, 3), &Device::Cpu).unwrap()
}

fn gap(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

#[test]
fn heads_split_and_merge() {
    let x = Tensor::arange(0f32, 24.0, &Device::Cpu).unwrap().reshape((2, 3, 4)).unwrap();
    let split = split_heads(&x, 2).unwrap();
    assert_eq!(split.dims(), [2, 2, 3, 2]);
    assert_eq!(split.get(0).unwrap().get(1).unwrap().to_vec2::<f32>().unwrap()[0], [2.0, 3.0]);
    assert_eq!(
        merge_heads(&split).unwrap().to_vec3::<f32>().unwrap(),
        x.to_vec3::<f32>().unwrap()
    );
    assert!(split_heads(&x, 3).is_err() && split_heads(&x, 0).is_err());
}

#[test]
fn attention_is_a_weighted_mean() {
    let (query, key, value) = (heads(0.1), heads(0.2), heads(0.3));
    let bias = Tensor::arange(0f64, 50.0, &Device::Cpu).unwrap().cos().unwrap();
    let bias = bias.reshape((2, 5, 5)).unwrap();
    let plain = scaled_dot_product_attention(&query, &key, &value, None, None, 0.0).unwrap();
    let biased =
        scaled_dot_product_attention(&query, &key, &value, None, Some(&bias), 0.0).unwrap();
    let (q, k, v): (Vec<_>, Vec<_>, Vec<_>) = (
        query.to_vec3::<f64>().unwrap(),
        key.to_vec3::<f64>().unwrap(),
        value.to_vec3::<f64>().unwrap(),
    );
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let row = bias.to_vec3::<f64>().unwrap()[1][4].clone();
    for (context, row) in [(plain, vec![0.0; 5]), (biased, row)] {
        let scores = k[1].iter().zip(row).map(|(key, b)| dot(&q[1][4], key) / 3f64.sqrt() + b);
        let weights: Vec<f64> = scores.map(f64::exp).collect();
        let expected =
            weights.iter().zip(&v[1]).map(|(weight, value)| weight * value[2]).sum::<f64>()
                / weights.iter().sum::<f64>();
        assert!((context.to_vec3::<f64>().unwrap()[1][4][2] - expected).abs() < 1e-15);
    }
}

#[test]
fn masked_keys_do_not_exist() {
    let (query, key, value) = (heads(0.1), heads(0.2), heads(0.3));
    let mask = Tensor::new(&[1u8, 1, 1, 0, 0], &Device::Cpu).unwrap();
    let masked =
        scaled_dot_product_attention(&query, &key, &value, Some(&mask), None, 0.0).unwrap();
    let short = |x: &Tensor| x.narrow(1, 0, 3).unwrap();
    let without =
        scaled_dot_product_attention(&query, &short(&key), &short(&value), None, None, 0.0)
            .unwrap();
    assert!(gap(&masked, &without) < 1e-15);
    let nothing = mask.zeros_like().unwrap();
    let even =
        scaled_dot_product_attention(&query, &key, &value, Some(&nothing), None, 0.0).unwrap();
    let mean = value.mean_keepdim(1).unwrap().broadcast_as(even.shape()).unwrap();
    assert!(gap(&even, &mean) < 1e-15);
}

#[test]
fn fused_attention_reads_any_strides() {
    let (query, key, value) = (heads(0.1), heads(0.2), heads(0.3));
    for cu_seqlens in [&[0, 5][..], &[0, 2, 5], &[0, 1, 2, 3, 4, 5]] {
        let lengths = Lengths::new(cu_seqlens, 5).unwrap();
        let strided = |x: &Tensor| {
            x.transpose(0, 1).unwrap().contiguous().unwrap().transpose(0, 1).unwrap()
        };
        let (q, k, v) = (strided(&query), strided(&key), strided(&value));
        let bias = bias(lengths.longest());
        for bias in [None, Some(&bias)] {
            let plain = packed_attention(&query, &key, &value, lengths, None, bias).unwrap();
            let fused = kernels::packed_attention(&q, &k, &v, lengths, None, bias).unwrap();
            assert!(gap(&plain, &fused) < 1e-15);
        }
    }
}

/// What is added to scores, `[2, tokens, tokens]`.
fn bias(tokens: usize) -> Tensor {
    let numbers: Vec<f64> =
        (0..2 * tokens * tokens).map(|place| (place as f64 * 0.7).cos()).collect();
    Tensor::from_vec(numbers, (2, tokens, tokens), &Device::Cpu).unwrap()
}

#[test]
fn a_bias_belongs_to_a_text_wherever_it_stands() {
    let (query, key, value) = (heads(0.1), heads(0.2), heads(0.3));
    let bias = bias(3);
    let row = Lengths::new(&[0, 2, 5], 5).unwrap();
    let whole = packed_attention(&query, &key, &value, row, None, Some(&bias)).unwrap();
    for (start, length) in [(0, 2), (2, 3)] {
        let text = |x: &Tensor| x.narrow(1, start, length).unwrap();
        let bias = bias.narrow(1, 0, length).unwrap().narrow(2, 0, length).unwrap();
        let (query, key, value) = (text(&query), text(&key), text(&value));
        let alone = scaled_dot_product_attention(&query, &key, &value, None, Some(&bias), 0.0);
        assert!(gap(&text(&whole), &alone.unwrap()) < 1e-15);
    }
    for wrong in [bias.narrow(0, 0, 1).unwrap(), bias.narrow(1, 0, 2).unwrap()] {
        let refused = kernels::packed_attention(&query, &key, &value, row, None, Some(&wrong));
        assert!(refused.unwrap_err().to_string().contains("[2, 3, 3]"));
    }
}

#[test]
fn a_window_ends_where_it_says() {
    let places = Tensor::arange(0i64, 200, &Device::Cpu).unwrap();
    let mask = sliding_window_mask(&places, &places, 64).unwrap();
    let mask = mask.to_vec2::<u8>().unwrap();
    assert_eq!((mask[100][36], mask[100][164]), (1, 1));
    assert_eq!((mask[100][35], mask[100][165]), (0, 0));
}

/// Queries, keys or values `[2, 2, tokens, 4]`.
fn long(seed: f64, tokens: usize) -> Tensor {
    let numbers: Vec<f64> =
        (0..16 * tokens).map(|place| (seed + place as f64 * 1.7).sin()).collect();
    Tensor::from_vec(numbers, (2, 2, tokens, 4), &Device::Cpu).unwrap()
}

#[test]
fn blocks_equal_one_big_mask() {
    for tokens in [1, 2, 127, 128, 129, 255, 256, 257, 300] {
        let (query, key, value) = (long(0.1, tokens), long(0.2, tokens), long(0.3, tokens));
        let places = Tensor::arange(0i64, tokens as i64, &Device::Cpu).unwrap();
        // The second row ends in pads, and the first of them still see real tokens through
        // any window.
        let real = tokens - tokens / 3;
        let mask: Vec<i64> =
            (0..2 * tokens).map(|place| i64::from(place < tokens + real)).collect();
        let mask = Tensor::from_vec(mask, (2, tokens), &Device::Cpu).unwrap();
        let (mask, bias) = (padding_mask(&mask).unwrap(), bias(tokens));
        for window in [None, Some(0), Some(1), Some(64), Some(128), Some(usize::MAX)] {
            let (masked, biased) = (Some(&mask), Some(&bias));
            for (mask, bias) in [(None, None), (masked, None), (None, biased), (masked, biased)]
            {
                let near = sliding_window_mask(&places, &places, window.unwrap_or(tokens));
                let near = near.unwrap();
                let whole = mask.map_or_else(
                    || near.unsqueeze(0).unwrap().unsqueeze(0).unwrap(),
                    |mask| mask.broadcast_mul(&near).unwrap(),
                );
                let (q, k, v) = (&query, &key, &value);
                let expected = scaled_dot_product_attention(q, k, v, Some(&whole), bias, 0.0);
                let blocks = blockwise_attention(q, k, v, mask, window, bias).unwrap();
                let fused = kernels::blockwise_attention(q, k, v, mask, window, bias).unwrap();
                let rows = |x: &Tensor| x.narrow(2, 0, real).unwrap();
                assert!(gap(&rows(&blocks), &rows(&expected.unwrap())) < 1e-14);
                assert!(gap(&fused, &blocks) < 1e-14, "{tokens} {window:?}");
            }
        }
    }
}

#[test]
fn a_query_that_sees_nothing_gives_zeros() {
    let (query, key, value) = (long(0.1, 9), long(0.2, 9), long(0.3, 9));
    let mask = Tensor::new(&[[1i64, 1, 0, 0, 0, 0, 0, 0, 0], [1; 9]], &Device::Cpu).unwrap();
    let mask = padding_mask(&mask).unwrap();
    for attend in [blockwise_attention, kernels::blockwise_attention] {
        let context = attend(&query, &key, &value, Some(&mask), Some(2), None).unwrap();
        let sizes = context.abs().unwrap().sum(3).unwrap().sum(1).unwrap();
        let sizes = sizes.to_vec2::<f64>().unwrap();
        assert!(sizes[0][..4].iter().all(|size| *size > 0.0));
        assert_eq!(sizes[0][4..], [0.0; 5]);
        assert!(sizes[1].iter().all(|size| *size > 0.0));
    }
}

#[test]
fn positions_begin_anew_in_each_text() {
    let lengths = Lengths::new(&[0, 3, 4, 6], 6).unwrap();
    let counted = positions(lengths, &Device::Cpu).unwrap();
    assert_eq!(counted.to_vec1::<i64>().unwrap(), [0, 1, 2, 0, 0, 1]);
    let endless = Lengths::new(&[0, usize::MAX], usize::MAX).unwrap();
    assert!(positions(endless, &Device::Cpu).is_err());
}

#[test]
fn texts_must_fill_the_row() {
    let (query, key, value) = (heads(0.1), heads(0.2), heads(0.3));
    for cu_seqlens in [&[0, 4][..], &[0, 3, 6]] {
        let lengths = Lengths::new(cu_seqlens, cu_seqlens[cu_seqlens.len() - 1]).unwrap();
        assert!(packed_attention(&query, &key, &value, lengths, None, None).is_err());
        assert!(kernels::packed_attention(&query, &key, &value, lengths, None, None).is_err());
        assert!(pad_packed(&query.get(0).unwrap(), lengths).is_err());
    }
}
