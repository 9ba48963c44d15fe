"""Rotary position embedding (Su et al. 2021): a position turns pairs of a head's features by
angles of its own.

The score of a query at position m with a key at position n then depends on both only through m
- n.
"""

import mlx.core as mx
from jaxtyping import Float, Int

Tables = tuple[Float[mx.array, "tokens head_dim"], Float[mx.array, "tokens head_dim"]]


def inverse_frequencies(head_dim: int, theta: float) -> Float[mx.array, "pairs"]:
    """How far each pair of features turns from one position to the next: theta^(-2i / head_dim)
    radians.

    In float32, and by way of the power's reciprocal, as Transformers has it: at position 8,191
    another last bit is an angle that differs by 5e-4. The power alone is taken in float64, for
    MLX's in float32 is a bit off now and then.
    """
    exponents = mx.arange(0, head_dim, 2, dtype=mx.float32) / head_dim
    with mx.stream(mx.cpu):  # no GPU of Apple's computes in float64
        powers = mx.power(
            mx.array(theta, dtype=mx.float64), exponents.astype(mx.float64)
        ).astype(mx.float32)
        return 1.0 / powers


def rope_tables(
    positions: Int[mx.array, "tokens"],
    head_dim: int,
    theta: float,
    dtype: mx.Dtype = mx.float32,
) -> Tables:
    """The cosine and the sine of every angle. Features i and i + head_dim / 2 are a pair and
    share it.

    The angles are taken in float32 even for a float64 model, as in Transformers.
    """
    angles = positions[:, None].astype(mx.float32) * inverse_frequencies(head_dim, theta)
    angles = mx.concatenate([angles, angles], axis=-1)  # [tokens, head_dim]
    return mx.cos(angles).astype(dtype), mx.sin(angles).astype(dtype)


def exact_rope_tables(
    positions: Int[mx.array, "tokens"],
    head_dim: int,
    theta: float,
    dtype: mx.Dtype = mx.float32,
) -> Tables:
    """rope_tables for a model that is not Transformers': the frequencies are rounded once, and
    a float64 model's angles are float64."""
    wide = mx.float64 if dtype == mx.float64 else mx.float32
    with mx.stream(mx.cpu):  # no GPU of Apple's computes in float64
        exponents = mx.arange(0, head_dim, 2, dtype=mx.float64) / head_dim
        base = mx.array(theta, dtype=mx.float64)
        frequencies = mx.power(base, -exponents).astype(wide)
    angles = positions[:, None].astype(wide) * frequencies
    angles = mx.concatenate([angles, angles], axis=-1)  # [tokens, head_dim]
    return mx.cos(angles).astype(dtype), mx.sin(angles).astype(dtype)


def rotate_half(x: Float[mx.array, "*batch head_dim"]) -> Float[mx.array, "*batch head_dim"]:
    """Every pair (a, b) a quarter turn on, to (-b, a), where b stands half a head behind a."""
    first, second = mx.split(x, 2, axis=-1)
    return mx.concatenate([-second, first], axis=-1)


def apply_rope(
    x: Float[mx.array, "*batch tokens head_dim"],
    cos: Float[mx.array, "tokens head_dim"],
    sin: Float[mx.array, "tokens head_dim"],
) -> Float[mx.array, "*batch tokens head_dim"]:
    """Turn every pair of features by its token's angle: x cos + (x, a quarter turn on) sin.

    x is rounded to float32 first, whatever the model's dtype is, since Transformers'
    apply_rotary_pos_emb does so.
    """
    rounded = x.astype(mx.float32)
    # (1) every pair (a, b), times the cosine of its angle
    along = rounded * cos
    # (2) the pair a quarter turn on, times the sine
    across = rotate_half(rounded) * sin
    # (3) their sum is the pair, turned by its angle
    return (along + across).astype(x.dtype)


def apply_exact_rope(
    x: Float[mx.array, "*batch tokens head_dim"],
    cos: Float[mx.array, "tokens head_dim"],
    sin: Float[mx.array, "tokens head_dim"],
) -> Float[mx.array, "*batch tokens head_dim"]:
    """apply_rope for a model that is not Transformers': x is turned in its own precision, and
    half precision in float32."""
    wide = x.astype(mx.result_type(x, mx.float32))
    return (wide * cos + rotate_half(wide) * sin).astype(x.dtype)


def rotate_pairs(x: Float[mx.array, "*batch head_dim"]) -> Float[mx.array, "*batch head_dim"]:
    """rotate_half for the interleaved form, in which b stands right behind a."""
    first, second = x[..., 0::2], x[..., 1::2]
    return mx.stack([-second, first], axis=-1).flatten(-2)


def apply_rope_interleaved(
    x: Float[mx.array, "*batch tokens head_dim"],
    cos: Float[mx.array, "tokens head_dim"],
    sin: Float[mx.array, "tokens head_dim"],
) -> Float[mx.array, "*batch tokens head_dim"]:
    """apply_rope where features 2i and 2i + 1 are a pair, as in the paper. It takes the same
    tables."""
    cos, sin = halves_to_pairs(cos), halves_to_pairs(sin)
    rounded = x.astype(mx.float32)
    return (rounded * cos + rotate_pairs(rounded) * sin).astype(x.dtype)


def halves_to_pairs(
    x: Float[mx.array, "*batch head_dim"],
) -> Float[mx.array, "*batch head_dim"]:
    """Reorder features so that what stood half a head apart stands side by side."""
    return mx.stack(mx.split(x, 2, axis=-1), axis=-1).flatten(-2)


def pairs_to_halves(
    x: Float[mx.array, "*batch head_dim"],
) -> Float[mx.array, "*batch head_dim"]:
    """The way back: the inverse of halves_to_pairs."""
    return mx.concatenate([x[..., 0::2], x[..., 1::2]], axis=-1)
