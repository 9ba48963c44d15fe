//! From one vector per token to one vector per text.

use std::str::FromStr;

use candle_core::{D, DType, Tensor};
use encoders_kernels::{Lengths, config_error, input_error};

use crate::attention::check_row;
use crate::error::{Error, Result};

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// [`cls_pooling`].
    Cls,
    /// [`max_pooling`].
    Max,
    /// [`mean_pooling`].
    Mean,
}

impl FromStr for Pooling {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "cls" => Ok(Self::Cls),
            "max" => Ok(Self::Max),
            "mean" => Ok(Self::Mean),
            _ => Err(config_error!(
                "pooling mode {name:?} is not implemented; supported: cls, max, mean"
            )),
        }
    }
}

/// Pools each text of a packed row; several modes are concatenated in their order.
///
/// `hidden` is `[tokens, hidden]`, the result `[texts, modes * hidden]`.
pub fn pool_packed(hidden: &Tensor, cu_seqlens: Lengths, modes: &[Pooling]) -> Result<Tensor> {
    if modes.is_empty() {
        return Err(input_error!("pooling names no mode; there are cls, max and mean"));
    }
    check_row("hidden", hidden, 0, cu_seqlens)?;
    let mut vectors = Vec::with_capacity(cu_seqlens.count());
    for (start, length) in cu_seqlens.texts() {
        let text = hidden.narrow(0, start, length)?.unsqueeze(0)?; // [1, tokens, hidden]
        let all = Tensor::ones((1, length), DType::I64, hidden.device())?;
        let pooled = modes.iter().map(|mode| match mode {
            Pooling::Cls => cls_pooling(&text, &all),
            Pooling::Max => max_pooling(&text, &all),
            Pooling::Mean => mean_pooling(&text, &all),
        });
        vectors.push(Tensor::cat(&pooled.collect::<Result<Vec<_>>>()?, D::Minus1)?);
    }
    Ok(Tensor::cat(&vectors, 0)?)
}

/// The mean over a text's real tokens.
///
/// `hidden` is `[batch, tokens, hidden]`, `attention_mask` `[batch, tokens]` of 0 and 1; the
/// result is `[batch, hidden]`. The clamp of sentence-transformers' Pooling keeps a text
/// without tokens at zero.
pub fn mean_pooling(hidden: &Tensor, attention_mask: &Tensor) -> Result<Tensor> {
    let real = real_tokens(hidden, attention_mask)?;
    // Padding is selected away, not multiplied by zero: 0 * NaN would be NaN.
    let kept = real.where_cond(hidden, &hidden.zeros_like()?)?;
    // A sum over a long text may be more than float16 can hold, and 1e-9 is 0 there.
    let wide = at_least_f32(hidden);
    let sum = kept.to_dtype(wide)?.sum(1)?;
    let count = attention_mask.ne(0i64)?.to_dtype(wide)?.sum_keepdim(1)?;
    let mean = sum.broadcast_div(&count.maximum(1e-9)?)?;
    Ok(mean.to_dtype(hidden.dtype())?)
}

/// The vector of a text's first real token, on whichever side its padding is.
///
/// `hidden` is `[batch, tokens, hidden]`, `attention_mask` `[batch, tokens]`; the result is
/// `[batch, hidden]`.
pub fn cls_pooling(hidden: &Tensor, attention_mask: &Tensor) -> Result<Tensor> {
    let (batch, _, size) = dims(hidden, attention_mask)?;
    // argmax finds the first of equal values, as in sentence-transformers' Pooling.
    let first = attention_mask.to_dtype(DType::F32)?.argmax(1)?; // [batch]
    let index = first.reshape((batch, 1, 1))?.broadcast_as((batch, 1, size))?.contiguous()?;
    Ok(hidden.contiguous()?.gather(&index, 1)?.squeeze(1)?)
}

/// The largest value over a text's real tokens, for each hidden dimension.
///
/// `hidden` is `[batch, tokens, hidden]`, `attention_mask` `[batch, tokens]`; the result is
/// `[batch, hidden]`.
pub fn max_pooling(hidden: &Tensor, attention_mask: &Tensor) -> Result<Tensor> {
    let real = real_tokens(hidden, attention_mask)?;
    let never = Tensor::full(f32::NEG_INFINITY, hidden.shape(), hidden.device())?
        .to_dtype(hidden.dtype())?;
    Ok(real.where_cond(hidden, &never)?.max(1)?)
}

/// Vectors of length one: x / max(|x|, eps), as PyTorch's `F.normalize` has it.
///
/// `vectors` is `[..., hidden]`, and so is the result.
pub fn normalize(vectors: &Tensor, eps: f64) -> Result<Tensor> {
    // The squares of numbers near 300 are too large for float16.
    let wide = vectors.to_dtype(at_least_f32(vectors))?;
    let length = wide.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?;
    let unit = wide.broadcast_div(&length.maximum(eps)?)?;
    Ok(unit.to_dtype(vectors.dtype())?)
}

/// The dtype to add up in: half precision is for storage.
fn at_least_f32(x: &Tensor) -> DType {
    match x.dtype() {
        DType::F64 => DType::F64,
        _ => DType::F32,
    }
}

/// Where `hidden` belongs to a real token: 1 or 0 in the shape of `hidden`, `[batch, tokens,
/// hidden]`.
fn real_tokens(hidden: &Tensor, attention_mask: &Tensor) -> Result<Tensor> {
    dims(hidden, attention_mask)?;
    Ok(attention_mask.ne(0i64)?.unsqueeze(D::Minus1)?.broadcast_as(hidden.shape())?)
}

fn dims(hidden: &Tensor, attention_mask: &Tensor) -> Result<(usize, usize, usize)> {
    match (hidden.dims(), attention_mask.dims()) {
        (&[batch, tokens, size], &[rows, columns])
            if (batch, tokens) == (rows, columns) && tokens > 0 =>
        {
            Ok((batch, tokens, size))
        }
        (hidden, mask) => Err(input_error!(
            "hidden has shape {hidden:?} and attention_mask {mask:?}; they must be [batch, \
             tokens, hidden] and [batch, tokens]"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

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
    }

    #[test]
    fn a_text_without_tokens_has_mean_zero() {
        let (hidden, mask) = example();
        let nothing = mask.zeros_like().unwrap();
        let mean = mean_pooling(&hidden, &nothing).unwrap().to_vec2::<f64>().unwrap();
        assert_eq!(mean, [[0.0, 0.0], [0.0, 0.0]]);
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
        let first =
            |x: &Tensor| x.to_dtype(DType::F32).unwrap().to_vec2::<f32>().unwrap()[0][0];
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
        for pool in [mean_pooling, cls_pooling, max_pooling] {
            assert!(pool(&hidden, &mask.narrow(1, 0, 2).unwrap()).is_err());
            assert!(pool(&mask, &mask).is_err());
        }
    }
}
