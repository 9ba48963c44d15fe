"""What MLX computes slowly on a CPU, written for speed.

There it takes erf and exp number by number, and they cost more than the matrix products beside
them. Products and sums of whole arrays are vectorised, so polynomials stand in for both, as
exact in float32 as what they replace. The plain forms are in layers and attention, and what
runs on a GPU.
"""

import math
from collections.abc import Callable

import mlx.core as mx
from jaxtyping import Float

# A larger array is taken in pieces: they stay in the processor's cache, and each uses the
# memory of the last one. On a CPU MLX asks the system for every intermediate anew, and a large
# one costs more to get than to compute.
_PIECE = 1 << 18
# In a smaller array the many steps of a polynomial cost more than they save.
_FEW = 1 << 13

# Minimax fits, coefficients from the constant up. Φ(-t) is 1 / p(t)^8 for t from 0 on: eight
# times squared, a short polynomial decays as fast as the tail of a normal distribution. And 2^f
# for f from -1/2 to 1/2.
_TAIL = (
    *(1.09050774, 0.108761924, 0.0488192555, 0.00943732733, 0.000972699996),
    *(0.000195225293, 7.56647811e-05, -1.17033376e-05, 2.63990975e-06),
)
_EXP2 = (1.00000007, 0.69314697, 0.2402212, 0.05550713, 0.00967554, 0.00132765)
# Float32 numbers of this size have no bits left for a fraction; 127 is what a float adds to its
# exponent.
_ROUND = 1.5 * 2**23 + 127


def wanted() -> bool:
    """The one place that decides between the plain forms and these."""
    return mx.default_device() == mx.cpu


@mx.custom_function
def gelu(x: Float[mx.array, "*shape"]) -> Float[mx.array, "*shape"]:
    """x Φ(x), where Φ(x) = (1 + erf(x / √2)) / 2 is how much of a standard normal distribution
    lies below x."""
    # MLX's erf has the precision of float32 in float64 too, so nothing is lost there either.
    return _in_pieces(_gelu, _at_least_float32(x)).astype(x.dtype)


@gelu.vjp
def _gelu_vjp(x: mx.array, cotangent: mx.array, output: mx.array) -> mx.array:
    """By the derivative of Φ itself, the bell curve, which is better than the derivative of a
    fit."""
    return cotangent * _in_pieces(_gelu_slope, _at_least_float32(x)).astype(x.dtype)


@mx.custom_function
def softmax(scores: Float[mx.array, "*batch keys"]) -> Float[mx.array, "*batch keys"]:
    """Over the last axis."""
    if scores.dtype != mx.float32 or scores.size < _FEW:
        return mx.softmax(scores, axis=-1, precise=True)
    return _in_pieces(_softmax, scores)


@softmax.vjp
def _softmax_vjp(scores: mx.array, cotangent: mx.array, output: mx.array) -> mx.array:
    weighted = cotangent * output
    return weighted - output * weighted.sum(axis=-1, keepdims=True)


def layer_norm(
    x: Float[mx.array, "*batch hidden"],
    weight: Float[mx.array, "hidden"],
    bias: Float[mx.array, "hidden"] | None,
    eps: float,
) -> Float[mx.array, "*batch hidden"]:
    """layers.LayerNorm with sums as products.

    A mean is a product with a column of 1/size: BLAS sums faster than MLX does on a CPU, and
    more exactly. Half precision is too short to sum in; PyTorch too computes this in float32
    inside.
    """
    wide = _at_least_float32(x)
    column = mx.full((x.shape[-1], 1), 1 / x.shape[-1], dtype=wide.dtype)
    centred = wide - wide @ column
    # What rounding left of the mean, where the features differ by little.
    centred = centred - centred @ column
    variance = centred.square() @ column
    normed = centred * mx.rsqrt(variance + eps) * weight
    return (normed if bias is None else normed + bias).astype(x.dtype)


def _gelu(x: mx.array) -> mx.array:
    """x - x Φ(-x) for a positive x, and x Φ(x) for a negative one."""
    distance = mx.abs(x)
    return mx.maximum(x, 0) - distance * _tail(distance)


def _gelu_slope(x: mx.array) -> mx.array:
    """Φ(x) + x φ(x)."""
    above_half = mx.sign(x) * (0.5 - _tail(mx.abs(x)))
    return 0.5 + above_half + x * _exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _tail(distance: mx.array) -> mx.array:
    """Φ(-distance)."""
    root = _polynomial(distance, _TAIL)
    return 1 / root.square().square().square()


def _softmax(scores: mx.array) -> mx.array:
    weights = _exp(scores - scores.max(axis=-1, keepdims=True))
    # BLAS sums faster than MLX, and more exactly.
    return weights / (weights @ mx.ones((scores.shape[-1], 1)))


def _exp(x: mx.array) -> mx.array:
    """exp of numbers up to zero, in float32 as 2^n · 2^f with a whole n and a small f.

    Adding _ROUND leaves n + 127 in the lowest bits of the number; moved to where a float has
    its exponent, they are 2^n, and from -127 down that is zero.
    """
    if x.dtype != mx.float32:
        return mx.exp(x)
    power = mx.maximum(x * math.log2(math.e), -127)
    rounded = power + _ROUND
    whole = mx.view(mx.left_shift(mx.view(rounded, mx.int32), 23), mx.float32)
    return whole * _polynomial(power - (rounded - _ROUND), _EXP2)


def _polynomial(x: mx.array, coefficients: tuple[float, ...]) -> mx.array:
    """Horner's rule."""
    *rest, last, leading = coefficients
    total = x * leading + last
    for coefficient in reversed(rest):
        total = total * x + coefficient
    return total


def _at_least_float32(x: mx.array) -> mx.array:
    return x.astype(mx.result_type(x, mx.float32))


def _in_pieces(kernel: Callable[[mx.array], mx.array], x: mx.array) -> mx.array:
    """Apply a kernel that treats each row by itself to some rows at a time."""
    if x.size <= _PIECE:
        return kernel(x)
    rows = x.reshape(-1, x.shape[-1])
    step = max(1, _PIECE // rows.shape[1])
    pieces = mx.split(rows, list(range(step, rows.shape[0], step)))
    return mx.concatenate([kernel(piece) for piece in pieces]).reshape(x.shape)
