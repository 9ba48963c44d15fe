"""The parts that every encoder is built from: linear, layer norm, embedding, activations."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from reference.dropout import dropping, keep, scale
from reference.errors import ConfigError


class Linear(nn.Module):
    """x Wᵀ + b, with the weight stored [outputs, inputs] as in every checkpoint."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        return F.linear(x, self.weight, self.bias)


class LayerNorm(nn.Module):
    """Zero mean and unit variance over the features of each token (Ba et al. 2016), then scale
    and shift."""

    def __init__(self, size: int, eps: float, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size))
        self.bias = nn.Parameter(torch.empty(size)) if bias else None
        self.eps = eps

    def forward(self, x: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch hidden"]:
        return F.layer_norm(
            # (1) each token's features get mean zero and variance one
            x,
            self.weight.shape,
            eps=self.eps,
            # (2) each feature is then scaled and shifted
            weight=self.weight,
            bias=self.bias,
        )


class Embedding(nn.Module):
    """A table of vectors, one row an id. Looking up `padding_idx` trains nothing: no gradient
    reaches that row."""

    def __init__(self, rows: int, size: int, padding_idx: int | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, size))
        self.padding_idx = padding_idx

    def forward(self, ids: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch hidden"]:
        return F.embedding(ids, self.weight, self.padding_idx)


def dropout(x: Float[Tensor, "*shape"], rate: float) -> Float[Tensor, "*shape"]:
    """x, of which the training pass under way drops the share `rate` and scales up the rest
    (Srivastava et al. 2014). Outside of a training pass, x as it is."""
    if not dropping(rate):
        return x
    kept = torch.from_numpy(keep(x.shape, rate)).to(x)
    return x * (kept * scale(rate))


def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """x Φ(x) with the exact normal distribution function, through erf (Hendrycks & Gimpel
    2016)."""
    return F.gelu(x)


def gelu_tanh(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The tanh approximation of GELU; about 5e-4 away from `gelu`, and a checkpoint was trained
    with one of them."""
    return F.gelu(x, approximate="tanh")


def quick_gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """x σ(1.702 x), the cheapest approximation of GELU."""
    return x * torch.sigmoid(1.702 * x)


def relu_squared(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The square of the positive part (So et al. 2021)."""
    return F.relu(x).square()


def linear(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """No activation at all."""
    return x


# Transformers' names (activations.py, ACT2FN); several of them mean one function.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": gelu,
    "gelu_python": gelu,
    # With √(2/π) cut to ten digits, which shows in float64: a float32 rounding behind it may go
    # the other way.
    "gelu_fast": lambda x: (
        0.5 * x * (1 + torch.tanh(0.7978845608 * x * (1 + 0.044715 * x * x)))
    ),
    "gelu_new": gelu_tanh,
    "gelu_python_tanh": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "hardswish": F.hardswish,
    "leaky_relu": F.leaky_relu,
    "linear": linear,
    "mish": F.mish,
    "quick_gelu": quick_gelu,
    "relu": F.relu,
    "relu2": relu_squared,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "swish": F.silu,
    "tanh": torch.tanh,
}


def activation(name: str) -> Callable[[Tensor], Tensor]:
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

    def forward(self, x: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch hidden"]:
        # (1) one half, activated, scales the other
        wide, gate = self.Wi(x).chunk(2, dim=-1)  # [..., intermediate] each
        gated = dropout(self.activation(wide) * gate, self.rate)
        # (2) and back to the hidden size
        return self.Wo(gated)
