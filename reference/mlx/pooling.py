"""From one vector a token to one vector a text."""

import mlx.core as mx
from jaxtyping import Float, Int


def mean_pooling(
    hidden: Float[mx.array, "batch tokens hidden"],
    attention_mask: Int[mx.array, "batch tokens"],
) -> Float[mx.array, "batch hidden"]:
    """The mean over real tokens (Reimers & Gurevych 2019, section 3)."""
    real = attention_mask.astype(mx.bool_)[..., None]  # [batch, tokens, 1]
    # (1) float32 at least: float16 cannot hold a long text's sum
    wide = mx.result_type(hidden, mx.float32)
    # (2) padding is selected away, since zero times NaN is NaN
    total = mx.where(real, hidden, 0).astype(wide).sum(axis=1)  # [batch, hidden]
    count = real.sum(axis=1).astype(wide)  # [batch, 1]
    # (3) the clamp keeps a text without tokens at zero
    return (total / mx.maximum(count, 1e-9)).astype(hidden.dtype)


def cls_pooling(
    hidden: Float[mx.array, "batch tokens hidden"],
    attention_mask: Int[mx.array, "batch tokens"],
) -> Float[mx.array, "batch hidden"]:
    """The vector of the first real token, which is [CLS], whichever side the padding is on."""
    first = attention_mask.argmax(axis=1)  # argmax of 0s and 1s: where the first 1 stands
    return hidden[mx.arange(hidden.shape[0]), first]


def max_pooling(
    hidden: Float[mx.array, "batch tokens hidden"],
    attention_mask: Int[mx.array, "batch tokens"],
) -> Float[mx.array, "batch hidden"]:
    """The largest value of each feature over real tokens; padding, at minus infinity, never
    wins."""
    real = attention_mask.astype(mx.bool_)[..., None]
    return mx.where(real, hidden, -mx.inf).max(axis=1)


def mean_sqrt_len_pooling(
    hidden: Float[mx.array, "batch tokens hidden"],
    attention_mask: Int[mx.array, "batch tokens"],
) -> Float[mx.array, "batch hidden"]:
    """The sum over real tokens divided by the square root of their number; zero without any."""
    real = attention_mask.astype(mx.bool_)[..., None]
    wide = mx.result_type(hidden, mx.float32)
    total = mx.where(real, hidden, 0).astype(wide).sum(axis=1)
    count = real.sum(axis=1).astype(wide)
    return (total / mx.maximum(count, 1e-9).sqrt()).astype(hidden.dtype)


def weighted_mean_pooling(
    hidden: Float[mx.array, "batch tokens hidden"],
    attention_mask: Int[mx.array, "batch tokens"],
    skip: int = 0,
) -> Float[mx.array, "batch hidden"]:
    """The mean over real tokens, the first with weight 1, the second with 2, and so on
    (Muennighoff 2022, SGPT).

    The first `skip` tokens do not count, and the others keep their weights. A text that has no
    token left gets zero.
    """
    wide = mx.result_type(hidden, mx.float32)
    seen = without_prompt(attention_mask, skip)
    weights = ((_positions(attention_mask) + 1) * seen)[..., None].astype(wide)
    kept = mx.where(seen.astype(mx.bool_)[..., None], hidden, 0)
    total = (kept * weights).sum(axis=1)
    return (total / mx.maximum(weights.sum(axis=1), 1e-9)).astype(hidden.dtype)


def last_token_pooling(
    hidden: Float[mx.array, "batch tokens hidden"],
    attention_mask: Int[mx.array, "batch tokens"],
) -> Float[mx.array, "batch hidden"]:
    """The vector of the last real token, whichever side the padding is on; zero without any."""
    last = attention_mask.shape[1] - 1 - attention_mask[:, ::-1].argmax(axis=1)
    vectors = hidden[mx.arange(hidden.shape[0]), last]
    return mx.where(attention_mask.any(axis=1, keepdims=True), vectors, 0)


def without_prompt(
    attention_mask: Int[mx.array, "batch tokens"], skip: int
) -> Int[mx.array, "batch tokens"]:
    """The mask without the first `skip` real tokens of each text, on whichever side its padding
    is."""
    return attention_mask * (_positions(attention_mask) >= skip)


def pool(
    hidden: Float[mx.array, "batch tokens hidden"],
    attention_mask: Int[mx.array, "batch tokens"],
    ways: tuple[str, ...],
    skip: int = 0,
) -> Float[mx.array, "batch pooled"]:
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
    return mx.concatenate(pooled, axis=-1)


POOLING = {
    "cls": cls_pooling,
    "max": max_pooling,
    "mean": mean_pooling,
    "mean_sqrt_len_tokens": mean_sqrt_len_pooling,
    "weightedmean": weighted_mean_pooling,
    "lasttoken": last_token_pooling,
}


def normalize(
    vectors: Float[mx.array, "*batch hidden"], eps: float = 1e-12
) -> Float[mx.array, "*batch hidden"]:
    """Scale every vector to length one; eps stands in for the length of a zero vector, as in
    F.normalize."""
    # (1) float32 at least: squares of numbers near 300 overflow float16
    wide = mx.result_type(vectors, mx.float32)
    length = mx.linalg.norm(vectors.astype(wide), axis=-1, keepdims=True)
    # (2) eps stands in for the length of a zero vector
    return (vectors / mx.maximum(length, eps)).astype(vectors.dtype)


def cosine_similarity(
    vectors: Float[mx.array, "texts hidden"], references: Float[mx.array, "references hidden"]
) -> Float[mx.array, "texts references"]:
    """The cosine of every vector with every reference."""
    return normalize(vectors) @ normalize(references).T


def _positions(attention_mask: Int[mx.array, "batch tokens"]) -> Int[mx.array, "batch tokens"]:
    """Each position counted from its row's first real token, which is 0."""
    first = attention_mask.argmax(axis=1, keepdims=True).astype(mx.int32)
    return mx.arange(attention_mask.shape[1]) - first
