//! Texts packed in one row: attention within each, positions in each, and the way back to a
//! padded batch.

use candle_core::{Device, Tensor};
use encoders_kernels::{self as kernels, Lengths, input_error};

use super::{Attend, blockwise_attention, padding_mask};
use crate::error::Result;
use crate::inputs::Batch;

/// Attention within each text of a packed row; nothing crosses from one text to the next.
///
/// `query`, `key` and `value` are `[heads, tokens, head_dim]`, and so is the result;
/// `cu_seqlens` holds the cumulative lengths; `window` is [`blockwise_attention`]'s; `bias` is
/// that of the longest text, `[heads, longest, longest]`, and a shorter one takes its
/// beginning. Each text is a slice, so no score between two texts is ever computed.
pub fn packed_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    cu_seqlens: Lengths,
    window: Option<usize>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    check_row("query", query, 1, cu_seqlens)?;
    let mut contexts = Vec::with_capacity(cu_seqlens.count());
    for (start, length) in cu_seqlens.texts() {
        let text = |x: &Tensor| x.narrow(1, start, length);
        let (query, key, value) = (text(query)?, text(key)?, text(value)?);
        let its = |bias: &Tensor| bias.narrow(1, 0, length)?.narrow(2, 0, length);
        let bias = bias.map(its).transpose()?;
        contexts.push(blockwise_attention(&query, &key, &value, None, window, bias.as_ref())?);
    }
    Ok(Tensor::cat(&contexts, 1)?)
}

/// Attention over each whole text of `inputs`, or over `window` tokens on each side; `bias` is
/// [`packed_attention`]'s.
pub fn attend_to<'a>(
    inputs: &Batch<'a>,
    window: Option<usize>,
    bias: Option<&Tensor>,
) -> Result<Box<Attend<'a>>> {
    let mask = inputs.attention_mask.as_ref().map(padding_mask).transpose()?;
    let (lengths, bias) = (inputs.lengths, bias.map(Tensor::contiguous).transpose()?);
    Ok(Box::new(move |query, key, value| {
        let (mask, bias) = (mask.as_ref(), bias.as_ref());
        let fast = kernels::wanted([query, key, value].into_iter().chain(bias));
        match lengths {
            Some(lengths) if fast => {
                kernels::packed_attention(query, key, value, lengths, window, bias)
            }
            Some(lengths) => packed_attention(query, key, value, lengths, window, bias),
            None if fast => kernels::blockwise_attention(query, key, value, mask, window, bias),
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
