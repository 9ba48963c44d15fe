"""Scaled dot-product attention over a padded batch, and over texts packed in one row."""

import itertools
import math
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from reference.dropout import dropping
from reference.inputs import Inputs
from reference.torch import fused
from reference.torch.layers import dropout

# What a layer is given: (query, key, value) -> context. Whether the batch is padded or packed
# is settled once, at the top of the model, and no layer needs to know.
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]

BLOCK = 128  # queries at a time in a sliding window


def split_heads(
    x: Float[Tensor, "*batch tokens hidden"], heads: int
) -> Float[Tensor, "*batch heads tokens head_dim"]:
    """Cut the hidden axis into heads and move them before the tokens."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def merge_heads(
    x: Float[Tensor, "*batch heads tokens head_dim"],
) -> Float[Tensor, "*batch tokens hidden"]:
    """Lay the heads side by side again: the inverse of split_heads."""
    return x.transpose(-3, -2).flatten(-2)


def padding_mask(
    attention_mask: Int[Tensor, "batch tokens"],
) -> Bool[Tensor, "batch 1 1 tokens"]:
    """True where a key may be attended to, with axes of one to broadcast over heads and
    queries."""
    return attention_mask.bool()[:, None, None, :]


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch queries head_dim"],
    key: Float[Tensor, "*batch keys head_dim"],
    value: Float[Tensor, "*batch keys head_dim"],
    mask: Bool[Tensor, "..."] | None = None,
    bias: Float[Tensor, "heads queries keys"] | None = None,
    rate: float = 0.0,
) -> Float[Tensor, "*batch queries head_dim"]:
    """softmax(query · keyᵀ / √head_dim) · value (Vaswani et al. 2017, equation 1); a bias is
    added to the scaled scores of every text alike. Training drops the share `rate` of what the
    softmax gives.

    A masked score becomes the dtype's lowest number, not -inf: a row in which all is masked
    then attends evenly, as in Transformers' eager attention, instead of turning into NaN.
    """
    # (1) scores of every query with every key, scaled
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])  # [..., queries, keys]
    # (2) a bias moves the scores of every text alike
    if bias is not None:
        scores = scores + bias
    # (3) a masked score gets the lowest number, and no weight
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    # (4) the values, each weighted by its share
    return dropout(torch.softmax(scores, dim=-1), rate) @ value


def sliding_window_mask(
    queries: Int[Tensor, "queries"], keys: Int[Tensor, "keys"], window: int
) -> Bool[Tensor, "queries keys"]:
    """True where a key stands at most `window` tokens before or behind the query; both are
    given as positions."""
    return (queries[:, None] - keys).abs() <= window


def blockwise_attention(
    query: Float[Tensor, "*batch tokens head_dim"],
    key: Float[Tensor, "*batch tokens head_dim"],
    value: Float[Tensor, "*batch tokens head_dim"],
    mask: Bool[Tensor, "..."] | None = None,
    window: int | None = None,
    bias: Float[Tensor, "heads tokens tokens"] | None = None,
) -> Float[Tensor, "*batch tokens head_dim"]:
    """Attention to the whole text, or to `window` tokens on each side, without ever holding all
    scores.

    With a window, BLOCK queries at a time meet the keys that any of them reaches (Beltagy et
    al. 2020, section 3.1): memory and time grow with the length of a text and not with its
    square. Without one PyTorch's fused kernel sees to that. `mask` is padding_mask's; `bias`
    is scaled_dot_product_attention's.
    """
    tokens = query.shape[-2]
    if window is None or window >= tokens - 1:
        return fused.scaled_dot_product_attention(query, key, value, mask, bias)
    places = torch.arange(tokens, device=query.device)
    contexts = []
    for start in range(0, tokens, BLOCK):
        queries = slice(start, start + BLOCK)
        keys = slice(max(0, start - window), start + BLOCK + window)
        allowed = sliding_window_mask(places[queries], places[keys], window)
        if mask is not None:
            allowed = allowed & mask[..., keys]
        block = query[..., queries, :], key[..., keys, :], value[..., keys, :]
        near = None if bias is None else bias[:, queries, keys]
        contexts.append(fused.scaled_dot_product_attention(*block, allowed, near))
    return torch.cat(contexts, dim=-2)


def packed_attention(
    query: Float[Tensor, "heads tokens head_dim"],
    key: Float[Tensor, "heads tokens head_dim"],
    value: Float[Tensor, "heads tokens head_dim"],
    cu_seqlens: Int[Tensor, "texts_plus_one"],
    window: int | None = None,
    bias: Float[Tensor, "heads longest longest"] | None = None,
) -> Float[Tensor, "heads tokens head_dim"]:
    """Attention within each text of a packed row; nothing crosses from one text to the next.

    Each text is a slice, so no mask and no score between two texts is ever computed. A bias is
    that of the longest text, and a shorter one takes its beginning.
    """
    if bias is None and fused.has_packed_kernel(query):
        return fused.packed_attention(query, key, value, cu_seqlens, window)
    context = torch.empty_like(query)
    for start, end in itertools.pairwise(cu_seqlens.tolist()):
        text, its = slice(start, end), slice(end - start)
        parts = (x[None, :, text] for x in (query, key, value))
        near = None if bias is None else bias[:, its, its]
        context[:, text] = blockwise_attention(*parts, window=window, bias=near)[0]
    return context


def dropped_attention(
    query: Float[Tensor, "*batch tokens head_dim"],
    key: Float[Tensor, "*batch tokens head_dim"],
    value: Float[Tensor, "*batch tokens head_dim"],
    inputs: Inputs,
    window: int | None = None,
    bias: Float[Tensor, "heads longest longest"] | None = None,
    rate: float = 0.0,
) -> Float[Tensor, "*batch tokens head_dim"]:
    """Attention in a training pass that drops some of it: all at once, for what is dropped was
    drawn for all scores of a padded batch. A packed row is laid out as one, and taken up
    again."""
    mask, packed = inputs.attention_mask, inputs.cu_seqlens
    if packed is not None:
        heads = query.shape[-3]
        laid_out = [pad_packed(merge_heads(x), packed) for x in (query, key, value)]
        query, key, value = (split_heads(x, heads) for x, _ in laid_out)
        mask = laid_out[0][1]
    allowed = None if mask is None else padding_mask(mask)
    if window is not None:
        places = torch.arange(query.shape[-2], device=query.device)
        near = sliding_window_mask(places, places, window)
        allowed = near if allowed is None else near & allowed
    context = scaled_dot_product_attention(query, key, value, allowed, bias, rate)
    if allowed is not None:
        # A pad that sees nothing but pads gets zeros, as from PyTorch's kernel.
        context = context.masked_fill(~allowed.any(dim=-1, keepdim=True), 0)
    if packed is None:
        return context
    return split_heads(merge_heads(context)[mask.bool()], heads)


def attend_to(
    inputs: Inputs,
    window: int | None = None,
    bias: Float[Tensor, "heads longest longest"] | None = None,
    rate: float = 0.0,
) -> Attend:
    """Attention over each whole text of a batch, or over `window` tokens on each side. Training
    drops the share `rate` of it."""
    options = {"window": window, "bias": bias}
    if dropping(rate):
        return partial(dropped_attention, inputs=inputs, **options, rate=rate)
    if inputs.cu_seqlens is not None:
        return partial(packed_attention, cu_seqlens=inputs.cu_seqlens, **options)
    mask = None if inputs.attention_mask is None else padding_mask(inputs.attention_mask)
    return partial(blockwise_attention, mask=mask, **options)


def positions(cu_seqlens: Int[Tensor, "texts_plus_one"]) -> Int[Tensor, "tokens"]:
    """0, 1, 2, ... within each text of a packed row."""
    starts, lengths = cu_seqlens[:-1], cu_seqlens.diff()
    tokens = int(cu_seqlens[-1])
    return torch.arange(tokens, device=cu_seqlens.device) - starts.repeat_interleave(lengths)


def first_tokens(
    hidden: Float[Tensor, "*batch tokens hidden"],
    cu_seqlens: Int[Tensor, "texts_plus_one"] | None = None,
) -> Float[Tensor, "batch hidden"]:
    """Index 0 of every text, even if the padding is on the left: so Transformers reads it."""
    return hidden[:, 0] if cu_seqlens is None else hidden[cu_seqlens[:-1]]


def pad_packed(
    packed: Float[Tensor, "tokens hidden"], cu_seqlens: Int[Tensor, "texts_plus_one"]
) -> tuple[Float[Tensor, "texts longest hidden"], Int[Tensor, "texts longest"]]:
    """Lay a packed row out as a padded batch with its attention mask."""
    lengths = cu_seqlens.diff()
    longest = int(lengths.max())
    attention_mask = (torch.arange(longest, device=packed.device) < lengths[:, None]).long()
    padded = packed.new_zeros(len(lengths), longest, packed.shape[-1])
    padded[attention_mask.bool()] = packed
    return padded, attention_mask
