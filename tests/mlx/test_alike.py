"""Texts of about one length go together, and each of their tokens comes back to its place."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reference.mlx.alike import PADDING, SCORES, alike


@given(st.lists(st.integers(1, 60), min_size=1, max_size=20), st.integers(1, 3))
def test_each_head_comes_back_and_no_group_is_too_wide(lengths, heads):
    bounds = np.cumsum([0, *lengths])
    groups, order = alike(tuple(bounds.tolist()), heads)
    padded = np.concatenate([np.array(group.places).ravel() for group in groups])
    row = np.arange(bounds[-1] * heads).reshape(-1, heads)
    np.testing.assert_array_equal(padded[np.array(order)], row)
    for group in groups:
        texts, _, longest = group.places.shape
        head = np.arange(heads)[:, None] + 0 * np.array(group.places)
        np.testing.assert_array_equal(np.array(group.places) % heads, head)
        real = texts * longest if group.mask is None else int(group.mask.sum())
        assert texts * longest <= (1 + PADDING) * real
        assert texts == 1 or texts * longest**2 <= SCORES


def test_texts_of_one_length_go_together_without_a_mask_and_a_long_one_alone():
    (long, short), _ = alike((0, 5, 25, 30, 35), 2)
    assert long.places.tolist() == [[list(range(10, 50, 2)), list(range(11, 50, 2))]]
    assert short.places.shape == (3, 2, 5)
    assert long.mask is None and short.mask is None
    ((both,), _) = alike((0, 4, 9), 2)
    assert both.mask.tolist() == [[[[True] * 5]], [[[True] * 4 + [False]]]]
