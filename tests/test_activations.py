"""The activations of all ports against the ones that Transformers has under the same names."""

import mlx.core as mx
import numpy as np
import pytest
import torch
from transformers.activations import ACT2FN

import reference.candle.layers
import reference.mlx.layers
import reference.torch.layers
from reference.families import ACTIVATIONS

X = np.concatenate([np.linspace(-12, 12, 481), [-1e4, -100, 100, 1e4]])


def expected(name: str) -> np.ndarray:
    return ACT2FN[name](torch.from_numpy(X)).numpy()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_float64_shows_no_difference(name):
    """A constant that differs in its eleventh digit would: 3e-12 of gelu_fast."""
    found = {
        "torch": reference.torch.layers.activation(name)(torch.from_numpy(X)).numpy(),
        "candle": reference.candle.layers.activation(name)(X),
    }
    for array in found.values():
        np.testing.assert_allclose(array, expected(name), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_float32_in_mlx(name):
    found = np.array(reference.mlx.layers.activation(name)(mx.array(X.astype(np.float32))))
    np.testing.assert_allclose(found, expected(name), rtol=2e-6, atol=2e-6)
