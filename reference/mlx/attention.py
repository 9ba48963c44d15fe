"""Scaled dot-product attention over a padded batch, and over texts packed in one row."""

import math
from collections.abc import Callable
from itertools import pairwise

import mlx.core as mx
from jaxtyping import Bool, Float, Int

from reference.mlx.fused import softmax

# What a layer is given: (query, key, value) -> context. Whether the batch is padded or packed is settled once,
# at the top of the model, and no layer needs to know.
Attend = Callable[[mx.array, mx.array, mx.array], mx.array]


def split_heads(
    x: Float[mx.array, "*batch tokens hidden"], heads: int
) -> Float[mx.array, "*batch heads tokens head_dim"]:
    """Cut the hidden axis into heads and move them before the tokens."""
    return x.reshape(*x.shape[:-1], heads, -1).swapaxes(-3, -2)


def merge_heads(x: Float[mx.array, "*batch heads tokens head_dim"]) -> Float[mx.array, "*batch tokens hidden"]:
    """Lay the heads side by side again: the inverse of split_heads."""
    return x.swapaxes(-3, -2).flatten(-2)


def padding_mask(attention_mask: Int[mx.array, "batch tokens"]) -> Bool[mx.array, "batch 1 1 tokens"]:
    """True where a key may be attended to, with axes of one to broadcast over heads and queries."""
    return attention_mask.astype(mx.bool_)[:, None, None, :]


def scaled_dot_product_attention(
    query: Float[mx.array, "*batch queries head_dim"],
    key: Float[mx.array, "*batch keys head_dim"],
    value: Float[mx.array, "*batch keys head_dim"],
    mask: Bool[mx.array, "..."] | None = None,
) -> Float[mx.array, "*batch queries head_dim"]:
    """softmax(query · keyᵀ / √head_dim) · value (Vaswani et al. 2017, equation 1).

    A masked score becomes the dtype's lowest number, not -inf: a row in which all is masked then attends evenly,
    as in Transformers' eager attention, instead of turning into NaN.
    """
    scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])  # [..., queries, keys]
    if mask is not None:
        scores = mx.where(mask, scores, mx.finfo(scores.dtype).min)
    return softmax(scores) @ value


def packed_attention(
    query: Float[mx.array, "heads tokens head_dim"],
    key: Float[mx.array, "heads tokens head_dim"],
    value: Float[mx.array, "heads tokens head_dim"],
    cu_seqlens: Int[mx.array, "texts_plus_one"],
) -> Float[mx.array, "heads tokens head_dim"]:
    """Attention within each text of a packed row; nothing crosses from one text to the next.

    Each text is a slice, so no mask and no score between two texts is ever computed.
    """
    bounds = cu_seqlens.tolist()
    texts = [slice(start, end) for start, end in pairwise(bounds)]
    contexts = [scaled_dot_product_attention(query[:, text], key[:, text], value[:, text]) for text in texts]
    return mx.concatenate(contexts, axis=1)


def positions(cu_seqlens: Int[mx.array, "texts_plus_one"]) -> Int[mx.array, "tokens"]:
    """0, 1, 2, ... within each text of a packed row.

    MLX cannot repeat each start as often as its text is long; the number of a token's text, which finds the start,
    is how many texts have ended before it.
    """
    tokens = mx.arange(int(cu_seqlens[-1]), dtype=cu_seqlens.dtype)
    text = (cu_seqlens[1:, None] <= tokens).sum(axis=0)
    return tokens - cu_seqlens[text]


def pad_packed(
    packed: Float[mx.array, "tokens hidden"], cu_seqlens: Int[mx.array, "texts_plus_one"]
) -> tuple[Float[mx.array, "texts longest hidden"], Int[mx.array, "texts longest"]]:
    """Lay a packed row out as a padded batch with its attention mask."""
    starts, lengths = cu_seqlens[:-1, None], (cu_seqlens[1:] - cu_seqlens[:-1])[:, None]
    column = mx.arange(lengths.max().item(), dtype=cu_seqlens.dtype)
    real = column < lengths
    padded = packed[mx.where(real, starts + column, 0)]
    return mx.where(real[..., None], padded, 0), real.astype(mx.int64)
