//! Texts packed in one row: attention within each, positions in each, and the way back to a
//! padded batch.

use candle_core::{D, Device, Tensor};
use encoders_kernels::{self as kernels, Lengths, input_error};

use super::alike::alike;
use super::{
    Attend, blockwise_attention, merge_heads, padding_mask, scaled_dot_product_attention,
    sliding_window_mask, split_heads, zero_where_blind,
};
use crate::dropout::dropping;
use crate::error::Result;
use crate::inputs::Batch;

/// Attention within each text of a packed row; nothing crosses from one text to the next.
///
/// `query`, `key` and `value` are `[heads, tokens, head_dim]`, and so is the result;
/// `cu_seqlens` holds the cumulative lengths; `window` is [`blockwise_attention`]'s; `bias` is
/// that of the longest text, `[heads, longest, longest]`, and a shorter one takes its
/// beginning. Texts of about one length go together, as a padded batch, so no score between two
/// texts is ever computed.
pub fn packed_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    cu_seqlens: Lengths,
    window: Option<usize>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    check_row("query", query, 1, cu_seqlens)?;
    let (heads, _, size) = query.dims3()?;
    let (query, key, value) = (query.contiguous()?, key.contiguous()?, value.contiguous()?);
    let (groups, order) = alike(cu_seqlens, query.device())?;
    let mut contexts = Vec::with_capacity(groups.len());
    for group in &groups {
        let (texts, longest) = (group.texts, group.longest);
        let its = |x: &Tensor| {
            let x = x.index_select(&group.places, 1)?;
            x.reshape((heads, texts, longest, size))?.transpose(0, 1)
        };
        let (query, key, value) = (its(&query)?, its(&key)?, its(&value)?);
        let near = |bias: &Tensor| bias.narrow(1, 0, longest)?.narrow(2, 0, longest);
        let bias = bias.map(near).transpose()?;
        let mask = group.mask.as_ref();
        let context = blockwise_attention(&query, &key, &value, mask, window, bias.as_ref())?;
        contexts.push(context.transpose(0, 1)?.reshape((heads, texts * longest, size))?);
    }
    Ok(Tensor::cat(&contexts, 1)?.index_select(&order, 1)?)
}

/// Attention in a training pass that drops some of it: all at once, for what is dropped was
/// drawn for all scores of a padded batch. A packed row is laid out as one, and taken up again.
///
/// `query`, `key` and `value` are `[..., tokens, head_dim]`, and so is the result; `window` and
/// `bias` are [`packed_attention`]'s.
pub fn dropped_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    inputs: &Batch,
    window: Option<usize>,
    bias: Option<&Tensor>,
    rate: f64,
) -> Result<Tensor> {
    let Some(lengths) = inputs.lengths else {
        let mask = inputs.attention_mask.as_ref();
        return drop_padded([query, key, value], mask, window, bias, rate);
    };
    let heads = query.dim(0)?;
    let padded = |x: &Tensor| -> Result<Tensor> {
        split_heads(&pad_packed(&merge_heads(x)?, lengths)?.0, heads)
    };
    let (_, mask) = pad_packed(&merge_heads(query)?, lengths)?;
    let parts = [&padded(query)?, &padded(key)?, &padded(value)?];
    let context = merge_heads(&drop_padded(parts, Some(&mask), window, bias, rate)?)?;
    let texts = lengths.texts().enumerate().map(|(text, (_, length))| {
        Ok(context.narrow(0, text, 1)?.squeeze(0)?.narrow(0, 0, length)?)
    });
    split_heads(&Tensor::cat(&texts.collect::<Result<Vec<_>>>()?, 0)?, heads)
}

fn drop_padded(
    [query, key, value]: [&Tensor; 3],
    mask: Option<&Tensor>,
    window: Option<usize>,
    bias: Option<&Tensor>,
    rate: f64,
) -> Result<Tensor> {
    let mut allowed = mask.map(padding_mask).transpose()?;
    if let Some(window) = window {
        let places = Tensor::arange(0, query.dim(D::Minus2)? as i64, query.device())?;
        let near = sliding_window_mask(&places, &places, window)?;
        allowed = Some(match allowed {
            Some(real) => real.broadcast_mul(&near)?,
            None => near,
        });
    }
    let context =
        scaled_dot_product_attention(query, key, value, allowed.as_ref(), bias, rate)?;
    match allowed {
        Some(allowed) => zero_where_blind(&context, &allowed),
        None => Ok(context),
    }
}

/// Attention over each whole text of `inputs`, or over `window` tokens on each side; `bias` is
/// [`packed_attention`]'s. Training drops the share `rate` of it.
pub fn attend_to<'a>(
    inputs: &Batch<'a>,
    window: Option<usize>,
    bias: Option<&Tensor>,
    rate: f64,
) -> Result<Box<Attend<'a>>> {
    if dropping(rate) {
        let (inputs, bias) = (inputs.clone(), bias.cloned());
        return Ok(Box::new(move |query, key, value| {
            dropped_attention(query, key, value, &inputs, window, bias.as_ref(), rate)
        }));
    }
    let mask = inputs.attention_mask.as_ref().map(padding_mask).transpose()?;
    let (lengths, bias) = (inputs.lengths, bias.map(Tensor::contiguous).transpose()?);
    Ok(Box::new(move |query, key, value| {
        let (mask, bias) = (mask.as_ref(), bias.as_ref());
        if kernels::wanted([query, key, value].into_iter().chain(bias)) {
            return match lengths {
                Some(lengths) => {
                    kernels::packed_attention(query, key, value, lengths, window, bias)
                }
                None => kernels::blockwise_attention(query, key, value, mask, window, bias),
            };
        }
        match lengths {
            Some(lengths) => packed_attention(query, key, value, lengths, window, bias),
            None => blockwise_attention(query, key, value, mask, window, bias),
        }
    }))
}

/// 0, 1, 2, ... within each text of a packed row: `[tokens]`.
pub fn positions(cu_seqlens: Lengths, device: &Device) -> Result<Tensor> {
    let tokens = cu_seqlens.tokens();
    if tokens > 1 << 27 {
        return Err(input_error!("cu_seqlens ends at {tokens}; no row of tokens is that long"));
    }
    let counted = cu_seqlens.texts().flat_map(|(_, length)| 0..length as i64);
    Ok(Tensor::new(counted.collect::<Vec<_>>(), device)?)
}

/// Lays a packed row out as a padded batch: (padded `[texts, longest, hidden]`, mask `[texts,
/// longest]`).
///
/// `packed` is `[tokens, hidden]`.
pub fn pad_packed(packed: &Tensor, cu_seqlens: Lengths) -> Result<(Tensor, Tensor)> {
    check_row("packed", packed, 0, cu_seqlens)?;
    let longest = cu_seqlens.longest();
    let mut rows = Vec::with_capacity(cu_seqlens.count());
    let mut mask: Vec<i64> = Vec::new();
    for (start, length) in cu_seqlens.texts() {
        rows.push(packed.narrow(0, start, length)?.pad_with_zeros(0, 0, longest - length)?);
        mask.extend((0..longest).map(|position| i64::from(position < length)));
    }
    let mask = Tensor::from_vec(mask, (rows.len(), longest), packed.device())?;
    Ok((Tensor::stack(&rows, 0)?, mask))
}

/// Index 0 of every text, even if the padding is on the left: so Transformers reads it.
///
/// `hidden` is `[batch, tokens, hidden]` or packed `[tokens, hidden]`, the result `[batch,
/// hidden]`.
pub fn first_tokens(hidden: &Tensor, cu_seqlens: Option<Lengths>) -> Result<Tensor> {
    match cu_seqlens {
        None => Ok(hidden.narrow(1, 0, 1)?.squeeze(1)?),
        Some(cu_seqlens) => {
            let starts: Vec<i64> = cu_seqlens.texts().map(|(start, _)| start as i64).collect();
            Ok(hidden.index_select(&Tensor::new(starts, hidden.device())?, 0)?)
        }
    }
}

/// Whether the texts fill the axis of `x` on which they stand in a row.
pub(crate) fn check_row(
    name: &str,
    x: &Tensor,
    axis: usize,
    cu_seqlens: Lengths,
) -> Result<()> {
    let tokens = x.dim(axis)?;
    match cu_seqlens.tokens() == tokens {
        true => Ok(()),
        false => Err(input_error!(
            "cu_seqlens ends at {}, but {name} of shape {:?} has {tokens} tokens",
            cu_seqlens.tokens(),
            x.dims()
        )),
    }
}
