"""The parts that every encoder is built from: linear, layer norm, embedding, activations."""

import math
from collections.abc import Callable

import mlx.core as mx
from jaxtyping import Float, Int
from mlx import nn

from reference.dropout import dropping, keep, scale
from reference.errors import ConfigError
from reference.mlx import fused


class Linear(nn.Module):
    """x Wᵀ + b, with the weight stored [outputs, inputs] as in every checkpoint."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = mx.zeros((outputs, inputs))
        self.bias = mx.zeros((outputs,)) if bias else None

    def __call__(
        self, x: Float[mx.array, "*batch inputs"]
    ) -> Float[mx.array, "*batch outputs"]:
        product = x @ self.weight.T  # mx.addmm copies the bias first, slowly
        return product if self.bias is None else product + self.bias


class LayerNorm(nn.Module):
    """Zero mean and unit variance over the features of each token (Ba et al. 2016), then scale
    and shift."""

    def __init__(self, size: int, eps: float, bias: bool = True) -> None:
        super().__init__()
        self.weight = mx.zeros((size,))
        self.bias = mx.zeros((size,)) if bias else None
        self.eps = eps

    def __call__(self, x: Float[mx.array, "*batch hidden"]) -> Float[mx.array, "*batch hidden"]:
        if fused.wanted():
            return fused.layer_norm(x, self.weight, self.bias, self.eps)
        wide = x.astype(mx.result_type(x, mx.float32))  # half precision is too short to sum in
        # (1) each token's features get mean zero and variance one
        centred = wide - wide.mean(axis=-1, keepdims=True)
        variance = centred.square().mean(axis=-1, keepdims=True)
        normed = centred * mx.rsqrt(variance + self.eps)
        # (2) each feature is then scaled and shifted
        scaled = normed * self.weight
        return (scaled if self.bias is None else scaled + self.bias).astype(x.dtype)


class Embedding(nn.Module):
    """A table of vectors, one row an id. Looking up `padding_idx` trains nothing: no gradient
    reaches that row."""

    def __init__(self, rows: int, size: int, padding_idx: int | None = None) -> None:
        super().__init__()
        self.weight = mx.zeros((rows, size))
        self.padding_idx = padding_idx

    def __call__(self, ids: Int[mx.array, "*batch"]) -> Float[mx.array, "*batch hidden"]:
        rows = self.weight[ids]
        if self.padding_idx is None:
            return rows
        return mx.where((ids == self.padding_idx)[..., None], mx.stop_gradient(rows), rows)


def dropout(x: Float[mx.array, "*shape"], rate: float) -> Float[mx.array, "*shape"]:
    """x, of which the training pass under way drops the share `rate` and scales up the rest
    (Srivastava et al. 2014). Outside of a training pass, x as it is."""
    if not dropping(rate):
        return x
    kept = mx.array(keep(x.shape, rate)).astype(x.dtype)
    return x * (kept * scale(rate))


def gelu(x: Float[mx.array, "*shape"]) -> Float[mx.array, "*shape"]:
    """x Φ(x) with the exact normal distribution function, through erf (Hendrycks & Gimpel
    2016)."""
    if fused.wanted():
        return fused.gelu(x)
    return 0.5 * x * (1 + mx.erf(x / math.sqrt(2)))


def gelu_tanh(x: Float[mx.array, "*shape"]) -> Float[mx.array, "*shape"]:
    """The tanh approximation of GELU; about 5e-4 away from `gelu`, and a checkpoint was trained
    with one of them."""
    return 0.5 * x * (1 + mx.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def quick_gelu(x: Float[mx.array, "*shape"]) -> Float[mx.array, "*shape"]:
    """x σ(1.702 x), the cheapest approximation of GELU."""
    return x * mx.sigmoid(1.702 * x)


def relu_squared(x: Float[mx.array, "*shape"]) -> Float[mx.array, "*shape"]:
    """The square of the positive part (So et al. 2021)."""
    return mx.maximum(x, 0).square()


def linear(x: Float[mx.array, "*shape"]) -> Float[mx.array, "*shape"]:
    """No activation at all."""
    return x


# Transformers' names (activations.py, ACT2FN); several of them mean one function. Those of
# mlx.nn would do as well, but they are compiled on their first call, and on a CPU that means by
# a C++ compiler that has to be installed.
ACTIVATIONS: dict[str, Callable[[mx.array], mx.array]] = {
    "gelu": gelu,
    "gelu_python": gelu,
    # With √(2/π) cut to ten digits, which shows in float64: a float32 rounding behind it may go
    # the other way.
    "gelu_fast": lambda x: 0.5 * x * (1 + mx.tanh(0.7978845608 * x * (1 + 0.044715 * x * x))),
    "gelu_new": gelu_tanh,
    "gelu_python_tanh": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "hardswish": lambda x: x * mx.clip(x + 3, 0, 6) / 6,
    "leaky_relu": lambda x: mx.where(x > 0, x, 0.01 * x),
    "linear": linear,
    "mish": lambda x: x * mx.tanh(mx.logaddexp(x, 0)),
    "quick_gelu": quick_gelu,
    "relu": lambda x: mx.maximum(x, 0),
    "relu2": relu_squared,
    "relu6": lambda x: mx.clip(x, 0, 6),
    "sigmoid": mx.sigmoid,
    "silu": lambda x: x * mx.sigmoid(x),
    "swish": lambda x: x * mx.sigmoid(x),
    "tanh": mx.tanh,
}


def activation(name: str) -> Callable[[mx.array], mx.array]:
    """The activation of that name in Transformers' configurations."""
    if name not in ACTIVATIONS:
        raise ConfigError(
            f"hidden_act {name!r} is not implemented; supported: {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]


class GatedMLP(nn.Module):
    """A feed-forward network in which one half of the wide features, activated, scales the
    other (Shazeer 2020).

    Wi makes both halves in one product: the first goes through the activation, the second is
    the gate.
    """

    def __init__(
        self,
        hidden: int,
        intermediate: int,
        activation_name: str,
        bias: bool = True,
        rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.Wi = Linear(hidden, 2 * intermediate, bias)
        self.Wo = Linear(intermediate, hidden, bias)
        self.activation = activation(activation_name)
        self.rate = rate

    def __call__(self, x: Float[mx.array, "*batch hidden"]) -> Float[mx.array, "*batch hidden"]:
        # (1) one half, activated, scales the other
        wide, gate = mx.split(self.Wi(x), 2, axis=-1)  # [..., intermediate] each
        gated = dropout(self.activation(wide) * gate, self.rate)
        # (2) and back to the hidden size
        return self.Wo(gated)
