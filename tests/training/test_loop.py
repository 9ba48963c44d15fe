"""The loop and its schedule: one run in every framework, and an end where a loss is none."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.backend import BACKENDS
from reference.errors import InputError
from reference.families.modernbert import ModernBertConfig
from reference.learning import Example, take_step
from reference.masking import IGNORED
from reference.training.loop import Step, fit
from reference.training.masked_lm import train
from reference.training.recipe import Recipe
from reference.training.schedule import KINDS, Schedule

CONFIG = ModernBertConfig(
    architectures=("ModernBertForMaskedLM",),
    vocab_size=40,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=24,
    local_attention=8,
    pad_token_id=0,
    cls_token_id=1,
    bos_token_id=1,
    sep_token_id=2,
    eos_token_id=2,
)
DROPPING = replace(CONFIG, embedding_dropout=0.1, attention_dropout=0.1, mlp_dropout=0.2)
RECIPE = Recipe(batch_tokens=64, epochs=3, learning_rate=1e-2)


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    return [
        [1, *generator.integers(5, 40, n).tolist(), 2] for n in generator.integers(3, 20, 40)
    ]


@pytest.mark.parametrize("config", [CONFIG, DROPPING], ids=["plain", "dropout"])
def test_a_run_is_the_same_in_every_framework(rows, config):
    """First weights, batches, masks, rates and what is dropped are made once; what differs is
    rounding."""
    found, curves = {}, {}
    for backend in BACKENDS:
        seen = []
        found[backend] = train(rows, config, 3, RECIPE, seen.append, backend)
        curves[backend] = [progress.loss for progress in seen]
    assert curves["torch"][-1] < np.log(40)
    for backend in ("mlx", "candle"):
        np.testing.assert_allclose(curves[backend], curves["torch"], rtol=1e-4)
        for key, tensor in found["torch"].items():
            np.testing.assert_allclose(found[backend][key], tensor, atol=2e-3, err_msg=key)


def test_a_run_drops_what_the_configuration_says(rows):
    """By the seed of its recipe."""
    curves = []
    for config in (CONFIG, DROPPING, DROPPING):
        seen = []
        train(rows, config, 3, replace(RECIPE, epochs=1), seen.append)
        curves.append([progress.loss for progress in seen])
    assert curves[1] == curves[2] != curves[0]


def test_a_loss_that_is_none_ends_the_run(rows):
    wild = replace(RECIPE, learning_rate=1e30, max_norm=1e30)
    with pytest.raises(InputError, match=r"the loss of step \d+ is (nan|inf): the run"):
        train(rows, CONFIG, 3, wild)


class Still:
    """A learner that notes what it is asked."""

    def __init__(self):
        self.rates, self.model, self.steps = [], self, 0

    def learn(self, inputs, labels, weight=1.0, dropout=None, class_weights=None):
        return 1.0

    def step(self, learning_rate, max_norm=None):
        self.rates.append(learning_rate)
        return 1.0

    def state(self):
        return {}


def test_a_batch_with_nothing_to_learn_takes_no_step():
    learner, example = Still(), Example(None, np.array([1]))
    plan = [Step([lambda made=made: made]) for made in (example, None, example)]
    fit(learner, plan, Schedule(1.0, 0.0, "constant"), None, lambda progress: None)
    assert learner.rates == [1.0, 1.0]


def test_a_lesson_that_learns_in_its_own_way_is_a_batch_like_any_other():
    """It weighs by its count, and its loss is in the group's."""

    class Three:
        count = 3
        together = False

        def learn(self, learner, weight=1.0, dropout=None):
            asked.append(weight)
            return 5.0

    asked, learner = [], Still()
    assert take_step(learner, [Example(None, np.array([1, IGNORED])), Three()], 0.1) == 4.0
    assert asked == [0.75] and learner.rates == [0.1]


def test_classes_count_where_they_are_not_ignored_and_numbers_always():
    assert Example(None, np.array([2, IGNORED, 0])).count == 2
    assert Example(None, np.array([[2.0, IGNORED], [0.0, 1.0]])).count == 4


@given(
    steps=st.integers(1, 60),
    warmup=st.floats(0, 1),
    kind=st.sampled_from(KINDS),
    floor=st.floats(0, 1),
)
def test_a_schedule_rises_once_and_then_falls(steps, warmup, kind, floor):
    schedule = Schedule(1.0, warmup, kind, floor)
    rates = np.array([schedule.rate(step, steps) for step in range(steps)])
    rise = max(1, round(warmup * steps))
    np.testing.assert_allclose(rates[:rise], np.arange(1, rise + 1)[:steps] / rise)
    after = rates[rise - 1 :]
    assert (np.diff(after) <= 1e-12).all() and (after >= floor - 1e-12).all()
    if kind == "constant":
        np.testing.assert_allclose(after, 1)


def test_the_middle_of_the_way_down():
    """Ten steps, of which two rise: step 6 is half way from the top to the floor."""
    assert Schedule(2.0, 0.2, "linear").rate(6, 10) == pytest.approx(1.0)
    assert Schedule(2.0, 0.2, "cosine").rate(6, 10) == pytest.approx(1.0)
    assert Schedule(2.0, 0.2, "linear", 0.5).rate(6, 10) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "step"}, "schedule 'step' is unknown; it is one of cosine, linear, constant"),
        ({"warmup": 1.5}, "warmup is 1.5"),
        ({"floor": -0.1}, "floor is -0.1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
    ],
)
def test_bad_schedules(settings, message):
    with pytest.raises(InputError, match=message):
        Schedule(**{"learning_rate": 1e-3} | settings)
