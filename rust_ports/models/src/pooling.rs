//! From one vector per token to one vector per text.

use std::str::FromStr;

use candle_core::{D, DType, Tensor};
use encoders_kernels::{Lengths, config_error, input_error};

use crate::attention::check_row;
use crate::error::{Error, Result};
use crate::layers::at_least_f32;

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// [`cls_pooling`].
    Cls,
    /// [`max_pooling`].
    Max,
    /// [`mean_pooling`].
    Mean,
    /// [`mean_sqrt_len_pooling`].
    MeanSqrtLen,
    /// [`weighted_mean_pooling`].
    WeightedMean,
    /// [`last_token_pooling`].
    LastToken,
}

/// The ways by the names that checkpoints have for them.
const NAMES: [(&str, Pooling); 6] = [
    ("cls", Pooling::Cls),
    ("max", Pooling::Max),
    ("mean", Pooling::Mean),
    ("mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
    ("weightedmean", Pooling::WeightedMean),
    ("lasttoken", Pooling::LastToken),
];

impl FromStr for Pooling {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let named = NAMES.iter().find(|(known, _)| *known == name);
        named.map(|(_, way)| *way).ok_or_else(|| {
            let known = NAMES.map(|(known, _)| known).join(", ");
            config_error!("pooling mode {name:.80?} is not implemented; supported: {known}")
        })
    }
}

/// Each text pooled in each of these ways, side by side; the first `skip` tokens of each, a
/// prompt's, are not seen.
///
/// A text that has no token left is no embedding, but what it gets is sentence-transformers'
/// answer for a padded batch: zero from every mean and from the last token, minus infinity from
/// the maximum, and from cls the first vector of its row, which is its own first token's where
/// it is padded on the right or not at all.
///
/// `hidden` is `[batch, tokens, hidden]`, `attention_mask` `[batch, tokens]`; the result is
/// `[batch, ways * hidden]`.
pub fn pool(
    hidden: &Tensor,
    attention_mask: &Tensor,
    ways: &[Pooling],
    skip: usize,
) -> Result<Tensor> {
    if ways.is_empty() {
        return Err(input_error!("no way of pooling is named; there is Pooling::Mean"));
    }
    let seen = without_prompt(attention_mask, skip)?;
    let pooled = ways.iter().map(|way| match way {
        Pooling::Cls => cls_pooling(hidden, &seen),
        Pooling::Max => max_pooling(hidden, &seen),
        Pooling::Mean => mean_pooling(hidden, &seen),
        Pooling::MeanSqrtLen => mean_sqrt_len_pooling(hidden, &seen),
        Pooling::WeightedMean => weighted_mean_pooling(hidden, attention_mask, skip),
        Pooling::LastToken => last_token_pooling(hidden, &seen),
    });
    Ok(Tensor::cat(&pooled.collect::<Result<Vec<_>>>()?, D::Minus1)?)
}

/// [`pool`] for each text of a packed row.
///
/// `hidden` is `[tokens, hidden]`, the result `[texts, ways * hidden]`.
pub fn pool_packed(
    hidden: &Tensor,
    cu_seqlens: Lengths,
    ways: &[Pooling],
    skip: usize,
) -> Result<Tensor> {
    check_row("hidden", hidden, 0, cu_seqlens)?;
    let mut vectors = Vec::with_capacity(cu_seqlens.count());
    for (start, length) in cu_seqlens.texts() {
        let text = hidden.narrow(0, start, length)?.unsqueeze(0)?; // [1, tokens, hidden]
        let all = Tensor::ones((1, length), DType::I64, hidden.device())?;
        vectors.push(pool(&text, &all, ways, skip)?);
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
    // (1) float32 at least: float16 cannot hold a long text's sum
    let wide = at_least_f32(hidden.dtype());
    // (2) padding is selected away, since zero times NaN is NaN
    let kept = real.where_cond(hidden, &hidden.zeros_like()?)?;
    let sum = kept.to_dtype(wide)?.sum(1)?;
    let count = attention_mask.ne(0i64)?.to_dtype(wide)?.sum_keepdim(1)?;
    // (3) the clamp keeps a text without tokens at zero
    let mean = sum.broadcast_div(&count.maximum(1e-9)?)?;
    Ok(mean.to_dtype(hidden.dtype())?)
}

/// The vector of a text's first real token, on whichever side its padding is.
///
/// `hidden` is `[batch, tokens, hidden]`, `attention_mask` `[batch, tokens]`; the result is
/// `[batch, hidden]`.
pub fn cls_pooling(hidden: &Tensor, attention_mask: &Tensor) -> Result<Tensor> {
    let (batch, _, size) = dims(hidden, attention_mask)?;
    let first = first_real(attention_mask)?;
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

/// The sum over a text's real tokens, divided by the square root of their number; zero without
/// any.
///
/// `hidden` is `[batch, tokens, hidden]`, `attention_mask` `[batch, tokens]`; the result is
/// `[batch, hidden]`.
pub fn mean_sqrt_len_pooling(hidden: &Tensor, attention_mask: &Tensor) -> Result<Tensor> {
    let real = real_tokens(hidden, attention_mask)?;
    let wide = at_least_f32(hidden.dtype());
    let sum = real.where_cond(hidden, &hidden.zeros_like()?)?.to_dtype(wide)?.sum(1)?;
    let count = attention_mask.ne(0i64)?.to_dtype(wide)?.sum_keepdim(1)?;
    let mean = sum.broadcast_div(&count.maximum(1e-9)?.sqrt()?)?;
    Ok(mean.to_dtype(hidden.dtype())?)
}

/// The mean over a text's real tokens, the first with weight 1, the second with 2, and so on
/// (Muennighoff 2022, SGPT).
///
/// The first `skip` tokens do not count, and the others keep their weights. A text that has no
/// token left gets zero. `hidden` is `[batch, tokens, hidden]`, `attention_mask` `[batch,
/// tokens]`; the result is `[batch, hidden]`.
pub fn weighted_mean_pooling(
    hidden: &Tensor,
    attention_mask: &Tensor,
    skip: usize,
) -> Result<Tensor> {
    let seen = without_prompt(attention_mask, skip)?;
    let real = real_tokens(hidden, &seen)?;
    let wide = at_least_f32(hidden.dtype());
    let kept = real.where_cond(hidden, &hidden.zeros_like()?)?.to_dtype(wide)?;
    let weights = ((positions(attention_mask)? + 1.0)? * seen)?.to_dtype(wide)?;
    let sum = kept.broadcast_mul(&weights.unsqueeze(D::Minus1)?)?.sum(1)?;
    let mean = sum.broadcast_div(&weights.sum_keepdim(1)?.maximum(1e-9)?)?;
    Ok(mean.to_dtype(hidden.dtype())?)
}

/// The vector of a text's last real token, on whichever side its padding is; zero without any.
///
/// `hidden` is `[batch, tokens, hidden]`, `attention_mask` `[batch, tokens]`; the result is
/// `[batch, hidden]`.
pub fn last_token_pooling(hidden: &Tensor, attention_mask: &Tensor) -> Result<Tensor> {
    let (batch, tokens, size) = dims(hidden, attention_mask)?;
    let backwards = Tensor::arange_step(tokens as i64 - 1, -1, -1, hidden.device())?;
    let mask = attention_mask.contiguous()?.index_select(&backwards, 1)?;
    let after = first_real(&mask)?; // how many pads follow
    let last = after.affine(-1.0, tokens as f64 - 1.0)?;
    let index = last.reshape((batch, 1, 1))?.broadcast_as((batch, 1, size))?.contiguous()?;
    let vector = hidden.contiguous()?.gather(&index, 1)?.squeeze(1)?;
    let any = mask.ne(0i64)?.max_keepdim(1)?.broadcast_as((batch, size))?;
    Ok(any.where_cond(&vector, &vector.zeros_like()?)?)
}

/// The mask without the first `skip` real tokens of each text, on whichever side its padding
/// is.
///
/// Both are `[batch, tokens]`.
pub fn without_prompt(attention_mask: &Tensor, skip: usize) -> Result<Tensor> {
    let kept = positions(attention_mask)?.ge(skip.min(i64::MAX as usize) as i64)?;
    Ok((attention_mask.ne(0i64)? * kept)?.to_dtype(DType::I64)?)
}

/// Where the first real token of each row stands: `[batch, 1]`, of dtype i64; 0 where there is
/// none.
///
/// Not the argmax of the mask itself: of equal values candle finds the first on a CPU, and any
/// of them on a GPU.
fn first_real(attention_mask: &Tensor) -> Result<Tensor> {
    let (tokens, device) = (attention_mask.dim(1)? as i64, attention_mask.device());
    let from_the_end = Tensor::arange_step(tokens, 0, -1, device)?.to_dtype(DType::F32)?;
    let real = attention_mask.ne(0i64)?.to_dtype(DType::F32)?;
    Ok(real.broadcast_mul(&from_the_end)?.argmax_keepdim(1)?.to_dtype(DType::I64)?)
}

/// Each position counted from its row's first real token, which is 0: `[batch, tokens]`.
fn positions(attention_mask: &Tensor) -> Result<Tensor> {
    let tokens = match attention_mask.dims() {
        &[_, tokens] if tokens > 0 => tokens,
        shape => {
            return Err(input_error!(
                "attention_mask has shape {shape:?}; it must be [batch, tokens]"
            ));
        }
    };
    let first = first_real(attention_mask)?;
    let all = Tensor::arange(0, tokens as i64, attention_mask.device())?;
    Ok(all.unsqueeze(0)?.broadcast_sub(&first)?)
}

/// Vectors of length one: x / max(|x|, eps), as PyTorch's `F.normalize` has it.
///
/// `vectors` is `[..., hidden]`, and so is the result.
pub fn normalize(vectors: &Tensor, eps: f64) -> Result<Tensor> {
    // (1) float32 at least: squares of numbers near 300 overflow float16
    let wide = vectors.to_dtype(at_least_f32(vectors.dtype()))?;
    let length = wide.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?;
    // (2) eps stands in for the length of a zero vector
    let unit = wide.broadcast_div(&length.maximum(eps)?)?;
    Ok(unit.to_dtype(vectors.dtype())?)
}

/// The cosine of every vector with every reference: `[texts, hidden]` and `[references,
/// hidden]` to `[texts, references]`.
pub fn cosine_similarity(vectors: &Tensor, references: &Tensor) -> Result<Tensor> {
    let (vectors, references) = (normalize(vectors, 1e-12)?, normalize(references, 1e-12)?);
    Ok(vectors.matmul(&references.t()?)?)
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
