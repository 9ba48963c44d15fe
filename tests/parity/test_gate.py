"""Errors, floors and the gate over them, on arrays small enough to check by hand."""

import math

import numpy as np
import pytest

from reference.errors import InputError
from reference.parity.gate import BLOCK, EPSILONS, Tally, error, float64_floors, noise_floors

EPSILON = EPSILONS["float32"]
TRUTH = {
    "logits": np.array([1.0, -8.0]),
    "gradients.a": np.array([0.5]),
    "gradients.b": np.array([1e-9]),
}


def off_by(**errors: float) -> dict[str, np.ndarray]:
    names = {"logits": "logits", "a": "gradients.a", "b": "gradients.b"}
    return TRUTH | {names[key]: TRUTH[names[key]] + value for key, value in errors.items()}


@pytest.mark.parametrize("dtype", EPSILONS)
def test_epsilons_are_the_dtypes_own(dtype):
    import torch

    of_sums = "float32" if dtype == "int8" else dtype  # of its products nothing is rounded off
    assert EPSILONS[dtype] == torch.finfo(getattr(torch, of_sums)).eps


def test_the_error_is_the_largest_difference():
    assert error(np.array([1.0, 2.5], np.float32), np.array([1.0, 2.0])) == 0.5
    assert error(np.zeros((0, 3)), np.zeros((0, 3))) == 0


@pytest.mark.parametrize("found", [[1.0, math.nan], [math.inf, 2.0], [1.0], [[1.0, 2.0]]])
def test_what_is_not_finite_or_misshapen_is_infinitely_wrong(found):
    assert error(np.array(found), np.array([1.0, 2.0])) == math.inf


@pytest.mark.parametrize("place", [0, BLOCK - 1, BLOCK, -1])
@pytest.mark.parametrize(("value", "worst"), [(-2.0, 2.0), (math.nan, math.inf)])
def test_no_block_is_left_out(place, value, worst):
    found = np.zeros((3, BLOCK // 2 + 1), np.float32)
    found.flat[place] = value
    assert error(found, np.zeros(found.shape)) == worst
    assert error(found.T, np.zeros(found.T.shape)) == worst


def test_no_difference_is_a_zero_without_a_sign():
    assert f"{error(np.ones(8), np.ones(8)):.1e}" == "0.0e+00"


def test_a_floor_is_transformers_own_error():
    assert noise_floors(TRUTH, off_by(logits=0.25), "float32")["logits"] == 0.25


def test_a_floor_is_never_below_four_epsilons():
    floors = noise_floors(TRUTH, TRUTH, "float32")
    assert floors["logits"] == 4 * EPSILON * 8
    assert floors["gradients.a"] == 4 * EPSILON * 0.5


def test_a_gradients_floor_is_measured_by_the_largest_gradient():
    """A key bias has no gradient in exact arithmetic: its own size says nothing."""
    assert noise_floors(TRUTH, TRUTH, "float32")["gradients.b"] == 4 * EPSILON * 0.5
    assert float64_floors(TRUTH, "torch")["gradients.b"] == 64 * EPSILONS["float64"] * 0.5


def test_float64_gates_are_shares_of_the_largest_value():
    assert (
        float64_floors(TRUTH, "torch")["logits"]
        == float64_floors(TRUTH, "candle")["logits"]
        == 8e-10
    )
    assert float64_floors(TRUTH, "mlx")["logits"] == 8e-5


def test_nothing_is_held_against_an_oracle_that_overflows():
    with pytest.raises(InputError, match=r"NaN or infinity in float16 \(logits\)"):
        noise_floors(TRUTH, off_by(logits=math.inf), "float16")


@pytest.mark.parametrize(
    ("wrong_by", "passes"), [(0.0, True), (1.99, True), (2.01, False), (math.nan, False)]
)
def test_the_gate_is_two_floors(wrong_by, passes):
    tally = Tally("torch", "float32")
    tally.add(off_by(logits=wrong_by), TRUTH, dict.fromkeys(TRUTH, 1.0))
    (row,) = [row for row in tally.rows() if row.tensor == "logits"]
    assert row.passed is passes


def test_errors_and_floors_are_the_largest_over_batches():
    tally = Tally("torch", "float32")
    tally.add(off_by(logits=3.0), TRUTH, dict.fromkeys(TRUTH, 1.0))
    tally.add(off_by(logits=0.5), TRUTH, dict.fromkeys(TRUTH, 2.0))
    row = tally.rows()[0]
    assert (row.error, row.floor, row.ratio, row.passed) == (3.0, 2.0, 1.5, True)


def test_a_missing_tensor_fails():
    tally = Tally("torch", "float32")
    tally.add({}, TRUTH, dict.fromkeys(TRUTH, 1.0))
    assert [row.error for row in tally.rows()] == [math.inf] * 3
    assert not any(row.passed for row in tally.rows())


def test_zero_against_zero_passes_whatever_the_floor():
    tally = Tally("torch", "float32")
    tally.add({"loss": np.array(0.0)}, {"loss": np.array(0.0)}, {"loss": 0.0})
    tally.add({"other": np.array(1e-30)}, {"other": np.array(0.0)}, {"other": 0.0})
    assert [(row.ratio, row.passed) for row in tally.rows()] == [(0.0, True), (math.inf, False)]
