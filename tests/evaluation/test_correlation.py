"""Pearson and Spearman beside SciPy's."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from reference.errors import InputError
from reference.evaluation.correlation import pearson, ranks, spearman

NUMBERS = st.one_of(st.sampled_from([0.0, 1.0, 1.0, -2.0]), st.floats(-1e3, 1e3, width=32))
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=20)


@given(PAIRS)
def test_both_are_scipys(pairs):
    left, right = np.array(pairs).T
    assume(np.ptp(left) > 1e-3 and np.ptp(right) > 1e-3)
    assert pearson(left, right) == pytest.approx(scipy.stats.pearsonr(left, right)[0], abs=1e-9)
    assert spearman(left, right) == pytest.approx(
        scipy.stats.spearmanr(left, right)[0], abs=1e-9
    )


@given(st.lists(NUMBERS, min_size=2, max_size=20))
def test_equal_values_share_a_rank(values):
    np.testing.assert_array_equal(ranks(values), scipy.stats.rankdata(values))


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_neither_minds_the_size_of_the_numbers(scale):
    values = np.array([1.0, 2.0, 4.0])
    assert pearson(scale * values, [1, 2, 4]) == pytest.approx(1)
    assert spearman(scale * values, [5, 3, 2]) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ([1.0], [1.0], r"shape \(1,\)"),
        ([], [], r"shape \(0,\)"),
        ([1, 2], [1, 2, 3], "2 numbers on the left, 3 on the right"),
        ([1, float("nan")], [1, 2], r"left\[1\] is nan"),
        ([1, 2], [float("inf"), 2], r"right\[0\] is inf"),
        ([1, 2], [3, 3], "right is one number, 2 times"),
        (["a", "b"], [1, 2], "left must be a list of numbers"),
    ],
)
def test_what_has_no_correlation(left, right, message):
    with pytest.raises(InputError, match=message):
        pearson(left, right)
