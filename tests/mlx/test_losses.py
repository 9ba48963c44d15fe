"""Losses and their gradients against the PyTorch port's."""

import math
from collections.abc import Callable

import mlx.core as mx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference.errors import ConfigError
from reference.mlx import losses
from reference.torch import losses as twin


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32)


def compare(close: Callable, name: str, logits: np.ndarray, *rest: object) -> None:
    """The loss and its gradient in the logits."""
    ours = [mx.array(value) if isinstance(value, np.ndarray) else value for value in rest]
    theirs = [
        torch.from_numpy(value) if isinstance(value, np.ndarray) else value for value in rest
    ]
    found, gradient = mx.value_and_grad(lambda x: getattr(losses, name)(x, *ours))(
        mx.array(logits)
    )
    leaf = torch.from_numpy(logits).requires_grad_()
    expected = getattr(twin, name)(leaf, *theirs)
    expected.backward()
    close(found, expected.detach())
    close(gradient, leaf.grad, epsilons=16, least=1 / logits.size)


@given(
    rows=st.integers(1, 6), classes=st.integers(1, 9), seed=st.integers(0, 99), data=st.data()
)
def test_cross_entropy(
    close: Callable, rows: int, classes: int, seed: int, data: st.DataObject
) -> None:
    label = st.sampled_from([-100, *range(classes)])
    labels = np.array(
        data.draw(
            st.lists(label, min_size=rows, max_size=rows).filter(lambda drawn: max(drawn) >= 0)
        )
    )
    compare(close, "cross_entropy", random(seed, rows, classes), labels)
    compare(close, "cross_entropy", random(seed, 1, rows, classes), labels[None])
    weights = np.exp(random(seed, classes))
    compare(close, "cross_entropy", random(seed, rows, classes), labels, -100, weights)


def test_cross_entropy_without_a_label_is_nan_and_teaches_nothing() -> None:
    value, gradient = mx.value_and_grad(losses.cross_entropy)(
        mx.array(random(0, 3, 4)), mx.full((3,), -100)
    )
    assert math.isnan(value.item())
    leaf = torch.from_numpy(random(0, 3, 4)).requires_grad_()
    twin.cross_entropy(leaf, torch.full((3,), -100)).backward()
    np.testing.assert_array_equal(gradient, leaf.grad)


def test_what_stands_under_an_ignored_label_does_not_matter() -> None:
    labels = mx.array([1, -100])
    for anything in (mx.nan, mx.inf, 1e30):
        logits = mx.array([[0.5, 1.0], [anything, 2.0]])
        value, gradient = mx.value_and_grad(losses.cross_entropy)(logits, labels)
        assert value.item() == pytest.approx(math.log1p(math.exp(-0.5)))
        assert gradient[1].tolist() == [0, 0]


def test_large_logits_do_not_overflow(close: Callable) -> None:
    large = np.array([[1e4, -1e4, 0.0]], np.float32)
    compare(close, "cross_entropy", large, np.array([1]))
    compare(close, "binary_cross_entropy", large, np.array([[0, 1, 1]], np.float32))


@given(rows=st.integers(1, 6), classes=st.integers(1, 9), seed=st.integers(0, 99))
def test_binary_cross_entropy_and_mean_squared_error(
    close: Callable, rows: int, classes: int, seed: int
) -> None:
    logits, labels = random(seed, rows, classes), random(seed + 1, rows, classes)
    compare(close, "binary_cross_entropy", logits, (labels > 0).astype(np.float32))
    compare(close, "mean_squared_error", logits, labels)


@pytest.mark.parametrize(
    "problem_type",
    [None, "regression", "single_label_classification", "multi_label_classification"],
)
@pytest.mark.parametrize("kind", [np.int64, np.float32])
@pytest.mark.parametrize("classes", [1, 3])
def test_classification_loss_is_chosen_as_in_torch(
    close: Callable, problem_type: str | None, kind: type, classes: int
) -> None:
    if problem_type == "single_label_classification" and kind is np.float32:
        pytest.skip("a class is a whole number")
    single = problem_type == "single_label_classification" or (
        problem_type is None and kind is np.int64
    )
    shape = (4,) if single or classes == 1 else (4, classes)
    labels = np.random.default_rng(0).integers(0, min(classes, 2), shape).astype(kind)
    compare(close, "classification_loss", random(0, 4, classes), labels, problem_type, classes)


def test_an_unknown_problem_type_is_refused() -> None:
    for port, array in ((losses, mx.array), (twin, torch.tensor)):
        with pytest.raises(ConfigError, match="ranking"):
            port.classification_loss(array([[1.0, 2.0]]), array([[1.0, 0.0]]), "ranking", 2)


def test_the_sum_over_a_large_vocabulary_is_exact():
    """Added up number by number in float32, 30,000 exponentials are off by 6e-5 of their
    sum."""
    random = np.random.default_rng(0)
    logits, labels = (
        (3 * random.standard_normal((50, 30522))).astype(np.float32),
        random.integers(0, 30522, 50),
    )
    wide = torch.from_numpy(logits).double().requires_grad_()
    torch.nn.functional.cross_entropy(wide, torch.from_numpy(labels)).backward()
    found = np.array(
        mx.grad(lambda x: losses.cross_entropy(x, mx.array(labels)))(mx.array(logits))
    )
    expected = wide.grad.numpy()
    others = np.ones_like(found, dtype=bool)
    others[np.arange(50), labels] = False
    np.testing.assert_allclose(found[others], expected[others], rtol=5e-6)
