"""Layers and activations against the PyTorch port's."""

from collections.abc import Callable

import mlx.core as mx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference.errors import ConfigError
from reference.families import ACTIVATIONS as NAMES
from reference.mlx import layers
from reference.torch import layers as twin


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, shape).astype(np.float32)


def filled(layer: object, twin_layer: torch.nn.Module, seed: int) -> None:
    """Give both the same random parameters."""
    for number, (name, parameter) in enumerate(twin_layer.named_parameters()):
        values = random(seed + number, *parameter.shape)
        parameter.data = torch.from_numpy(values)
        setattr(layer, name, mx.array(values))


@given(
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 40),
    rows=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_linear(close: Callable, inputs: int, outputs: int, rows: int, seed: int) -> None:
    ours, theirs = layers.Linear(inputs, outputs), twin.Linear(inputs, outputs)
    filled(ours, theirs, seed)
    for shape in ((inputs,), (rows, inputs), (2, rows, inputs)):
        x = random(seed, *shape)
        close(ours(mx.array(x)), theirs(torch.from_numpy(x)).detach(), epsilons=inputs + 4)


@given(size=st.integers(2, 300), offset=st.floats(-3, 3), seed=st.integers(0, 99))
def test_layer_norm(within_the_floor: Callable, size: int, offset: float, seed: int) -> None:
    ours, theirs = layers.LayerNorm(size, 1e-5), twin.LayerNorm(size, 1e-5)
    filled(ours, theirs, seed)
    x = random(seed, 3, 4, size) + np.float32(offset)
    with torch.inference_mode():
        float32 = theirs(torch.from_numpy(x)).numpy()
        float64 = theirs.double()(torch.from_numpy(x).double()).numpy()
    within_the_floor(np.array(ours(mx.array(x))), float32, float64)


def test_layer_norm_of_equal_features_is_the_bias() -> None:
    norm = layers.LayerNorm(16, 1e-12)
    norm.weight, norm.bias = mx.ones((16,)), mx.full((16,), 3.0)
    assert mx.all(norm(mx.full((2, 16), 0.5)) == 3.0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_layer_norm_sums_wide_in_half_precision(dtype: str) -> None:
    x = random(0, 4, 64)
    norm = layers.LayerNorm(64, 1e-5)
    norm.weight, norm.bias = (
        mx.ones((64,), dtype=getattr(mx, dtype)),
        mx.zeros((64,), dtype=getattr(mx, dtype)),
    )
    half = mx.array(x).astype(getattr(mx, dtype))
    found, wide = norm(half), norm(half.astype(mx.float32))
    assert found.dtype == getattr(mx, dtype)
    assert (
        mx.abs(found.astype(mx.float32) - wide).max()
        <= mx.finfo(getattr(mx, dtype)).eps * mx.abs(wide).max()
    )


def test_embedding_looks_rows_up() -> None:
    table = layers.Embedding(5, 2)
    table.weight = mx.arange(10).reshape(5, 2).astype(mx.float32)
    assert table(mx.array([[4, 0]])).tolist() == [[[8, 9], [0, 1]]]


@pytest.mark.parametrize("name", NAMES)
def test_activation_and_slope(close: Callable, name: str) -> None:
    x = np.concatenate([np.linspace(-12, 12, 4_001), [-1e4, 1e4, 0.0]]).astype(np.float32)
    ours, theirs = layers.activation(name), twin.activation(name)
    leaf = torch.from_numpy(x).double().requires_grad_()
    expected = theirs(leaf)
    expected.sum().backward()
    error = np.abs(np.array(ours(mx.array(x))) - expected.detach().numpy())
    assert (
        error <= 8 * np.finfo(np.float32).eps * np.maximum(np.abs(expected.detach().numpy()), 1)
    ).all()
    inside = np.abs(x) < 100  # PyTorch's tanh GELU has a NaN for a slope far out
    slope = mx.grad(lambda x: ours(x).sum())(mx.array(x[inside]))
    close(slope, leaf.grad.numpy()[inside], epsilons=16)


@pytest.mark.parametrize("name", NAMES)
def test_activation_passes_nan_on(name: str) -> None:
    found = layers.activation(name)(mx.array([mx.nan, 1.0]))
    assert mx.isnan(found).tolist() == [True, False]


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ConfigError, match="'gelo' is not implemented; supported: gelu"):
        layers.activation("gelo")
