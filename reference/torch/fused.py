"""What PyTorch has as one kernel, under the name of the plain form that spells it out."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch queries head_dim"],
    key: Float[Tensor, "*batch keys head_dim"],
    value: Float[Tensor, "*batch keys head_dim"],
    mask: Bool[Tensor, "..."] | None = None,
    bias: Float[Tensor, "heads queries keys"] | None = None,
) -> Float[Tensor, "*batch queries head_dim"]:
    """attention.scaled_dot_product_attention without ever holding all scores in memory (Dao et
    al. 2022).

    It is also the kernel that Transformers runs by default, so the port rounds as Transformers
    does.
    """
    if bias is not None:  # the kernel adds a mask of numbers
        mask = bias[None] if mask is None else bias.masked_fill(~mask, -torch.inf)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
