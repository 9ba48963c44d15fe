//! Scaled dot-product attention over a padded batch, and over texts packed in one row.

mod alike;
mod packed;
mod projections;

use candle_core::{D, DType, Device, Tensor};
use encoders_kernels::input_error;
pub use encoders_kernels::{BLOCK, Block, Lengths};

pub(crate) use packed::check_row;
pub use packed::{
    attend_to, dropped_attention, first_tokens, packed_attention, pad_packed, positions,
};
pub use projections::{Projections, project_and_turn};

use crate::axes::unflatten;
use crate::error::Result;
use crate::layers::{dropout, in_single_precision};

/// What a layer is given: (query, key, value) -> context, each `[..., heads, tokens,
/// head_dim]`. Whether the batch is padded or packed is settled once, at the top of the model,
/// and no layer needs to know.
pub type Attend<'a> = dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor> + 'a;

/// Cuts the hidden axis into heads and moves them before the tokens.
///
/// `x` is `[..., tokens, hidden]`, the result `[..., heads, tokens, head_dim]`.
pub fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let size = x.dim(D::Minus1)?;
    if x.rank() < 2 || heads == 0 || !size.is_multiple_of(heads) {
        return Err(input_error!("x of shape {:?} cannot be cut into {heads} heads", x.dims()));
    }
    let cut = unflatten(x, [heads, size / heads])?; // [..., tokens, heads, head_dim]
    Ok(cut.transpose(cut.rank() - 3, cut.rank() - 2)?)
}

/// Lays the heads side by side again: the inverse of [`split_heads`].
///
/// `x` is `[..., heads, tokens, head_dim]`, the result `[..., tokens, hidden]`.
pub fn merge_heads(x: &Tensor) -> Result<Tensor> {
    if x.rank() < 3 {
        return Err(input_error!(
            "x has shape {:?}; it must be [..., heads, tokens, head_dim]",
            x.dims()
        ));
    }
    let merged = x.transpose(x.rank() - 3, x.rank() - 2)?;
    Ok(merged.flatten(D::Minus2, D::Minus1)?)
}

/// 1 where a key may be attended to, with axes of one to broadcast over heads and queries.
///
/// `attention_mask` is `[batch, tokens]`, the result `[batch, 1, 1, tokens]`.
pub fn padding_mask(attention_mask: &Tensor) -> Result<Tensor> {
    let (batch, tokens) = attention_mask.dims2()?;
    Ok(attention_mask.ne(0i64)?.reshape((batch, 1, 1, tokens))?)
}

/// softmax(query · keyᵀ / √head_dim + bias) · value (Vaswani et al. 2017, equation 1; they have
/// no bias).
///
/// `query` is `[..., queries, head_dim]`, `key` and `value` `[..., keys, head_dim]`, the result
/// `[..., queries, head_dim]`; `bias` is `[heads, queries, keys]` and the same for every text;
/// `mask` broadcasts to `[..., queries, keys]` and is 0 where a score is masked. Such a score
/// becomes the dtype's lowest number, not -inf: a row in which all is masked then attends
/// evenly, as in Transformers' eager attention, instead of turning into NaN. Training drops the
/// share `rate` of what the softmax gives.
pub fn scaled_dot_product_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    mask: Option<&Tensor>,
    bias: Option<&Tensor>,
    rate: f64,
) -> Result<Tensor> {
    // (1) scores of every query with every key, scaled
    let scale = (query.dim(D::Minus1)? as f64).sqrt();
    let scores = query.contiguous()?.matmul(&key.t()?.contiguous()?)?; // [..., queries, keys]
    let mut scores = (scores / scale)?;
    // (2) a bias moves the scores of every text alike
    if let Some(bias) = bias {
        scores = scores.broadcast_add(bias)?;
    }
    // (3) a masked score gets the lowest number, and no weight
    if let Some(mask) = mask {
        let mask = mask.broadcast_as(scores.shape())?;
        scores = mask.where_cond(&scores, &lowest_like(&scores)?)?;
    }
    // (4) the values, each weighted by its share
    Ok(dropout(&softmax(&scores)?, rate)?.matmul(&value.contiguous()?)?)
}

/// 1 where a key stands at most `window` tokens before or behind the query; both are given as
/// positions.
///
/// `queries` is `[queries]`, `keys` `[keys]`, the result `[queries, keys]`.
pub fn sliding_window_mask(queries: &Tensor, keys: &Tensor, window: usize) -> Result<Tensor> {
    // candle has no absolute value of integers, and Metal no float64.
    let (queries, keys) = (queries.unsqueeze(1)?, keys.unsqueeze(0)?);
    let reach = i64::try_from(window).unwrap_or(i64::MAX);
    let behind = queries.broadcast_sub(&keys)?.le(reach)?;
    let ahead = keys.broadcast_sub(&queries)?.le(reach)?;
    Ok((behind * ahead)?) // of 0 and 1, where times means and
}

/// Attention to the whole text, or to `window` tokens on each side, without ever holding all
/// scores.
///
/// `query`, `key` and `value` are `[..., tokens, head_dim]`, and so is the result; `mask` is
/// [`padding_mask`]'s and `bias` `[heads, tokens, tokens]`. [`BLOCK`] queries at a time meet
/// the keys that any of them reaches (Beltagy et al. 2020, section 3.1): with a window, memory
/// and time grow with the length of a text and not with its square.
pub fn blockwise_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    mask: Option<&Tensor>,
    window: Option<usize>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let tokens = query.dim(D::Minus2)?;
    let window = window.filter(|window| *window < tokens.saturating_sub(1));
    let mut contexts = Vec::with_capacity(tokens.div_ceil(BLOCK));
    for start in (0..tokens).step_by(BLOCK) {
        let block = Block::new(start, tokens, window);
        let keys = |x: &Tensor, axis: D| x.narrow(axis, block.first_key, block.keys);
        let query = query.narrow(D::Minus2, start, block.queries)?;
        let allowed = allowed(&block, mask, window, query.device())?;
        let bias = bias.map(|bias| keys(&bias.narrow(1, start, block.queries)?, D::Minus1));
        let context = scaled_dot_product_attention(
            &query,
            &keys(key, D::Minus2)?,
            &keys(value, D::Minus2)?,
            allowed.as_ref(),
            bias.transpose()?.as_ref(),
            0.0,
        )?;
        contexts.push(match &allowed {
            Some(allowed) if mask.is_some() && window.is_some() => {
                zero_where_blind(&context, allowed)?
            }
            _ => context,
        });
    }
    Ok(Tensor::cat(&contexts, D::Minus2)?)
}

/// What of `mask` and window concerns a block; None where every query sees every key.
fn allowed(
    block: &Block,
    mask: Option<&Tensor>,
    window: Option<usize>,
    device: &Device,
) -> Result<Option<Tensor>> {
    let real = mask.map(|mask| mask.narrow(D::Minus1, block.first_key, block.keys));
    let real = real.transpose()?;
    let Some(window) = window else {
        return Ok(real);
    };
    let places = |first: usize, count: usize| {
        Tensor::arange(first as i64, (first + count) as i64, device)
    };
    let queries = places(block.first_query, block.queries)?;
    let keys = places(block.first_key, block.keys)?;
    let near = sliding_window_mask(&queries, &keys, window)?;
    Ok(Some(match real {
        Some(real) => real.to_dtype(DType::U8)?.broadcast_mul(&near)?,
        None => near,
    }))
}

/// A pad that sees nothing but pads gets zeros, as from PyTorch's kernel. Some heads read it.
fn zero_where_blind(context: &Tensor, allowed: &Tensor) -> Result<Tensor> {
    let sees = allowed
        .to_dtype(DType::F32)?
        .sum_keepdim(D::Minus1)?
        .gt(0.0)?
        .broadcast_as(context.shape())?;
    Ok(sees.where_cond(context, &context.zeros_like()?)?)
}

/// exp(x) over its sum along the last axis, shifted by the largest so that nothing overflows.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    in_single_precision(scores, |scores| {
        let largest = scores.max_keepdim(D::Minus1)?.detach();
        let weights = scores.broadcast_sub(&largest)?.exp()?;
        Ok(weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?)
    })
}

/// The lowest finite number of the dtype of `x`, in its shape.
fn lowest_like(x: &Tensor) -> Result<Tensor> {
    let number = match x.dtype() {
        DType::F64 => f64::MIN,
        DType::F16 => -65504.0,
        _ => f64::from(f32::MIN),
    };
    let lowest = Tensor::new(number, &Device::Cpu)?.to_dtype(x.dtype())?;
    Ok(lowest.to_device(x.device())?.broadcast_as(x.shape())?)
}
