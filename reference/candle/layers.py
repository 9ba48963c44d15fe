"""The activations; the source is rust_ports/models/src/layers/activations.rs."""

from collections.abc import Callable
from functools import partial

import numpy as np

from reference.candle import _native
from reference.candle._native import gelu, gelu_tanh, linear, quick_gelu, relu_squared
from reference.errors import ConfigError

__all__ = [
    "ACTIVATIONS",
    "activation",
    "gelu",
    "gelu_tanh",
    "linear",
    "quick_gelu",
    "relu_squared",
]

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
