"""From one vector a token to one vector a text."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def mean_pooling(
    hidden: Float[Tensor, "batch tokens hidden"], attention_mask: Int[Tensor, "batch tokens"]
) -> Float[Tensor, "batch hidden"]:
    """The mean over real tokens (Reimers & Gurevych 2019, section 3)."""
    real = attention_mask.bool().unsqueeze(-1)  # [batch, tokens, 1]
    # (1) float32 at least: float16 cannot hold a long text's sum
    wide = torch.promote_types(hidden.dtype, torch.float32)
    # (2) padding is selected away, since zero times NaN is NaN
    total = torch.where(real, hidden, 0).sum(dim=1, dtype=wide)  # [batch, hidden]
    count = real.sum(dim=1, dtype=wide)  # [batch, 1]
    # (3) the clamp keeps a text without tokens at zero
    return (total / count.clamp(min=1e-9)).to(hidden.dtype)


def cls_pooling(
    hidden: Float[Tensor, "batch tokens hidden"], attention_mask: Int[Tensor, "batch tokens"]
) -> Float[Tensor, "batch hidden"]:
    """The vector of the first real token, which is [CLS], whichever side the padding is on."""
    first = attention_mask.argmax(dim=1)  # argmax of 0s and 1s: where the first 1 stands
    rows = torch.arange(hidden.shape[0], device=hidden.device)
    return hidden[rows, first]


def max_pooling(
    hidden: Float[Tensor, "batch tokens hidden"], attention_mask: Int[Tensor, "batch tokens"]
) -> Float[Tensor, "batch hidden"]:
    """The largest value of each feature over real tokens; padding, at minus infinity, never
    wins."""
    real = attention_mask.bool().unsqueeze(-1)
    return torch.where(real, hidden, -torch.inf).amax(dim=1)


def mean_sqrt_len_pooling(
    hidden: Float[Tensor, "batch tokens hidden"], attention_mask: Int[Tensor, "batch tokens"]
) -> Float[Tensor, "batch hidden"]:
    """The sum over real tokens divided by the square root of their number; zero without any."""
    real = attention_mask.bool().unsqueeze(-1)
    wide = torch.promote_types(hidden.dtype, torch.float32)
    total = torch.where(real, hidden, 0).sum(dim=1, dtype=wide)
    count = real.sum(dim=1, dtype=wide)
    return (total / count.clamp(min=1e-9).sqrt()).to(hidden.dtype)


def weighted_mean_pooling(
    hidden: Float[Tensor, "batch tokens hidden"],
    attention_mask: Int[Tensor, "batch tokens"],
    skip: int = 0,
) -> Float[Tensor, "batch hidden"]:
    """The mean over real tokens, the first with weight 1, the second with 2, and so on
    (Muennighoff 2022, SGPT).

    The first `skip` tokens do not count, and the others keep their weights. A text that has no
    token left gets zero.
    """
    wide = torch.promote_types(hidden.dtype, torch.float32)
    seen = without_prompt(attention_mask, skip)
    weights = ((_positions(attention_mask) + 1) * seen).unsqueeze(-1).to(wide)
    kept = torch.where(seen.bool().unsqueeze(-1), hidden, 0)
    total = (kept * weights).sum(dim=1)
    return (total / weights.sum(dim=1).clamp(min=1e-9)).to(hidden.dtype)


def last_token_pooling(
    hidden: Float[Tensor, "batch tokens hidden"], attention_mask: Int[Tensor, "batch tokens"]
) -> Float[Tensor, "batch hidden"]:
    """The vector of the last real token, whichever side the padding is on; zero without any."""
    last = attention_mask.shape[1] - 1 - attention_mask.flip(1).argmax(dim=1)
    rows = torch.arange(hidden.shape[0], device=hidden.device)
    return torch.where(attention_mask.any(dim=1, keepdim=True), hidden[rows, last], 0)


def without_prompt(
    attention_mask: Int[Tensor, "batch tokens"], skip: int
) -> Int[Tensor, "batch tokens"]:
    """The mask without the first `skip` real tokens of each text, on whichever side its padding
    is."""
    return attention_mask * (_positions(attention_mask) >= skip)


def pool(
    hidden: Float[Tensor, "batch tokens hidden"],
    attention_mask: Int[Tensor, "batch tokens"],
    ways: tuple[str, ...],
    skip: int = 0,
) -> Float[Tensor, "batch pooled"]:
    """Each text pooled in each of these ways, side by side, by the names that checkpoints have
    for them; the first `skip` tokens of each, a prompt's, are not seen.

    A text that has no token left is no embedding, but what it gets is sentence-transformers'
    answer for a padded batch: zero from every mean and from the last token, minus infinity from
    the maximum, and from cls the first vector of its row, which is its own first token's where
    it is padded on the right or not at all.
    """
    seen = without_prompt(attention_mask, skip)
    pooled = [
        weighted_mean_pooling(hidden, attention_mask, skip)
        if way == "weightedmean"
        else POOLING[way](hidden, seen)
        for way in ways
    ]
    return torch.cat(pooled, dim=-1)


POOLING = {
    "cls": cls_pooling,
    "max": max_pooling,
    "mean": mean_pooling,
    "mean_sqrt_len_tokens": mean_sqrt_len_pooling,
    "weightedmean": weighted_mean_pooling,
    "lasttoken": last_token_pooling,
}


def normalize(
    vectors: Float[Tensor, "*batch hidden"], eps: float = 1e-12
) -> Float[Tensor, "*batch hidden"]:
    """Scale every vector to length one; eps stands in for the length of a zero vector, as in
    F.normalize."""
    # (1) float32 at least: squares of numbers near 300 overflow float16
    wide = torch.promote_types(vectors.dtype, torch.float32)
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True, dtype=wide)
    # (2) eps stands in for the length of a zero vector
    return (vectors / length.clamp(min=eps)).to(vectors.dtype)


def cosine_similarity(
    vectors: Float[Tensor, "texts hidden"], references: Float[Tensor, "references hidden"]
) -> Float[Tensor, "texts references"]:
    """The cosine of every vector with every reference."""
    return normalize(vectors) @ normalize(references).T


def _positions(attention_mask: Int[Tensor, "batch tokens"]) -> Int[Tensor, "batch tokens"]:
    """Each position counted from its row's first real token, which is 0."""
    first = attention_mask.argmax(dim=1, keepdim=True)
    return torch.arange(attention_mask.shape[1], device=attention_mask.device) - first
