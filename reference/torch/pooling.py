"""From one vector a token to one vector a text."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def mean_pooling(
    hidden: Float[Tensor, "batch tokens hidden"], attention_mask: Int[Tensor, "batch tokens"]
) -> Float[Tensor, "batch hidden"]:
    """The mean over real tokens (Reimers & Gurevych 2019, section 3).

    Padded positions are selected away rather than multiplied by zero, because zero times NaN is
    NaN. The clamp keeps a row without any real token at zero instead of 0/0. All of it is done
    in float32 at least: a sum over a long text may be more than float16 can hold, and 1e-9 is 0
    there.
    """
    real = attention_mask.bool().unsqueeze(-1)  # [batch, tokens, 1]
    wide = torch.promote_types(hidden.dtype, torch.float32)
    total = torch.where(real, hidden, 0).sum(dim=1, dtype=wide)  # [batch, hidden]
    count = real.sum(dim=1, dtype=wide)  # [batch, 1]
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


def normalize(
    vectors: Float[Tensor, "*batch hidden"], eps: float = 1e-12
) -> Float[Tensor, "*batch hidden"]:
    """Scale every vector to length one; eps stands in for the length of a zero vector, as in
    F.normalize.

    The length is taken in float32 at least, since the squares of numbers near 300 are too large
    for float16.
    """
    wide = torch.promote_types(vectors.dtype, torch.float32)
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True, dtype=wide)
    return (vectors / length.clamp(min=eps)).to(vectors.dtype)
