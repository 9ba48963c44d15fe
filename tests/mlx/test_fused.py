"""The polynomials against erf and exp in float64, over dense grids."""

import math

import mlx.core as mx
import numpy as np
import pytest
import torch

from reference.mlx import attention, fused, layers

ULP = float(np.finfo(np.float32).eps)
GRID = np.concatenate(
    [np.linspace(-15, 15, 60_001), np.geomspace(1e-30, 1e30, 2_001), [-0.0, 0.0]]
).astype(np.float32)
EXACT = GRID.astype(np.float64)
CDF = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in EXACT])


def test_gelu_is_within_two_units_in_the_last_place() -> None:
    error = np.abs(np.array(fused.gelu(mx.array(GRID))) - EXACT * CDF)
    assert (error / np.maximum(np.abs(EXACT), 1)).max() < 2 * ULP


def test_gelu_is_no_less_exact_in_float64() -> None:
    with mx.stream(mx.cpu):
        found = np.array(fused.gelu(mx.array(EXACT, dtype=mx.float64)))
    assert found.dtype == np.float64
    assert (np.abs(found - EXACT * CDF) / np.maximum(np.abs(EXACT), 1)).max() < ULP


@pytest.mark.parametrize(("dtype", "bits"), [(mx.float16, 11), (mx.bfloat16, 8)])
def test_gelu_rounds_only_once_in_half_precision(dtype: mx.Dtype, bits: int) -> None:
    x = mx.array(np.linspace(-15, 15, 3_001)).astype(dtype)
    found, wide = fused.gelu(x), fused.gelu(x.astype(mx.float32))
    assert found.dtype == dtype
    error = mx.abs(found.astype(mx.float32) - wide)
    assert mx.all(error <= 2**-bits * mx.abs(wide) + 2.0**-24)


def test_gelu_has_the_exact_slope() -> None:
    slope = CDF + EXACT * np.exp(-EXACT * EXACT / 2) / math.sqrt(2 * math.pi)
    found = mx.grad(lambda x: fused.gelu(x).sum())(mx.array(GRID))
    assert np.abs(np.array(found) - slope).max() < 4 * ULP
    assert abs(mx.grad(fused.gelu)(mx.array(0.0)).item() - 0.5) < 4 * ULP


def test_gelu_passes_nan_on() -> None:
    assert math.isnan(fused.gelu(mx.array(math.nan)).item())


@pytest.mark.parametrize("shape", [(3, 5), (4, 200, 300), (2, 30, 5_000), (600_000, 1)])
def test_softmax_agrees_with_float64(shape: tuple[int, ...]) -> None:
    scores = np.random.default_rng(0).normal(0, 5, shape).astype(np.float32)
    expected = torch.softmax(torch.from_numpy(scores).double(), dim=-1).numpy()
    # Each weight is right to some units in the last place; the rounding of their sum grows with
    # their number.
    assert (
        np.abs(np.array(fused.softmax(mx.array(scores))) - expected).max()
        < (6 + shape[-1] / 100) * ULP
    )


def test_exp_runs_down_to_zero() -> None:
    x = np.linspace(-87, 0, 20_001).astype(np.float32)
    found, expected = np.array(fused._exp(mx.array(x))), np.exp(x.astype(np.float64))
    # The rounding of x · log2(e), at most half a unit in the last place, is what limits a large
    # exponent.
    assert (np.abs(found / expected - 1) < (2 + np.abs(x)) * ULP).all()
    assert fused._exp(mx.array([-89.0, -1e4, -3e38, -math.inf])).tolist() == [0, 0, 0, 0]
    assert math.isnan(fused._exp(mx.array(math.nan)).item())


@pytest.mark.parametrize("keys", [7, 500])
def test_a_masked_score_weighs_nothing_and_an_all_masked_row_is_even(keys: int) -> None:
    least = mx.finfo(mx.float32).min
    scores = mx.where(
        mx.arange(keys) < 5, mx.random.normal((40, keys), key=mx.random.key(0)), least
    )
    weights = fused.softmax(scores)
    assert mx.all(weights[:, 5:] == 0)
    even = fused.softmax(mx.full((40, keys), least))
    np.testing.assert_allclose(np.array(even), 1 / keys, rtol=2 * ULP)


@pytest.mark.parametrize("keys", [7, 500])
def test_softmax_differentiates_as_in_torch(keys: int) -> None:
    random = np.random.default_rng(0)
    scores, weights = (random.normal(0, 3, (40, keys)).astype(np.float32) for _ in range(2))
    leaf = torch.from_numpy(scores).double().requires_grad_()
    (torch.softmax(leaf, dim=-1) * torch.from_numpy(weights)).sum().backward()
    found = mx.grad(lambda x: (fused.softmax(x) * mx.array(weights)).sum())(mx.array(scores))
    assert np.abs(np.array(found) - leaf.grad.numpy()).max() < 8 * ULP


def test_softmax_passes_nan_on_and_keeps_it_in_its_row() -> None:
    scores = mx.zeros((40, 500))
    scores[3, 4] = math.nan
    broken = mx.isnan(fused.softmax(scores)).any(axis=-1)
    assert broken.tolist() == [row == 3 for row in range(40)]


@pytest.mark.parametrize("name", ["gelu", "layer_norm", "softmax"])
def test_the_plain_forms_agree_with_the_fast_ones(monkeypatch, name: str) -> None:
    """What a GPU runs, run here."""
    random = np.random.default_rng(0)
    x = mx.array(random.normal(size=(3, 40, 300)).astype(np.float32))
    norm = layers.LayerNorm(300, 1e-5)
    norm.weight, norm.bias = (mx.array(row) for row in random.normal(size=(2, 300)))
    form = {"gelu": layers.gelu, "layer_norm": norm, "softmax": attention._softmax}[name]
    fast = np.array(form(x))
    monkeypatch.setattr(fused, "wanted", lambda: False)
    calls = []
    monkeypatch.setattr(fused, name, lambda *arguments: calls.append(name))
    plain = np.array(form(x))
    assert not calls
    np.testing.assert_allclose(plain, fast, atol=4e-6 * np.abs(fast).max())
