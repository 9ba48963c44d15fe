"""Sampled softmax: its negatives, and whether its gradient is on the way to that of the whole
softmax."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import negatives as room
from reference.errors import InputError
from reference.negatives import Negatives, candidates, draw, log_uniform
from reference.parity.faults.characters import FAULTS
from reference.parity.faults.fault import patched

SIZE, ANSWER = 60, 2
DRAWS = 1500
RIGHT = 0.005  # off by so much is the gradient from half of the words, on average


def test_shares_add_up_and_fall():
    shares = log_uniform(np.arange(SIZE), SIZE)
    assert abs(shares.sum() - 1) < 1e-12 and (np.diff(shares) < 0).all()


@given(st.integers(2, 400), st.floats(0, 1), st.integers(0, 2**32))
def test_negatives_are_different_and_follow_from_the_seed(size, part, seed):
    count = 1 + int(part * min(size - 2, 40))
    found = draw(count, size, seed)
    assert len({*found.ids.tolist()}) == count <= found.tries
    assert ((found.ids >= 0) & (found.ids < size)).all()
    again = draw(count, size, seed)
    assert (found.ids == again.ids).all() and found.tries == again.tries


def test_what_is_expected_is_what_happens():
    """Over many draws each word is among the negatives as often as the mean of what was
    expected says."""
    drawn = [draw(8, SIZE, seed) for seed in range(4000)]
    often = np.zeros(SIZE)
    for negatives in drawn:
        often[negatives.ids] += 1 / len(drawn)
    expected = np.mean([negatives.expected(np.arange(SIZE)) for negatives in drawn], axis=0)
    assert abs(expected.sum() - 8) < 0.05
    # A share of 4,000 draws is known to 0.008, and the number of tries depends a little on
    # what is drawn.
    np.testing.assert_allclose(often, expected, atol=0.035)


def test_candidates():
    negatives = Negatives(np.array([7, 3, 9]), 5, SIZE)
    found = candidates(np.array([3, 4, 4]), negatives)
    assert found.ids.tolist() == [3, 4, 7, 9] and found.labels.tolist() == [0, 1, 1]
    scored = found.offsets > -np.inf
    # 3 was drawn, so it counts for the others as well; 4 only where it is the answer.
    assert scored.tolist() == [[True, False, True, True], *[[True] * 4] * 2]
    corrected = -np.log(negatives.expected(found.ids))
    np.testing.assert_array_equal(found.offsets[scored], np.tile(corrected, (3, 1))[scored])


def logits(probability: float) -> np.ndarray:
    """Of a model that gives the answer that probability."""
    others = np.random.default_rng(1).standard_normal(SIZE)
    others[ANSWER] = -np.inf
    others[ANSWER] = np.log(np.exp(others).sum() * probability / (1 - probability))
    return others


def sampled(scores: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The gradient of sampled softmax in all logits."""
    found = room.candidates(np.array([ANSWER]), draw(count, SIZE, seed))
    gradient = np.zeros(SIZE)
    gradient[found.ids] = softmax(scores[found.ids] + found.offsets[0])
    gradient[ANSWER] -= 1
    return gradient


def with_replacement(scores: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The popular form: a word may be drawn twice, `count` times its share is expected of it,
    and the answer is thrown out from among the negatives."""
    shares = log_uniform(np.arange(SIZE), SIZE)
    drawn = np.random.default_rng(seed).choice(SIZE, count, p=shares)
    ids = np.concatenate([[ANSWER], drawn[drawn != ANSWER]])
    found = softmax(scores[ids] - np.log(count * shares[ids]))
    gradient = np.zeros(SIZE)
    np.add.at(gradient, ids, found)
    gradient[ANSWER] -= 1
    return gradient


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def off(form, probability: float, count: int) -> float:
    """How far the expected gradient is from that of the whole softmax."""
    scores = logits(probability)
    whole = softmax(scores)
    whole[ANSWER] -= 1
    mean = np.mean([form(scores, count, seed) for seed in range(DRAWS)], axis=0)
    return np.abs(mean - whole).max()


def test_the_gradient_of_a_confident_model_becomes_that_of_the_whole_softmax():
    counts = (3, 12, SIZE // 2, SIZE - 1)
    few, more, half, most = (off(sampled, 0.5, count) for count in counts)
    assert few > 0.2 > more > 0.05 and half < RIGHT and most < 0.01


def test_the_form_with_replacement_goes_elsewhere_which_a_new_model_does_not_show():
    assert off(with_replacement, 0.5, 20 * SIZE) > 0.3
    assert off(with_replacement, 0.001, 20 * SIZE) < 0.02
    assert off(sampled, 0.001, SIZE - 1) < 0.01


@pytest.mark.parametrize(
    "name", [name for name, fault in FAULTS.items() if fault.shows == "gradient"]
)
def test_a_fault_of_the_correction_stays_away_from_the_whole_softmax(name):
    with patched(FAULTS[name].patch()):
        assert off(sampled, 0.5, SIZE // 2) > 0.1 > 10 * RIGHT


def test_what_is_left_uncorrected_shows_in_the_offsets():
    """Only there: the answer is scored for certain, and without a correction of its own the
    estimate converges as well."""
    answers, negatives = np.array([3, 40]), draw(9, SIZE, seed=0)

    def corrected() -> bool:
        found = room.candidates(answers, negatives)
        own = found.offsets[[0, 1], found.labels]
        return np.allclose(own, -np.log(negatives.expected(answers)))

    assert corrected()
    with patched(FAULTS["positives_uncorrected"].patch()):
        assert not corrected() and off(sampled, 0.5, SIZE - 1) < 0.01


@pytest.mark.parametrize(
    ("count", "size", "message"),
    [
        (0, 10, "count is 0"),
        (10, 10, "10 negatives are to be drawn from a vocabulary of 10; there must be fewer"),
        (1, 1, "size is 1"),
    ],
)
def test_what_cannot_be_drawn(count, size, message):
    with pytest.raises(InputError, match=message):
        draw(count, size, 0)
