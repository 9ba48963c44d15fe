"""Rotary position embedding (Su et al. 2021): a position turns pairs of a head's features by
angles of its own.

The score of a query at position m with a key at position n then depends on both only through m
- n.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

Tables = tuple[Float[Tensor, "tokens head_dim"], Float[Tensor, "tokens head_dim"]]


def inverse_frequencies(head_dim: int, theta: float) -> Float[Tensor, "pairs"]:
    """How far each pair of features turns from one position to the next: theta^(-2i / head_dim)
    radians.

    In float32, and by way of the power's reciprocal, as Transformers has it: at position 8,191
    another last bit is an angle that differs by 5e-4.
    """
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim
    return 1.0 / theta**exponents


def rope_tables(
    positions: Int[Tensor, "tokens"],
    head_dim: int,
    theta: float,
    dtype: torch.dtype = torch.float32,
) -> Tables:
    """The cosine and the sine of every angle. Features i and i + head_dim / 2 are a pair and
    share it.

    The angles are taken in float32 even for a float64 model, as in Transformers.
    """
    angles = positions[:, None].float() * inverse_frequencies(head_dim, theta).to(
        positions.device
    )
    angles = torch.cat([angles, angles], dim=-1)  # [tokens, head_dim]
    return angles.cos().to(dtype), angles.sin().to(dtype)


def exact_rope_tables(
    positions: Int[Tensor, "tokens"],
    head_dim: int,
    theta: float,
    dtype: torch.dtype = torch.float32,
) -> Tables:
    """rope_tables for a model that is not Transformers': the frequencies are rounded once, and
    a float64 model's angles are float64."""
    wide = torch.promote_types(dtype, torch.float32)
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim
    angles = positions[:, None].to(wide) * (theta**-exponents).to(wide).to(positions.device)
    angles = torch.cat([angles, angles], dim=-1)  # [tokens, head_dim]
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate_half(x: Float[Tensor, "*batch head_dim"]) -> Float[Tensor, "*batch head_dim"]:
    """Every pair (a, b) a quarter turn on, to (-b, a), where b stands half a head behind a."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


def apply_rope(
    x: Float[Tensor, "*batch tokens head_dim"],
    cos: Float[Tensor, "tokens head_dim"],
    sin: Float[Tensor, "tokens head_dim"],
) -> Float[Tensor, "*batch tokens head_dim"]:
    """Turn every pair of features by its token's angle: x cos + (x, a quarter turn on) sin.

    x is rounded to float32 first, whatever the model's dtype is, since Transformers'
    apply_rotary_pos_emb does so.
    """
    # (1) every pair (a, b), times the cosine of its angle
    along = x.float() * cos
    # (2) the pair a quarter turn on, times the sine
    across = rotate_half(x.float()) * sin
    # (3) their sum is the pair, turned by its angle
    return (along + across).to(x.dtype)


def apply_exact_rope(
    x: Float[Tensor, "*batch tokens head_dim"],
    cos: Float[Tensor, "tokens head_dim"],
    sin: Float[Tensor, "tokens head_dim"],
) -> Float[Tensor, "*batch tokens head_dim"]:
    """apply_rope for a model that is not Transformers': x is turned in its own precision, and
    half precision in float32."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * cos + rotate_half(wide) * sin).to(x.dtype)


def rotate_pairs(x: Float[Tensor, "*batch head_dim"]) -> Float[Tensor, "*batch head_dim"]:
    """rotate_half for the interleaved form, in which b stands right behind a."""
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([-second, first], dim=-1).flatten(-2)


def apply_rope_interleaved(
    x: Float[Tensor, "*batch tokens head_dim"],
    cos: Float[Tensor, "tokens head_dim"],
    sin: Float[Tensor, "tokens head_dim"],
) -> Float[Tensor, "*batch tokens head_dim"]:
    """apply_rope where features 2i and 2i + 1 are a pair, as in the paper. It takes the same
    tables."""
    cos, sin = halves_to_pairs(cos), halves_to_pairs(sin)
    return (x.float() * cos + rotate_pairs(x.float()) * sin).to(x.dtype)


def halves_to_pairs(x: Float[Tensor, "*batch head_dim"]) -> Float[Tensor, "*batch head_dim"]:
    """Reorder features so that what stood half a head apart stands side by side."""
    return torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)


def pairs_to_halves(x: Float[Tensor, "*batch head_dim"]) -> Float[Tensor, "*batch head_dim"]:
    """The way back: the inverse of halves_to_pairs."""
    return torch.cat([x[..., 0::2], x[..., 1::2]], dim=-1)
