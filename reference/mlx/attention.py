"""Scaled dot-product attention over a padded batch, and over texts packed in one row."""

import math
from collections.abc import Callable
from functools import partial

import mlx.core as mx
from jaxtyping import Bool, Float, Int

from reference.dropout import dropping
from reference.inputs import Inputs
from reference.mlx import fused
from reference.mlx.alike import alike
from reference.mlx.layers import dropout

# What a layer is given: (query, key, value) -> context. Whether the batch is padded or packed
# is settled once, at the top of the model, and no layer needs to know.
Attend = Callable[[mx.array, mx.array, mx.array], mx.array]

SCORES = 1 << 21  # how many are held at a time; MLX has several blocks in work at once


def split_heads(
    x: Float[mx.array, "*batch tokens hidden"], heads: int
) -> Float[mx.array, "*batch heads tokens head_dim"]:
    """Cut the hidden axis into heads and move them before the tokens."""
    return x.reshape(*x.shape[:-1], heads, -1).swapaxes(-3, -2)


def merge_heads(
    x: Float[mx.array, "*batch heads tokens head_dim"],
) -> Float[mx.array, "*batch tokens hidden"]:
    """Lay the heads side by side again: the inverse of split_heads."""
    return x.swapaxes(-3, -2).flatten(-2)


def padding_mask(
    attention_mask: Int[mx.array, "batch tokens"],
) -> Bool[mx.array, "batch 1 1 tokens"]:
    """True where a key may be attended to, with axes of one to broadcast over heads and
    queries."""
    return attention_mask.astype(mx.bool_)[:, None, None, :]


def scaled_dot_product_attention(
    query: Float[mx.array, "*batch queries head_dim"],
    key: Float[mx.array, "*batch keys head_dim"],
    value: Float[mx.array, "*batch keys head_dim"],
    mask: Bool[mx.array, "..."] | None = None,
    bias: Float[mx.array, "heads queries keys"] | None = None,
    rate: float = 0.0,
) -> Float[mx.array, "*batch queries head_dim"]:
    """softmax(query · keyᵀ / √head_dim) · value (Vaswani et al. 2017, equation 1); a bias is
    added to the scaled scores of every text alike. Training drops the share `rate` of what the
    softmax gives.

    A masked score becomes the dtype's lowest number, not -inf: a row in which all is masked
    then attends evenly, as in Transformers' eager attention, instead of turning into NaN.
    """
    # (1) scores of every query with every key, scaled
    scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])  # [..., queries, keys]
    # (2) a bias moves the scores of every text alike
    if bias is not None:
        scores = scores + bias
    # (3) a masked score gets the lowest number, and no weight
    if mask is not None:
        scores = mx.where(mask, scores, mx.finfo(scores.dtype).min)
    # (4) the values, each weighted by its share
    return dropout(_softmax(scores), rate) @ value


def sliding_window_mask(
    queries: Int[mx.array, "queries"], keys: Int[mx.array, "keys"], window: int
) -> Bool[mx.array, "queries keys"]:
    """True where a key stands at most `window` tokens before or behind the query; both are
    given as positions."""
    return mx.abs(queries[:, None] - keys) <= window


def blockwise_attention(
    query: Float[mx.array, "*batch tokens head_dim"],
    key: Float[mx.array, "*batch tokens head_dim"],
    value: Float[mx.array, "*batch tokens head_dim"],
    mask: Bool[mx.array, "..."] | None = None,
    window: int | None = None,
    bias: Float[mx.array, "heads tokens tokens"] | None = None,
) -> Float[mx.array, "*batch tokens head_dim"]:
    """Attention to the whole text, or to `window` tokens on each side, without ever holding all
    scores.

    Some queries at a time meet the keys that any of them reaches (Beltagy et al. 2020, section
    3.1): with a window, memory and time grow with the length of a text and not with its square.
    `mask` is padding_mask's; `bias` is scaled_dot_product_attention's.
    """
    tokens = query.shape[-2]
    if window is not None and window >= tokens - 1:
        window = None
    reach = tokens if window is None else 2 * window + 1
    rows = query.size // (tokens * query.shape[-1])  # heads, times texts
    block = max(32, min(2 * reach, SCORES // (rows * reach)))
    places = mx.arange(tokens)
    contexts = []
    for start in range(0, tokens, block):
        queries = slice(start, start + block)
        keys = (
            slice(None)
            if window is None
            else slice(max(0, start - window), start + block + window)
        )
        allowed = None if mask is None else mask[..., keys]
        if window is not None:
            near = sliding_window_mask(places[queries], places[keys], window)
            allowed = near if allowed is None else near & allowed
        context = scaled_dot_product_attention(
            query[..., queries, :],
            key[..., keys, :],
            value[..., keys, :],
            allowed,
            None if bias is None else bias[:, queries, keys],
        )
        if window is not None and mask is not None:
            # A pad that sees nothing but pads gets zeros, as from PyTorch's kernel. Some heads
            # read it.
            context = mx.where(allowed.any(axis=-1, keepdims=True), context, 0)
        contexts.append(context)
    return contexts[0] if len(contexts) == 1 else mx.concatenate(contexts, axis=-2)


def packed_attention(
    query: Float[mx.array, "heads tokens head_dim"],
    key: Float[mx.array, "heads tokens head_dim"],
    value: Float[mx.array, "heads tokens head_dim"],
    cu_seqlens: Int[mx.array, "texts_plus_one"],
    window: int | None = None,
    bias: Float[mx.array, "heads longest longest"] | None = None,
) -> Float[mx.array, "heads tokens head_dim"]:
    """Attention within each text of a packed row; nothing crosses from one text to the next.

    Texts of about one length go together, as a padded batch, so no score between two texts is
    ever computed. A bias is that of the longest text, and a shorter one takes its beginning.
    """
    groups, order = alike(tuple(cu_seqlens.tolist()), query.shape[0])
    # A token's heads lie side by side in memory; each is taken to where it belongs.
    rows = [x.swapaxes(0, 1).flatten(0, 1) for x in (query, key, value)]
    contexts = []
    for group in groups:
        its = slice(group.places.shape[-1])
        near = None if bias is None else bias[:, its, its]
        parts = (row[group.places] for row in rows)
        context = blockwise_attention(*parts, group.mask, window, near)
        contexts.append(context.flatten(0, -2))
    return mx.concatenate(contexts)[order].swapaxes(0, 1)


def dropped_attention(
    query: Float[mx.array, "*batch tokens head_dim"],
    key: Float[mx.array, "*batch tokens head_dim"],
    value: Float[mx.array, "*batch tokens head_dim"],
    inputs: Inputs,
    window: int | None = None,
    bias: Float[mx.array, "heads longest longest"] | None = None,
    rate: float = 0.0,
) -> Float[mx.array, "*batch tokens head_dim"]:
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
        places = mx.arange(query.shape[-2])
        near = sliding_window_mask(places, places, window)
        allowed = near if allowed is None else near & allowed
    context = scaled_dot_product_attention(query, key, value, allowed, bias, rate)
    if allowed is not None:
        # A pad that sees nothing but pads gets zeros, as from PyTorch's kernel.
        context = mx.where(allowed.any(axis=-1, keepdims=True), context, 0)
    if packed is None:
        return context
    return split_heads(_take_up(merge_heads(context), packed), heads)


def attend_to(
    inputs: Inputs,
    window: int | None = None,
    bias: Float[mx.array, "heads longest longest"] | None = None,
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


def positions(cu_seqlens: Int[mx.array, "texts_plus_one"]) -> Int[mx.array, "tokens"]:
    """0, 1, 2, ... within each text of a packed row.

    MLX cannot repeat each start as often as its text is long; the number of a token's text,
    which finds the start, is how many texts have ended before it.
    """
    tokens = mx.arange(int(cu_seqlens[-1]), dtype=cu_seqlens.dtype)
    text = (cu_seqlens[1:, None] <= tokens).sum(axis=0)
    return tokens - cu_seqlens[text]


def first_tokens(
    hidden: Float[mx.array, "*batch tokens hidden"],
    cu_seqlens: Int[mx.array, "texts_plus_one"] | None = None,
) -> Float[mx.array, "batch hidden"]:
    """Index 0 of every text, even if the padding is on the left: so Transformers reads it."""
    return hidden[:, 0] if cu_seqlens is None else hidden[cu_seqlens[:-1]]


def pad_packed(
    packed: Float[mx.array, "tokens hidden"], cu_seqlens: Int[mx.array, "texts_plus_one"]
) -> tuple[Float[mx.array, "texts longest hidden"], Int[mx.array, "texts longest"]]:
    """Lay a packed row out as a padded batch with its attention mask."""
    starts, lengths = cu_seqlens[:-1, None], (cu_seqlens[1:] - cu_seqlens[:-1])[:, None]
    column = mx.arange(lengths.max().item(), dtype=cu_seqlens.dtype)
    real = column < lengths
    padded = packed[mx.where(real, starts + column, 0)]
    return mx.where(real[..., None], padded, 0), real.astype(mx.int64)


def _take_up(
    padded: Float[mx.array, "texts longest hidden"], cu_seqlens: Int[mx.array, "texts_plus_one"]
) -> Float[mx.array, "tokens hidden"]:
    """The inverse of pad_packed; MLX does not index by a mask."""
    lengths = (cu_seqlens[1:] - cu_seqlens[:-1]).tolist()
    return mx.concatenate([text[:length] for text, length in zip(padded, lengths, strict=True)])


def _softmax(scores: Float[mx.array, "*batch keys"]) -> Float[mx.array, "*batch keys"]:
    """exp(scores) over their sum, along the last axis; half precision is summed in float32."""
    if fused.wanted():
        return fused.softmax(scores)
    return mx.softmax(scores, axis=-1, precise=True)
