"""From one vector a token to one vector a text."""

import mlx.core as mx
from jaxtyping import Float, Int


def mean_pooling(
    hidden: Float[mx.array, "batch tokens hidden"],
    attention_mask: Int[mx.array, "batch tokens"],
) -> Float[mx.array, "batch hidden"]:
    """The mean over real tokens (Reimers & Gurevych 2019, section 3).

    Padded positions are selected away rather than multiplied by zero, because zero times NaN is
    NaN. The clamp keeps a row without any real token at zero instead of 0/0. All of it is done
    in float32 at least: a sum over a long text may be more than float16 can hold, and 1e-9 is 0
    there.
    """
    real = attention_mask.astype(mx.bool_)[..., None]  # [batch, tokens, 1]
    wide = mx.result_type(hidden, mx.float32)
    total = mx.where(real, hidden, 0).astype(wide).sum(axis=1)  # [batch, hidden]
    count = real.sum(axis=1).astype(wide)  # [batch, 1]
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


def normalize(
    vectors: Float[mx.array, "*batch hidden"], eps: float = 1e-12
) -> Float[mx.array, "*batch hidden"]:
    """Scale every vector to length one; eps stands in for the length of a zero vector, as in
    F.normalize.

    The length is taken in float32 at least, since the squares of numbers near 300 are too large
    for float16.
    """
    wide = mx.result_type(vectors, mx.float32)
    length = mx.linalg.norm(vectors.astype(wide), axis=-1, keepdims=True)
    return (vectors / mx.maximum(length, eps)).astype(vectors.dtype)
