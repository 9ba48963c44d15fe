"""Sliding windows: who sees whom, in blocks and out of them, padded and packed."""

import itertools

import mlx.core as mx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import reference.candle.attention
import reference.mlx.attention
import reference.torch.attention

PORTS = {
    "torch": (reference.torch.attention, torch.tensor),
    "mlx": (reference.mlx.attention, mx.array),
    "candle": (reference.candle.attention, np.asarray),
}
ports = pytest.mark.parametrize(("attention", "array"), PORTS.values(), ids=PORTS)


def numbers(array) -> np.ndarray:
    return array.numpy() if isinstance(array, torch.Tensor) else np.array(array)


def plainly(query, key, value, allowed, bias=0) -> np.ndarray:
    """Attention by its definition, in float64; a query that may look nowhere gets zeros."""
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1]) + bias
    weights = np.where(allowed, np.exp(scores - scores.max(-1, keepdims=True)), 0)
    total = weights.sum(-1, keepdims=True)
    return np.where(total > 0, weights / np.where(total > 0, total, 1), 0) @ value


def near(tokens: int, window: int | None) -> np.ndarray:
    places = np.arange(tokens)
    reach = tokens if window is None else window
    return np.abs(places[:, None] - places) <= reach


@ports
@pytest.mark.parametrize("window", [0, 1, 2, 64])
def test_distance_w_attends_and_w_plus_1_does_not(attention, array, window):
    """Values are the keys' positions in ones and zeros, so the context says who was looked
    at."""
    tokens = 4 * window + 300
    flat = np.zeros((1, 1, tokens, tokens), np.float32)
    seen = np.eye(tokens, dtype=np.float32)[None, None]
    found = (
        numbers(
            attention.blockwise_attention(array(flat), array(flat), array(seen), window=window)
        )[0, 0]
        > 0
    )
    assert (found == near(tokens, window)).all()
    middle = tokens // 2
    assert found[middle, middle + window] and not found[middle, middle + window + 1]
    assert found[middle, middle - window] and not found[middle, middle - window - 1]


@ports
@settings(max_examples=60)
@given(
    tokens=st.one_of(
        st.integers(1, 40), st.sampled_from([127, 128, 129, 130, 255, 256, 257, 258, 300, 513])
    ),
    window=st.none() | st.sampled_from([0, 1, 2, 3, 16, 64, 127, 128, 129, 600]),
    pads=st.none() | st.lists(st.floats(0, 0.95), min_size=2, max_size=2),
    left=st.booleans(),
    biased=st.booleans(),
)
def test_blocks_equal_one_large_mask(attention, array, tokens, window, pads, left, biased):
    generator = np.random.default_rng(tokens)
    query, key, value = generator.standard_normal((3, 2, 2, tokens, 4))
    bias = generator.standard_normal((2, tokens, tokens)) if biased else None
    allowed, mask = near(tokens, window), None
    if pads is not None:
        real = np.arange(tokens) >= np.floor(np.array(pads) * tokens)[:, None]
        real = real if left else real[:, ::-1]
        mask = attention.padding_mask(array(real.astype(np.int64)))
        allowed = allowed & real[:, None, None, :]
    arrays = [array(x.astype(np.float32)) for x in (query, key, value)]
    its = array(bias.astype(np.float32)) if biased else None
    found = numbers(attention.blockwise_attention(*arrays, mask=mask, window=window, bias=its))
    expected = plainly(query, key, value, allowed, bias if biased else 0)
    np.testing.assert_allclose(found, expected, atol=5e-6)


@ports
@given(
    lengths=st.lists(
        st.sampled_from([1, 2, 5, 40, 127, 128, 129, 260]), min_size=1, max_size=4
    ),
    window=st.none() | st.sampled_from([0, 1, 16, 64, 128]),
    biased=st.booleans(),
)
def test_packed_texts_do_not_see_each_other(attention, array, lengths, window, biased):
    """A bias is that of the longest text; the others take its beginning."""
    cu_seqlens = np.concatenate([[0], np.cumsum(lengths)])
    query, key, value = (
        np.random.default_rng(0).standard_normal((3, 2, cu_seqlens[-1], 4)).astype(np.float32)
    )
    shape = (2, max(lengths), max(lengths))
    bias = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    arrays = [array(x) for x in (query, key, value, cu_seqlens)]
    its = array(bias) if biased else None
    row = numbers(attention.packed_attention(*arrays, window=window, bias=its))
    for start, end in itertools.pairwise(cu_seqlens):
        text = [x[:, start:end].astype(np.float64) for x in (query, key, value)]
        own = bias[:, : end - start, : end - start] if biased else 0
        expected = plainly(*text, near(end - start, window), own)
        np.testing.assert_allclose(row[:, start:end], expected, atol=5e-6)


@ports
def test_the_mask_counts_positions(attention, array):
    found = numbers(
        attention.sliding_window_mask(
            array(np.array([5, 6])), array(np.array([2, 3, 4, 8, 9])), 3
        )
    )
    assert found.tolist() == [[True, True, True, True, False], [False, True, True, True, True]]
