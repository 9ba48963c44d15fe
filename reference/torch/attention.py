"""Scaled dot-product attention over a padded batch, and over texts packed in one row."""

import itertools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

# What a layer is given: (query, key, value) -> context. Whether the batch is padded or packed is settled once,
# at the top of the model, and no layer needs to know.
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def split_heads(x: Float[Tensor, "*batch tokens hidden"], heads: int) -> Float[Tensor, "*batch heads tokens head_dim"]:
    """Cut the hidden axis into heads and move them before the tokens."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def merge_heads(x: Float[Tensor, "*batch heads tokens head_dim"]) -> Float[Tensor, "*batch tokens hidden"]:
    """Lay the heads side by side again: the inverse of split_heads."""
    return x.transpose(-3, -2).flatten(-2)


def padding_mask(attention_mask: Int[Tensor, "batch tokens"]) -> Bool[Tensor, "batch 1 1 tokens"]:
    """True where a key may be attended to, with axes of one to broadcast over heads and queries."""
    return attention_mask.bool()[:, None, None, :]


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch queries head_dim"],
    key: Float[Tensor, "*batch keys head_dim"],
    value: Float[Tensor, "*batch keys head_dim"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch queries head_dim"]:
    """softmax(query · keyᵀ / √head_dim) · value (Vaswani et al. 2017, equation 1).

    A masked score becomes the dtype's lowest number, not -inf: a row in which all is masked then attends evenly,
    as in Transformers' eager attention, instead of turning into NaN.
    """
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])  # [..., queries, keys]
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=-1) @ value


def packed_attention(
    query: Float[Tensor, "heads tokens head_dim"],
    key: Float[Tensor, "heads tokens head_dim"],
    value: Float[Tensor, "heads tokens head_dim"],
    cu_seqlens: Int[Tensor, "texts_plus_one"],
) -> Float[Tensor, "heads tokens head_dim"]:
    """Attention within each text of a packed row; nothing crosses from one text to the next.

    Each text is a slice, so no mask and no score between two texts is ever computed. The slices go through
    PyTorch's fused kernel, which does what scaled_dot_product_attention spells out.
    """
    context = torch.empty_like(query)
    for start, end in itertools.pairwise(cu_seqlens.tolist()):
        text = slice(start, end)
        context[:, text] = F.scaled_dot_product_attention(
            query[None, :, text], key[None, :, text], value[None, :, text]
        )[0]
    return context


def positions(cu_seqlens: Int[Tensor, "texts_plus_one"]) -> Int[Tensor, "tokens"]:
    """0, 1, 2, ... within each text of a packed row."""
    starts, lengths = cu_seqlens[:-1], cu_seqlens.diff()
    tokens = int(cu_seqlens[-1])
    return torch.arange(tokens, device=cu_seqlens.device) - starts.repeat_interleave(lengths)


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
