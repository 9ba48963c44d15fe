"""Linear, layer norm, embedding, gated MLP and the activations; the sources are
rust_ports/models/src/layers.rs and the folder layers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from reference.candle import _native
from reference.candle._native import gelu, gelu_tanh, linear, quick_gelu, relu_squared
from reference.errors import ConfigError

__all__ = [
    "ACTIVATIONS",
    "Embedding",
    "GatedMLP",
    "LayerNorm",
    "Linear",
    "activation",
    "gelu",
    "gelu_tanh",
    "linear",
    "quick_gelu",
    "relu_squared",
]


@dataclass(frozen=True)
class Linear:
    """x Wᵀ + b of arrays; weight [outputs, inputs], bias [outputs] or None, x [..., inputs]."""

    weight: np.ndarray
    bias: np.ndarray | None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return _native.dense(self.weight, self.bias, x)


@dataclass(frozen=True)
class LayerNorm:
    """Zero mean and unit variance over the last axis of x, then scale and shift.

    weight is [hidden], bias [hidden] or None.
    """

    weight: np.ndarray
    bias: np.ndarray | None
    eps: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return _native.layer_norm(self.weight, self.bias, self.eps, x)


@dataclass(frozen=True)
class Embedding:
    """A table of vectors, one row an id; weight [rows, hidden]."""

    weight: np.ndarray

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        return _native.embedding(self.weight, ids)


# Transformers' names (activations.py, ACT2FN); several of them mean one function.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    name: partial(_native.activate, name) for name in _native.activation_names()
}


def activation(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """The activation of that name in Transformers' configurations."""
    if name not in ACTIVATIONS:
        raise ConfigError(
            f"hidden_act {name!r} is not implemented; supported: {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]


@dataclass(frozen=True)
class GatedMLP:
    """One half of the wide features, activated, scales the other; Wi to [..., 2 intermediate],
    Wo back."""

    Wi: Linear
    Wo: Linear
    activation: Callable[[np.ndarray], np.ndarray]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        wide, gate = np.split(self.Wi(x), 2, axis=-1)
        return self.Wo(self.activation(wide) * gate)
