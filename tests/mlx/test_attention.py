"""Attention against the PyTorch port's, padded and packed."""

from collections.abc import Callable

import mlx.core as mx
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference.mlx import attention
from reference.torch import attention as twin

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=5)


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1.5, shape).astype(np.float32)


def cumulative(lengths: list[int]) -> np.ndarray:
    return np.cumsum([0, *lengths])


def test_split_and_merge_are_each_others_inverse() -> None:
    for shape in ((4, 6), (3, 4, 6)):
        x = random(0, *shape)
        heads = attention.split_heads(mx.array(x), 3)
        np.testing.assert_array_equal(heads, twin.split_heads(torch.from_numpy(x), 3))
        np.testing.assert_array_equal(attention.merge_heads(heads), x)


@given(lengths=LENGTHS, left=st.booleans(), seed=st.integers(0, 99))
def test_padded_attention(
    close: Callable, draw_batch: Callable, lengths: list[int], left: bool, seed: int
) -> None:
    _, mask = draw_batch(lengths, left=left)
    arrays = [random(seed + number, len(lengths), 2, mask.shape[1], 4) for number in range(3)]
    found = attention.scaled_dot_product_attention(
        *map(mx.array, arrays), mask=attention.padding_mask(mx.array(mask))
    )
    expected = twin.scaled_dot_product_attention(
        *map(torch.from_numpy, arrays), mask=twin.padding_mask(torch.from_numpy(mask))
    )
    close(found, expected)


def test_an_all_masked_row_attends_evenly(close: Callable) -> None:
    query, key, value = (mx.array(random(number, 1, 2, 5, 4)) for number in range(3))
    context = attention.scaled_dot_product_attention(
        query, key, value, mx.zeros((1, 1, 1, 5), dtype=mx.bool_)
    )
    close(context, mx.broadcast_to(value.mean(axis=-2, keepdims=True), context.shape))


@given(lengths=LENGTHS, seed=st.integers(0, 99))
def test_packed_attention(close: Callable, lengths: list[int], seed: int) -> None:
    arrays = [random(seed + number, 2, sum(lengths), 4) for number in range(3)]
    bounds = cumulative(lengths)
    found = attention.packed_attention(*map(mx.array, arrays), mx.array(bounds))
    close(
        found, twin.packed_attention(*map(torch.from_numpy, arrays), torch.from_numpy(bounds))
    )


def test_nothing_crosses_from_one_text_to_the_next() -> None:
    query, key, value = (mx.array(random(number, 2, 9, 4)) for number in range(3))
    whole = attention.packed_attention(query, key, value, mx.array([0, 4, 9]))
    value[:, 4:] = mx.nan
    broken = mx.isnan(attention.packed_attention(query, key, value, mx.array([0, 4, 9])))
    assert not broken[:, :4].any() and broken[:, 4:].all()
    assert not mx.isnan(whole).any()


@given(lengths=LENGTHS)
def test_positions(lengths: list[int]) -> None:
    bounds = cumulative(lengths)
    np.testing.assert_array_equal(
        attention.positions(mx.array(bounds)), twin.positions(torch.from_numpy(bounds))
    )


@given(lengths=LENGTHS, seed=st.integers(0, 99))
def test_pad_packed(lengths: list[int], seed: int) -> None:
    packed, bounds = random(seed, sum(lengths), 3), cumulative(lengths)
    padded, mask = attention.pad_packed(mx.array(packed), mx.array(bounds))
    expected, expected_mask = twin.pad_packed(
        torch.from_numpy(packed), torch.from_numpy(bounds)
    )
    np.testing.assert_array_equal(padded, expected)
    np.testing.assert_array_equal(mask, expected_mask)


def test_positions_of_impossible_lengths_stay_inside_the_array() -> None:
    assert attention.positions(mx.array([0, 1_000_000, 3])).shape == (3,)
