//! Scaled dot-product attention over a padded batch, and over texts packed in one row.

use candle_core::{D, DType, Device, Tensor};

use crate::error::{Result, input_error};
use crate::layers::in_single_precision;

/// What a layer is given: (query, key, value) -> context, each `[..., heads, tokens,
/// head_dim]`. Whether the batch is padded or packed is settled once, at the top of the model,
/// and no layer needs to know.
pub type Attend<'a> = dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor> + 'a;

/// How many queries meet their keys at a time: the scores of a long text are never all in
/// memory.
pub const BLOCK: usize = 128;

/// Cuts the hidden axis into heads and moves them before the tokens.
///
/// `x` is `[..., tokens, hidden]`, the result `[..., heads, tokens, head_dim]`.
pub fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let size = x.dim(D::Minus1)?;
    if x.rank() < 2 || heads == 0 || !size.is_multiple_of(heads) {
        return Err(input_error!("x of shape {:?} cannot be cut into {heads} heads", x.dims()));
    }
    let mut shape = x.dims().to_vec();
    shape.pop();
    shape.extend([heads, size / heads]);
    Ok(x.reshape(shape)?.transpose(D::Minus2, x.rank() - 2)?)
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

/// softmax(query · keyᵀ / √head_dim) · value (Vaswani et al. 2017, equation 1).
///
/// `query` is `[..., queries, head_dim]`, `key` and `value` `[..., keys, head_dim]`, the result
/// `[..., queries, head_dim]`; `mask` broadcasts to `[..., queries, keys]` and is 0 where a
/// score is masked. Such a score becomes the dtype's lowest number, not -inf: a row in which
/// all is masked then attends evenly, as in Transformers' eager attention, instead of turning
/// into NaN.
pub fn scaled_dot_product_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let scale = (query.dim(D::Minus1)? as f64).sqrt();
    let scores = query.contiguous()?.matmul(&key.t()?.contiguous()?)?; // [..., queries, keys]
    let mut scores = (scores / scale)?;
    if let Some(mask) = mask {
        let smallest = smallest(scores.dtype())?
            .to_device(scores.device())?
            .broadcast_as(scores.shape())?;
        scores = mask.broadcast_as(scores.shape())?.where_cond(&scores, &smallest)?;
    }
    Ok(softmax(&scores)?.matmul(&value.contiguous()?)?)
}

/// 1 where a key stands at most `window` tokens before or behind the query; both are given as
/// positions.
///
/// `queries` is `[queries]`, `keys` `[keys]`, the result `[queries, keys]`.
pub fn sliding_window_mask(queries: &Tensor, keys: &Tensor, window: usize) -> Result<Tensor> {
    // candle has no absolute value of integers.
    let queries = queries.to_dtype(DType::F64)?.unsqueeze(1)?;
    let keys = keys.to_dtype(DType::F64)?.unsqueeze(0)?;
    Ok(queries.broadcast_sub(&keys)?.abs()?.le(window as f64)?)
}

/// Attention to the whole text, or to `window` tokens on each side, without ever holding all
/// scores.
///
/// `query`, `key` and `value` are `[..., tokens, head_dim]`, and so is the result; `mask` is
/// [`padding_mask`]'s. [`BLOCK`] queries at a time meet the keys that any of them reaches
/// (Beltagy et al. 2020, section 3.1): with a window, memory and time grow with the length of a
/// text and not with its square.
pub fn blockwise_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    mask: Option<&Tensor>,
    window: Option<usize>,
) -> Result<Tensor> {
    let tokens = query.dim(D::Minus2)?;
    let window = window.filter(|window| *window < tokens.saturating_sub(1));
    let mut contexts = Vec::with_capacity(tokens.div_ceil(BLOCK));
    for start in (0..tokens).step_by(BLOCK) {
        let block = Block::new(start, tokens, window);
        let keys = |x: &Tensor| x.narrow(D::Minus2, block.first_key, block.keys);
        let query = query.narrow(D::Minus2, start, block.queries)?;
        let allowed = block.allowed(mask, window, query.device())?;
        let context =
            scaled_dot_product_attention(&query, &keys(key)?, &keys(value)?, allowed.as_ref())?;
        contexts.push(match (&allowed, mask, window) {
            (Some(allowed), Some(_), Some(_)) => zero_where_blind(&context, allowed)?,
            _ => context,
        });
    }
    Ok(Tensor::cat(&contexts, D::Minus2)?)
}

/// Some queries in a row and the keys that any of them reaches.
pub(crate) struct Block {
    pub first_query: usize,
    pub queries: usize,
    pub first_key: usize,
    pub keys: usize,
}

impl Block {
    /// The block that begins at query `start` of a text of `tokens`.
    pub fn new(start: usize, tokens: usize, window: Option<usize>) -> Self {
        let end = tokens.min(start + BLOCK);
        let reach = window.unwrap_or(tokens);
        let first_key = start.saturating_sub(reach);
        Self {
            first_query: start,
            queries: end - start,
            first_key,
            keys: tokens.min(end + reach) - first_key,
        }
    }

    /// What of `mask` and window concerns this block; None where every query sees every key.
    fn allowed(
        &self,
        mask: Option<&Tensor>,
        window: Option<usize>,
        device: &Device,
    ) -> Result<Option<Tensor>> {
        let real =
            mask.map(|mask| mask.narrow(D::Minus1, self.first_key, self.keys)).transpose()?;
        let Some(window) = window else {
            return Ok(real);
        };
        let places = |first: usize, count: usize| {
            Tensor::arange(first as i64, (first + count) as i64, device)
        };
        let near = sliding_window_mask(
            &places(self.first_query, self.queries)?,
            &places(self.first_key, self.keys)?,
            window,
        )?;
        Ok(Some(match real {
            Some(real) => real.to_dtype(DType::U8)?.broadcast_mul(&near)?,
            None => near,
        }))
    }
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

/// Attention within each text of a packed row; nothing crosses from one text to the next.
///
/// `query`, `key` and `value` are `[heads, tokens, head_dim]`, and so is the result;
/// `cu_seqlens` holds the cumulative lengths `[texts + 1]`; `window` is
/// [`blockwise_attention`]'s. Each text is a slice, so no score between two texts is ever
/// computed.
pub fn packed_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    cu_seqlens: &[usize],
    window: Option<usize>,
) -> Result<Tensor> {
    let (_, tokens, _) = query.dims3()?;
    check_cu_seqlens(cu_seqlens, tokens)?;
    let mut contexts = Vec::with_capacity(cu_seqlens.len() - 1);
    for (start, length) in texts(cu_seqlens) {
        let text = |x: &Tensor| x.narrow(1, start, length);
        let (query, key, value) = (text(query)?, text(key)?, text(value)?);
        contexts.push(blockwise_attention(&query, &key, &value, None, window)?);
    }
    Ok(Tensor::cat(&contexts, 1)?)
}

/// 0, 1, 2, ... within each text of a packed row: `[tokens]`.
pub fn positions(cu_seqlens: &[usize], device: &Device) -> Result<Tensor> {
    let tokens = cu_seqlens.last().copied().unwrap_or(0);
    check_cu_seqlens(cu_seqlens, tokens)?;
    if tokens > 1 << 27 {
        return Err(input_error!("cu_seqlens ends at {tokens}; no row of tokens is that long"));
    }
    let counted: Vec<i64> =
        texts(cu_seqlens).flat_map(|(_, length)| 0..length as i64).collect();
    Ok(Tensor::new(counted, device)?)
}

/// Lays a packed row out as a padded batch: (padded `[texts, longest, hidden]`, mask `[texts,
/// longest]`).
///
/// `packed` is `[tokens, hidden]`, `cu_seqlens` `[texts + 1]`.
pub fn pad_packed(packed: &Tensor, cu_seqlens: &[usize]) -> Result<(Tensor, Tensor)> {
    let (tokens, _) = packed.dims2()?;
    check_cu_seqlens(cu_seqlens, tokens)?;
    let longest = texts(cu_seqlens).map(|(_, length)| length).max().unwrap_or(0);
    let mut rows = Vec::new();
    let mut mask: Vec<i64> = Vec::new();
    for (start, length) in texts(cu_seqlens) {
        rows.push(packed.narrow(0, start, length)?.pad_with_zeros(0, 0, longest - length)?);
        mask.extend((0..longest).map(|position| i64::from(position < length)));
    }
    let mask = Tensor::from_vec(mask, (rows.len(), longest), packed.device())?;
    Ok((Tensor::stack(&rows, 0)?, mask))
}

/// (start, length) of each text in a packed row.
pub fn texts(cu_seqlens: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    cu_seqlens.windows(2).map(|bounds| (bounds[0], bounds[1] - bounds[0]))
}

/// Whether `cu_seqlens` cuts a row of `tokens` into texts: 0, n1, n1 + n2, ..., tokens, each
/// text with a token.
pub fn check_cu_seqlens(cu_seqlens: &[usize], tokens: usize) -> Result<()> {
    let rising = cu_seqlens.windows(2).all(|bounds| bounds[0] < bounds[1]);
    if cu_seqlens.len() > 1
        && cu_seqlens[0] == 0
        && rising
        && cu_seqlens.last() == Some(&tokens)
    {
        return Ok(());
    }
    Err(input_error!(
        "cu_seqlens must rise from 0 to the number of tokens, {tokens}, by at least one a text; it is {:?}",
        &cu_seqlens[..cu_seqlens.len().min(10)]
    ))
}

/// exp(x) over its sum along the last axis, shifted by the largest so that nothing overflows.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    in_single_precision(scores, |scores| {
        let largest = scores.max_keepdim(D::Minus1)?.detach();
        let weights = scores.broadcast_sub(&largest)?.exp()?;
        Ok(weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?)
    })
}

/// The smallest finite number of a dtype.
fn smallest(dtype: DType) -> Result<Tensor> {
    let number = match dtype {
        DType::F64 => f64::MIN,
        DType::F16 => -65504.0,
        _ => f64::from(f32::MIN),
    };
    Ok(Tensor::new(number, &Device::Cpu)?.to_dtype(dtype)?)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(
            split.get(0).unwrap().get(1).unwrap().to_vec2::<f32>().unwrap()[0],
            [2.0, 3.0]
        );
        assert_eq!(
            merge_heads(&split).unwrap().to_vec3::<f32>().unwrap(),
            x.to_vec3::<f32>().unwrap()
        );
        assert!(split_heads(&x, 3).is_err() && split_heads(&x, 0).is_err());
    }

    #[test]
    fn attention_is_a_weighted_mean() {
        let (query, key, value) = (heads(0.1), heads(0.2), heads(0.3));
        let context = scaled_dot_product_attention(&query, &key, &value, None).unwrap();
        let (q, k, v): (Vec<_>, Vec<_>, Vec<_>) = (
            query.to_vec3::<f64>().unwrap(),
            key.to_vec3::<f64>().unwrap(),
            value.to_vec3::<f64>().unwrap(),
        );
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let weights: Vec<f64> =
            k[1].iter().map(|key| (dot(&q[1][4], key) / 3f64.sqrt()).exp()).collect();
        let expected =
            weights.iter().zip(&v[1]).map(|(weight, value)| weight * value[2]).sum::<f64>()
                / weights.iter().sum::<f64>();
        assert!((context.to_vec3::<f64>().unwrap()[1][4][2] - expected).abs() < 1e-15);
    }

    #[test]
    fn masked_keys_do_not_exist() {
        let (query, key, value) = (heads(0.1), heads(0.2), heads(0.3));
        let mask = Tensor::new(&[1u8, 1, 1, 0, 0], &Device::Cpu).unwrap();
        let masked = scaled_dot_product_attention(&query, &key, &value, Some(&mask)).unwrap();
        let short = |x: &Tensor| x.narrow(1, 0, 3).unwrap();
        let without =
            scaled_dot_product_attention(&query, &short(&key), &short(&value), None).unwrap();
        assert!(gap(&masked, &without) < 1e-15);
        let nothing = mask.zeros_like().unwrap();
        let even = scaled_dot_product_attention(&query, &key, &value, Some(&nothing)).unwrap();
        let mean = value.mean_keepdim(1).unwrap().broadcast_as(even.shape()).unwrap();
        assert!(gap(&even, &mean) < 1e-15);
    }

    #[test]
    fn fused_attention_reads_any_strides() {
        let (query, key, value) = (heads(0.1), heads(0.2), heads(0.3));
        for cu_seqlens in [&[0, 5][..], &[0, 2, 5], &[0, 1, 2, 3, 4, 5]] {
            let plain = packed_attention(&query, &key, &value, cu_seqlens, None).unwrap();
            let strided = |x: &Tensor| {
                x.transpose(0, 1).unwrap().contiguous().unwrap().transpose(0, 1).unwrap()
            };
            let (q, k, v) = (strided(&query), strided(&key), strided(&value));
            let fused = crate::fused::packed_attention(&q, &k, &v, cu_seqlens, None).unwrap();
            assert!(gap(&plain, &fused) < 1e-15);
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
            let mask = padding_mask(&mask).unwrap();
            for window in [None, Some(0), Some(1), Some(64), Some(128), Some(usize::MAX)] {
                for mask in [None, Some(&mask)] {
                    let near = sliding_window_mask(&places, &places, window.unwrap_or(tokens));
                    let near = near.unwrap();
                    let whole = mask.map_or_else(
                        || near.unsqueeze(0).unwrap().unsqueeze(0).unwrap(),
                        |mask| mask.broadcast_mul(&near).unwrap(),
                    );
                    let expected =
                        scaled_dot_product_attention(&query, &key, &value, Some(&whole))
                            .unwrap();
                    let blocks =
                        blockwise_attention(&query, &key, &value, mask, window).unwrap();
                    let fused =
                        crate::fused::blockwise_attention(&query, &key, &value, mask, window)
                            .unwrap();
                    let rows = |x: &Tensor| x.narrow(2, 0, real).unwrap();
                    assert!(gap(&rows(&blocks), &rows(&expected)) < 1e-14);
                    assert!(gap(&fused, &blocks) < 1e-14, "{tokens} {window:?}");
                }
            }
        }
    }

    #[test]
    fn a_query_that_sees_nothing_gives_zeros() {
        let (query, key, value) = (long(0.1, 9), long(0.2, 9), long(0.3, 9));
        let mask =
            Tensor::new(&[[1i64, 1, 0, 0, 0, 0, 0, 0, 0], [1; 9]], &Device::Cpu).unwrap();
        let mask = padding_mask(&mask).unwrap();
        for attend in [blockwise_attention, crate::fused::blockwise_attention] {
            let context = attend(&query, &key, &value, Some(&mask), Some(2)).unwrap();
            let sizes = context.abs().unwrap().sum(3).unwrap().sum(1).unwrap();
            let sizes = sizes.to_vec2::<f64>().unwrap();
            assert!(sizes[0][..4].iter().all(|size| *size > 0.0));
            assert_eq!(sizes[0][4..], [0.0; 5]);
            assert!(sizes[1].iter().all(|size| *size > 0.0));
        }
    }

    #[test]
    fn positions_begin_anew_in_each_text() {
        let counted = positions(&[0, 3, 4, 6], &Device::Cpu).unwrap();
        assert_eq!(counted.to_vec1::<i64>().unwrap(), [0, 1, 2, 0, 0, 1]);
        for wrong in [&[][..], &[0], &[1, 2], &[0, 2, 2], &[0, 3, 1], &[0, usize::MAX]] {
            assert!(positions(wrong, &Device::Cpu).is_err(), "{wrong:?}");
        }
    }
}
