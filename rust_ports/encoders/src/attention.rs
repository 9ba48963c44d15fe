//! Scaled dot-product attention over a padded batch, and over texts packed in one row.

use candle_core::{D, DType, Device, Tensor};

use crate::error::{Result, input_error};
use crate::layers::in_single_precision;

/// What a layer is given: (query, key, value) -> context, each `[..., heads, tokens, head_dim]`. Whether the
/// batch is padded or packed is settled once, at the top of the model, and no layer needs to know.
pub type Attend<'a> = dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor> + 'a;

/// Cuts the hidden axis into heads and moves them before the tokens.
///
/// `x` is `[..., tokens, hidden]`, the result `[..., heads, tokens, head_dim]`.
pub fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let size = x.dim(D::Minus1)?;
    if x.rank() < 2 || heads == 0 || !size.is_multiple_of(heads) {
        return Err(input_error!(
            "x of shape {:?} cannot be cut into {heads} heads",
            x.dims()
        ));
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
/// `[..., queries, head_dim]`; `mask` broadcasts to `[..., queries, keys]` and is 0 where a score is masked.
/// Such a score becomes the dtype's lowest number, not -inf: a row in which all is masked then attends
/// evenly, as in Transformers' eager attention, instead of turning into NaN.
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
        scores = mask
            .broadcast_as(scores.shape())?
            .where_cond(&scores, &smallest)?;
    }
    Ok(softmax(&scores)?.matmul(&value.contiguous()?)?)
}

/// Attention within each text of a packed row; nothing crosses from one text to the next.
///
/// `query`, `key` and `value` are `[heads, tokens, head_dim]`, and so is the result; `cu_seqlens` holds the
/// cumulative lengths `[texts + 1]`. Each text is a slice, so no score between two texts is ever computed.
pub fn packed_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    cu_seqlens: &[usize],
) -> Result<Tensor> {
    let (_, tokens, _) = query.dims3()?;
    check_cu_seqlens(cu_seqlens, tokens)?;
    let mut contexts = Vec::with_capacity(cu_seqlens.len() - 1);
    for (start, length) in texts(cu_seqlens) {
        let text = |x: &Tensor| x.narrow(1, start, length);
        contexts.push(scaled_dot_product_attention(
            &text(query)?,
            &text(key)?,
            &text(value)?,
            None,
        )?);
    }
    Ok(Tensor::cat(&contexts, 1)?)
}

/// 0, 1, 2, ... within each text of a packed row: `[tokens]`.
pub fn positions(cu_seqlens: &[usize], device: &Device) -> Result<Tensor> {
    let tokens = cu_seqlens.last().copied().unwrap_or(0);
    check_cu_seqlens(cu_seqlens, tokens)?;
    if tokens > 1 << 27 {
        return Err(input_error!(
            "cu_seqlens ends at {tokens}; no row of tokens is that long"
        ));
    }
    let counted: Vec<i64> = texts(cu_seqlens)
        .flat_map(|(_, length)| 0..length as i64)
        .collect();
    Ok(Tensor::new(counted, device)?)
}

/// Lays a packed row out as a padded batch: (padded `[texts, longest, hidden]`, mask `[texts, longest]`).
///
/// `packed` is `[tokens, hidden]`, `cu_seqlens` `[texts + 1]`.
pub fn pad_packed(packed: &Tensor, cu_seqlens: &[usize]) -> Result<(Tensor, Tensor)> {
    let (tokens, _) = packed.dims2()?;
    check_cu_seqlens(cu_seqlens, tokens)?;
    let longest = texts(cu_seqlens)
        .map(|(_, length)| length)
        .max()
        .unwrap_or(0);
    let mut rows = Vec::new();
    let mut mask: Vec<i64> = Vec::new();
    for (start, length) in texts(cu_seqlens) {
        rows.push(
            packed
                .narrow(0, start, length)?
                .pad_with_zeros(0, 0, longest - length)?,
        );
        mask.extend((0..longest).map(|position| i64::from(position < length)));
    }
    let mask = Tensor::from_vec(mask, (rows.len(), longest), packed.device())?;
    Ok((Tensor::stack(&rows, 0)?, mask))
}

/// (start, length) of each text in a packed row.
pub fn texts(cu_seqlens: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    cu_seqlens
        .windows(2)
        .map(|bounds| (bounds[0], bounds[1] - bounds[0]))
}

/// Whether `cu_seqlens` cuts a row of `tokens` into texts: 0, n1, n1 + n2, ..., tokens, each text with a token.
pub fn check_cu_seqlens(cu_seqlens: &[usize], tokens: usize) -> Result<()> {
    let rising = cu_seqlens.windows(2).all(|bounds| bounds[0] < bounds[1]);
    if cu_seqlens.len() > 1 && cu_seqlens[0] == 0 && rising && cu_seqlens.last() == Some(&tokens) {
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
        let numbers: Vec<f64> = (0..2 * 5 * 3)
            .map(|place| (seed + f64::from(place) * 1.7).sin())
            .collect();
        Tensor::from_vec(numbers, (2, 5, 3), &Device::Cpu).unwrap()
    }

    fn gap(a: &Tensor, b: &Tensor) -> f64 {
        (a - b)
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar()
            .unwrap()
    }

    #[test]
    fn heads_split_and_merge() {
        let x = Tensor::arange(0f32, 24.0, &Device::Cpu)
            .unwrap()
            .reshape((2, 3, 4))
            .unwrap();
        let split = split_heads(&x, 2).unwrap();
        assert_eq!(split.dims(), [2, 2, 3, 2]);
        assert_eq!(
            split
                .get(0)
                .unwrap()
                .get(1)
                .unwrap()
                .to_vec2::<f32>()
                .unwrap()[0],
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
        let weights: Vec<f64> = k[1]
            .iter()
            .map(|key| (dot(&q[1][4], key) / 3f64.sqrt()).exp())
            .collect();
        let expected = weights
            .iter()
            .zip(&v[1])
            .map(|(weight, value)| weight * value[2])
            .sum::<f64>()
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
        let mean = value
            .mean_keepdim(1)
            .unwrap()
            .broadcast_as(even.shape())
            .unwrap();
        assert!(gap(&even, &mean) < 1e-15);
    }

    #[test]
    fn fused_attention_reads_any_strides() {
        let (query, key, value) = (heads(0.1), heads(0.2), heads(0.3));
        for cu_seqlens in [&[0, 5][..], &[0, 2, 5], &[0, 1, 2, 3, 4, 5]] {
            let plain = packed_attention(&query, &key, &value, cu_seqlens).unwrap();
            let strided = |x: &Tensor| {
                x.transpose(0, 1)
                    .unwrap()
                    .contiguous()
                    .unwrap()
                    .transpose(0, 1)
                    .unwrap()
            };
            let (q, k, v) = (strided(&query), strided(&key), strided(&value));
            let fused = crate::fused::packed_attention(&q, &k, &v, cu_seqlens).unwrap();
            assert!(gap(&plain, &fused) < 1e-15);
        }
    }

    #[test]
    fn positions_begin_anew_in_each_text() {
        let counted = positions(&[0, 3, 4, 6], &Device::Cpu).unwrap();
        assert_eq!(counted.to_vec1::<i64>().unwrap(), [0, 1, 2, 0, 0, 1]);
        for wrong in [
            &[][..],
            &[0],
            &[1, 2],
            &[0, 2, 2],
            &[0, 3, 1],
            &[0, usize::MAX],
        ] {
            assert!(positions(wrong, &Device::Cpu).is_err(), "{wrong:?}");
        }
    }
}
