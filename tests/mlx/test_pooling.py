"""Pooling against the PyTorch port's."""

from collections.abc import Callable

import mlx.core as mx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference.mlx import pooling
from reference.torch import pooling as twin

WAYS = (
    "mean_pooling",
    "cls_pooling",
    "max_pooling",
    "mean_sqrt_len_pooling",
    "weighted_mean_pooling",
    "last_token_pooling",
)


@pytest.mark.parametrize("way", WAYS)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    left=st.booleans(),
    seed=st.integers(0, 99),
)
def test_agrees_with_torch(
    close: Callable, draw_batch: Callable, way: str, lengths: list[int], left: bool, seed: int
) -> None:
    _, mask = draw_batch(lengths, left=left)
    hidden = np.random.default_rng(seed).normal(0, 2, (*mask.shape, 5)).astype(np.float32)
    hidden[mask == 0] = np.nan  # padding may hold anything
    found = getattr(pooling, way)(mx.array(hidden), mx.array(mask))
    close(
        found, getattr(twin, way)(torch.from_numpy(hidden), torch.from_numpy(mask)), epsilons=4
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_nan_at_a_real_token_is_not_hidden(way: str) -> None:
    hidden = mx.zeros((2, 3, 4))
    hidden[1, -1 if way == "last_token_pooling" else 0] = mx.nan
    broken = mx.isnan(getattr(pooling, way)(hidden, mx.ones((2, 3), dtype=mx.int64)))
    assert broken.all(axis=-1).tolist() == [False, True]


@given(
    rows=st.lists(
        st.lists(st.floats(-(2.0**60), 2.0**60, width=32), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_normalize_agrees_with_torch(close: Callable, rows: list[list[float]]) -> None:
    vectors = np.array(rows, np.float32)
    close(
        pooling.normalize(mx.array(vectors)),
        twin.normalize(torch.from_numpy(vectors)),
        epsilons=4,
    )


def test_normalize_leaves_a_zero_vector_alone() -> None:
    assert pooling.normalize(mx.zeros((2, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_half_precision_is_added_up_in_single() -> None:
    # A sum of 120,000, where float16 ends at 65,504.
    hidden = np.full((1, 200, 400), 600, np.float16)
    mask = np.ones((1, 200), np.int64)
    for port, array in ((pooling, mx.array), (twin, torch.from_numpy)):
        weighted = port.weighted_mean_pooling(array(hidden), array(mask))
        assert weighted.tolist() == [[600] * 400]
        mean = port.mean_pooling(array(hidden), array(mask))
        assert mean.dtype in (mx.float16, torch.float16)
        assert mean.tolist() == [[600] * 400]
        np.testing.assert_allclose(port.normalize(mean).tolist(), 0.05, rtol=1e-3)
        assert port.normalize(mean * 0).tolist() == [[0] * 400]
