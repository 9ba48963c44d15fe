"""What is the same about learning in every framework: how batches are put together to one
step, the settings of AdamW, and its numbers that change from step to step.

Those numbers are Python's own, which are float64. A framework that takes 0.999 to a power in
float32 is off in the fifth digit at the first steps, where 1 - 0.999^step is small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from reference import ranks
from reference.checks import check_number
from reference.dropout import Dropout
from reference.errors import InputError
from reference.inputs import Inputs
from reference.masking import IGNORED


@dataclass(frozen=True)
class AdamW:
    """AdamW (Loshchilov and Hutter 2019) with torch's defaults.

    For a gradient g, and moments m and v that begin at zero, a step is

        p = p (1 - learning_rate decay)
        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        p = p - learning_rate m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + epsilon)

    A tensor that no gradient has reached yet is left as it is, and does not decay.
    """

    weight_decay: float = 0.01  # of matrices; norms and biases do not decay
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_number("weight_decay", self.weight_decay, least=0.0)
        check_number("epsilon", self.epsilon, least=0.0)
        for beta in self.betas:
            if not 0 <= check_number("a beta", beta) < 1:
                raise InputError(f"a beta is {beta!r}; it must lie in [0, 1)")

    def decay(self, shape: Sequence[int]) -> float:
        """Norms and biases are few and have to be where they are; only matrices are pulled
        towards zero."""
        return self.weight_decay if len(shape) > 1 else 0.0

    def corrections(self, step: int) -> tuple[float, float]:
        """What the moments are divided by at step 1, 2, ..., for they began at zero: the first
        moment, and the root of the second."""
        first, second = self.betas
        return 1 - first**step, math.sqrt(1 - second**step)


def clipping(norm: float, max_norm: float | None) -> float:
    """What gradients of that norm, all taken together, are multiplied by."""
    if max_norm is None:
        return 1.0
    return min(1.0, max_norm / (norm + 1e-6))


@dataclass(frozen=True)
class Way:
    """How the tokens of a text become its vector: Model.embed's arguments
    (reference/backend.py)."""

    pooling: tuple[str, ...] = ("mean",)
    normalize: bool = False
    skip: int = 0


class Learns(Protocol):
    """What a step asks of a learner (reference/backend.py); what a lesson asks of it is between
    the two."""

    steps: int

    def step(self, learning_rate: float, max_norm: float | None = None) -> float: ...


class Lesson(Protocol):
    """What a step is taken for: a batch that knows how it is learned from.

    Of several processes (reference/ranks.py) each has lessons of its own. One that is learned
    `together` each of them has, adds its part of the gradient, and gets the whole loss.
    """

    @property
    def together(self) -> bool: ...

    @property
    def count(self) -> float:
        """Over how much its loss is a mean: so much it weighs beside other batches of a
        group."""
        ...

    def learn(self, learner: Any, weight: float = 1.0, dropout: Dropout | None = None) -> float:
        """The loss; the learner is left with its gradient, `weight` times, added to what it
        had."""
        ...


@dataclass(frozen=True)
class Example:
    """A batch with the labels that are to be learned from it."""

    together: ClassVar[bool] = False
    inputs: Inputs
    labels: np.ndarray
    class_weights: np.ndarray | None = None  # [labels]; None: all classes weigh the same

    def __post_init__(self) -> None:
        if self.class_weights is not None and self.labels.dtype.kind not in "iu":
            raise InputError(
                f"labels hold {self.labels.dtype}; class weights are for labels that are whole "
                "numbers, one class each"
            )

    @property
    def count(self) -> float:
        """Classes count where they are not to be ignored, as much as they weigh; numbers
        always, one by one, but for those of candidates, which may be none for an answer, and of
        detections, of which each label is a question by itself."""
        if self.labels.dtype.kind not in "iu":
            given = self.inputs
            in_part = given is not None and not (given.candidates is given.spans is None)
            return int((self.labels != IGNORED).sum()) if in_part else self.labels.size
        kept = self.labels[self.labels != IGNORED]
        return (
            kept.size if self.class_weights is None else float(self.class_weights[kept].sum())
        )

    def learn(self, learner: Any, weight: float = 1.0, dropout: Dropout | None = None) -> float:
        return learner.learn(self.inputs, self.labels, weight, dropout, self.class_weights)


def take_step(
    learner: Learns,
    group: Sequence[Lesson | None],
    learning_rate: float,
    max_norm: float | None = None,
    seed: int | None = None,
) -> float:
    """One step along the gradient of a group's loss, which comes back.

    The group is as one batch: its loss is the sum over all that counts in it by how much that
    is, so a batch in which more counts weighs more. The mean of the batches' means is another
    function. What is clipped is the gradient of the whole group.

    With a seed the step has dropout, at the rates of the model's configuration.
    """
    loss = accumulate(learner, group, seed)
    learner.step(learning_rate, max_norm)
    return loss


def accumulate(
    learner: Learns, group: Sequence[Lesson | None], seed: int | None = None
) -> float:
    """The loss of a group as one batch, whose gradient is added to what there is; no step is
    taken yet. With a seed there is dropout, as in the step that follows.

    Several processes have one group between them, and None at the places of the others'
    batches. The loss is that of the whole group, the gradient this process's part of it: a step
    adds up the parts."""
    total = ranks.total(sum(example.count for example in group if _is_counted(example)))
    if total == 0:
        raise InputError(
            "nothing in these batches counts: all labels are ignored, or weigh nothing"
        )
    loss = 0.0
    for place, example in enumerate(group):
        if example is None or not example.count:  # the mean over nothing, which is NaN
            continue
        weight = example.count / total
        dropout = None if seed is None else Dropout(seed, learner.steps, place)
        found = weight * example.learn(learner, weight, dropout)
        loss += found if _is_counted(example) else 0.0
    return ranks.total(loss)


def _is_counted(lesson: Lesson | None) -> bool:
    """Whether it is to be counted in this process: what all learn together counts once."""
    return lesson is not None and (not lesson.together or ranks.is_first())
