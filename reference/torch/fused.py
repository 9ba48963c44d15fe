"""What PyTorch has as one kernel, under the name of the plain form that spells it out."""

import functools
import importlib.util
import inspect

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
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


def has_packed_kernel(query: Float[Tensor, "heads tokens head_dim"]) -> bool:
    """Whether packed_attention serves: in half precision on a GPU of NVIDIA's since 2020, which
    is what FlashAttention is written for (Dao et al. 2022)."""
    return (
        query.is_cuda
        and query.dtype in (torch.float16, torch.bfloat16)
        and query.shape[-1] % 8 == 0
        and query.shape[-1] <= 256
        and torch.cuda.get_device_capability(query.device) >= (8, 0)
        and _varlen_takes_windows()
    )


@functools.cache
def _varlen_takes_windows() -> bool:
    """PyTorch 2.9 has no such function, and the first that had one knew no windows."""
    if importlib.util.find_spec("torch.nn.attention.varlen") is None:
        return False
    from torch.nn.attention.varlen import varlen_attn

    return "window_size" in inspect.signature(varlen_attn).parameters


def packed_attention(
    query: Float[Tensor, "heads tokens head_dim"],
    key: Float[Tensor, "heads tokens head_dim"],
    value: Float[Tensor, "heads tokens head_dim"],
    cu_seqlens: Int[Tensor, "texts_plus_one"],
    window: int | None = None,
) -> Float[Tensor, "heads tokens head_dim"]:
    """attention.packed_attention for all texts in one kernel, which takes their bounds."""
    from torch.nn.attention.varlen import varlen_attn

    bounds, longest = cu_seqlens.int(), int(cu_seqlens.diff().max())
    reach = (-1, -1) if window is None else (window, window)
    by_token = (x.transpose(0, 1) for x in (query, key, value))  # [tokens, heads, head_dim]
    context = varlen_attn(*by_token, bounds, bounds, longest, longest, window_size=reach)
    return context.transpose(0, 1)
