//! Rotary position embedding (Su et al. 2021): a position turns pairs of a head's features by
//! angles of its own.
//!
//! The score of a query at position m with a key at position n then depends on both only
//! through m - n. All of it is differentiable; candle's fused rope has no backward pass and
//! cuts gradients silently.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor};
use encoders_kernels::input_error;

use crate::axes::unflatten;
use crate::config::LayerType;
use crate::error::Result;
use crate::layers::at_least_f32;

/// The cosine and the sine of every angle, each `[tokens, head_dim]`.
pub type Tables = (Tensor, Tensor);

/// Tables for each kind of layer.
pub type RopeTables = BTreeMap<LayerType, Tables>;

/// How far each pair of features turns from one position to the next: theta^(-2i / head_dim)
/// radians, `[pairs]`.
///
/// In float32, and by way of the power's reciprocal, as Transformers has it: at position 8,191
/// another last bit is an angle that differs by 5e-4. The power itself is taken in float64 and
/// rounded, which gives PyTorch's bits.
pub fn inverse_frequencies(head_dim: usize, theta: f64, device: &Device) -> Result<Tensor> {
    if head_dim > 1 << 20 {
        return Err(input_error!("head_dim is {head_dim}; no head is that wide"));
    }
    let mut frequencies: Vec<f32> = vec![];
    for feature in (0..head_dim).step_by(2) {
        let exponent = feature as f32 / head_dim as f32;
        frequencies.push(1.0 / theta.powf(f64::from(exponent)) as f32);
    }
    Ok(Tensor::new(frequencies, device)?)
}

/// The cosine and the sine of every angle: `positions` `[tokens]` to two tables `[tokens,
/// head_dim]`.
///
/// Features i and i + head_dim / 2 are a pair and share an angle. The angles are taken in
/// float32 even for a float64 model, as in Transformers.
pub fn rope_tables(
    positions: &Tensor,
    head_dim: usize,
    theta: f64,
    dtype: DType,
) -> Result<Tables> {
    if head_dim == 0 || !head_dim.is_multiple_of(2) {
        return Err(input_error!(
            "head_dim is {head_dim}; RoPE turns pairs, so it must be even"
        ));
    }
    let frequencies = inverse_frequencies(head_dim, theta, positions.device())?.unsqueeze(0)?;
    let places = positions.to_dtype(DType::F32)?.unsqueeze(D::Minus1)?;
    let angles = places.broadcast_mul(&frequencies)?;
    let angles = Tensor::cat(&[&angles, &angles], D::Minus1)?; // [tokens, head_dim]
    Ok((angles.cos()?.to_dtype(dtype)?, angles.sin()?.to_dtype(dtype)?))
}

/// [`rope_tables`] for a model that is not Transformers': the frequencies are rounded once, and
/// a float64 model's angles are float64.
pub fn exact_rope_tables(
    positions: &Tensor,
    head_dim: usize,
    theta: f64,
    dtype: DType,
) -> Result<Tables> {
    if head_dim == 0 || !head_dim.is_multiple_of(2) || head_dim > 1 << 20 {
        return Err(input_error!(
            "head_dim is {head_dim}; RoPE turns pairs, so it must be even, and no head is \
             wider than 2^20"
        ));
    }
    let wide = at_least_f32(dtype);
    let frequencies: Vec<f64> = (0..head_dim)
        .step_by(2)
        .map(|feature| theta.powf(-(feature as f64 / head_dim as f64)))
        .collect();
    let frequencies = Tensor::new(frequencies, &Device::Cpu)?.to_dtype(wide)?;
    let frequencies = frequencies.to_device(positions.device())?.unsqueeze(0)?;
    let places = positions.to_dtype(wide)?.unsqueeze(D::Minus1)?;
    let angles = places.broadcast_mul(&frequencies)?;
    let angles = Tensor::cat(&[&angles, &angles], D::Minus1)?; // [tokens, head_dim]
    Ok((angles.cos()?.to_dtype(dtype)?, angles.sin()?.to_dtype(dtype)?))
}

/// Every pair (a, b) a quarter turn on, to (-b, a), where b stands half a head behind a.
///
/// `x` is `[..., head_dim]`, and so is the result.
pub fn rotate_half(x: &Tensor) -> Result<Tensor> {
    let pairs = pairs(x)?;
    let first = x.narrow(D::Minus1, 0, pairs)?;
    let second = x.narrow(D::Minus1, pairs, pairs)?;
    Ok(Tensor::cat(&[&second.neg()?, &first], D::Minus1)?)
}

/// Turns every pair of features by its token's angle: x cos + (x, a quarter turn on) sin.
///
/// `x` is `[..., tokens, head_dim]`, and so is the result; `cos` and `sin` are `[tokens,
/// head_dim]`. x is rounded to float32 first, whatever the model's dtype is, since
/// Transformers' apply_rotary_pos_emb does so.
pub fn apply_rope(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let dtype = at_least_f32(cos.dtype());
    // (1) every pair (a, b), times the cosine of its angle
    let along = rounded(x, dtype)?.broadcast_mul(&cos.to_dtype(dtype)?)?;
    // (2) the pair a quarter turn on, times the sine
    let across = rotate_half(&rounded(x, dtype)?)?.broadcast_mul(&sin.to_dtype(dtype)?)?;
    // (3) their sum is the pair, turned by its angle
    Ok((along + across)?.to_dtype(x.dtype())?)
}

/// [`apply_rope`] for a model that is not Transformers': `x` is turned in its own precision,
/// and half precision in float32.
pub fn apply_exact_rope(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let wide = at_least_f32(x.dtype());
    let (all, cos, sin) = (x.to_dtype(wide)?, cos.to_dtype(wide)?, sin.to_dtype(wide)?);
    let turned = (all.broadcast_mul(&cos)? + rotate_half(&all)?.broadcast_mul(&sin)?)?;
    Ok(turned.to_dtype(x.dtype())?)
}

/// [`rotate_half`] for the interleaved form, in which b stands right behind a.
pub fn rotate_pairs(x: &Tensor) -> Result<Tensor> {
    let pairs = side_by_side(x)?;
    let first = pairs.narrow(D::Minus1, 0, 1)?;
    let second = pairs.narrow(D::Minus1, 1, 1)?;
    Ok(Tensor::cat(&[&second.neg()?, &first], D::Minus1)?.reshape(x.shape())?)
}

/// [`apply_rope`] where features 2i and 2i + 1 are a pair, as in the paper. It takes the same
/// tables.
pub fn apply_rope_interleaved(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let dtype = at_least_f32(cos.dtype());
    let (cos, sin) = (halves_to_pairs(cos)?, halves_to_pairs(sin)?);
    let along = rounded(x, dtype)?.broadcast_mul(&cos.to_dtype(dtype)?)?;
    let across = rotate_pairs(&rounded(x, dtype)?)?.broadcast_mul(&sin.to_dtype(dtype)?)?;
    Ok((along + across)?.to_dtype(x.dtype())?)
}

/// Reorders the features of `x` `[..., head_dim]` so that what stood half a head apart stands
/// side by side.
pub fn halves_to_pairs(x: &Tensor) -> Result<Tensor> {
    let halves = unflatten(x, [2, pairs(x)?])?;
    Ok(halves.transpose(D::Minus2, D::Minus1)?.contiguous()?.reshape(x.shape())?)
}

/// The way back: the inverse of [`halves_to_pairs`].
pub fn pairs_to_halves(x: &Tensor) -> Result<Tensor> {
    Ok(side_by_side(x)?.transpose(D::Minus2, D::Minus1)?.contiguous()?.reshape(x.shape())?)
}

/// `x` in float32, then in `dtype`. Each of its two uses rounds for itself: each of the two
/// gradients is then rounded by itself too, as PyTorch does it.
fn rounded(x: &Tensor, dtype: DType) -> Result<Tensor> {
    Ok(x.to_dtype(DType::F32)?.to_dtype(dtype)?)
}

/// `x` `[..., head_dim]` as `[..., pairs, 2]`.
fn side_by_side(x: &Tensor) -> Result<Tensor> {
    unflatten(x, [pairs(x)?, 2])
}

fn pairs(x: &Tensor) -> Result<usize> {
    match x.dims().last() {
        Some(size) if size.is_multiple_of(2) => Ok(size / 2),
        _ => Err(input_error!(
            "x has shape {:?}; RoPE turns pairs, so its last axis must be even",
            x.dims()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    const SIZE: usize = 8;

    /// Queries or keys `[tokens, SIZE]`.
    fn vectors(seed: f64, tokens: usize) -> Tensor {
        let numbers: Vec<f32> =
            (0..tokens * SIZE).map(|place| (seed + place as f64 * 1.7).sin() as f32).collect();
        Tensor::from_vec(numbers, (tokens, SIZE), &Device::Cpu).unwrap()
    }

    fn tables(first: i64, tokens: usize) -> Tables {
        let positions = Tensor::arange(first, first + tokens as i64, &Device::Cpu).unwrap();
        rope_tables(&positions, SIZE, 100.0, DType::F32).unwrap()
    }

    fn gap(a: &Tensor, b: &Tensor) -> f32 {
        let gap = (a - b).unwrap().abs().unwrap();
        gap.flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
    }

    fn scores(query: &Tensor, key: &Tensor, (cos, sin): &Tables) -> Tensor {
        let turned = |x| apply_rope(x, cos, sin).unwrap();
        turned(query).matmul(&turned(key).t().unwrap()).unwrap()
    }

    #[test]
    fn frequencies_are_right_to_the_last_bits() {
        let found = inverse_frequencies(64, 160_000.0, &Device::Cpu).unwrap();
        let found = found.to_vec1::<f32>().unwrap();
        assert_eq!((found.len(), found[0]), (32, 1.0));
        for (number, exact) in found.iter().zip(0..) {
            let exact = 160_000f64.powf(-f64::from(exact) / 32.0);
            assert!((f64::from(*number) / exact - 1.0).abs() < 1.2e-7);
        }
    }

    #[test]
    fn turning_keeps_lengths() {
        let x = vectors(0.3, 6);
        let (cos, sin) = tables(5, 6);
        let length = |x: &Tensor| x.sqr().unwrap().sum(1).unwrap();
        for turned in [
            apply_rope(&x, &cos, &sin).unwrap(),
            apply_rope_interleaved(&x, &cos, &sin).unwrap(),
        ] {
            assert!(gap(&turned, &x) > 0.1);
            assert!(gap(&length(&turned), &length(&x)) < 1e-5);
        }
    }

    #[test]
    fn scores_depend_on_distance_only() {
        let (query, key) = (vectors(0.1, 6), vectors(0.2, 6));
        let here = scores(&query, &key, &tables(0, 6));
        let there = scores(&query, &key, &tables(100, 6));
        assert!(gap(&here, &there) < 1e-4);
        let plain = query.matmul(&key.t().unwrap()).unwrap();
        assert!(gap(&here, &plain) > 0.1);
    }

    #[test]
    fn both_forms_agree_through_the_permutation() {
        let x = vectors(0.4, 6);
        let (cos, sin) = tables(3, 6);
        let there = apply_rope_interleaved(&halves_to_pairs(&x).unwrap(), &cos, &sin).unwrap();
        let back = pairs_to_halves(&there).unwrap();
        assert_eq!(gap(&back, &apply_rope(&x, &cos, &sin).unwrap()), 0.0);
        assert_eq!(gap(&pairs_to_halves(&halves_to_pairs(&x).unwrap()).unwrap(), &x), 0.0);
    }

    #[test]
    fn gradients_turn_back() {
        let x = Var::from_tensor(&vectors(0.5, 4)).unwrap();
        let (cos, sin) = tables(2, 4);
        let slope = vectors(0.6, 4);
        let turned = (apply_rope(&x, &cos, &sin).unwrap() * &slope).unwrap();
        let store = turned.sum_all().unwrap().backward().unwrap();
        let expected = apply_rope(&slope, &cos, &sin.neg().unwrap()).unwrap();
        assert!(gap(store.get(&x).unwrap(), &expected) < 1e-6);
    }

    #[test]
    fn odd_sizes_are_refused() {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(rotate_half(&x).is_err() && rotate_pairs(&x).is_err());
        let positions = Tensor::new(&[0i64, 1], &Device::Cpu).unwrap();
        assert!(rope_tables(&positions, 3, 1e4, DType::F32).is_err());
    }
}
