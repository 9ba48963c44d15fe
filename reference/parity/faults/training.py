"""Known bugs of training, seeded one at a time, each of which changes the losses of a run in a
way of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference import learning
from reference.checkpoint import locate, read_checkpoint
from reference.dropout import Dropout
from reference.learning import AdamW, Example
from reference.parity.faults.cases import InTheWild
from reference.parity.faults.fault import Code, Patch, patched
from reference.parity.trajectory import Groups, check_groups, check_rates, loss_trajectory

Step = Callable[..., float]
DROPPED_BY = 1  # the seed of the runs with dropout


@dataclass(frozen=True)
class TrainingFault(InTheWild):
    """One bug: in the code of a step (`patch`), in how batches are grouped to steps (`group`)
    or in the learning rates (`rate`)."""

    name: str
    story: str
    patch: Callable[[Code], list[Patch]] | None = None
    group: Callable[[Groups], Groups] | None = None
    rate: Callable[[list[float]], list[float]] | None = None
    dropout: int | None = None  # the seed of a run with dropout, where it shows in no other

    def trajectory(
        self,
        folder: str | os.PathLike[str],
        backend: str,
        batches: Sequence[Any],
        learning_rate: float | Sequence[float] = 1e-3,
        *options: Any,
    ) -> list[float]:
        """What reference.parity.loss_trajectory returns of a port that has this bug."""
        groups = check_groups(read_checkpoint(locate(folder)), batches)
        rates = check_rates(learning_rate, len(groups))
        groups = groups if self.group is None else self.group(groups)
        rates = (rates if self.rate is None else self.rate(rates))[: len(groups)]
        with patched([] if self.patch is None else self.patch(Code(backend))):
            return loss_trajectory(
                folder, backend, groups, rates, *options, dropout=self.dropout
            )


def _mean_of_means(
    learner: Any,
    group: Sequence[Example],
    learning_rate: float,
    max_norm: float | None = None,
    seed: int | None = None,
) -> float:
    weight = 1 / len(group)
    losses = [weight * one.learn(learner, weight) for one in group]
    learner.step(learning_rate, max_norm)
    return sum(losses)


def _clip_the_sum(
    learner: Any,
    group: Sequence[Example],
    learning_rate: float,
    max_norm: float | None = None,
    seed: int | None = None,
) -> float:
    total = sum(example.count for example in group)
    smaller = None if max_norm is None else max_norm / total
    return _take_step(learner, group, learning_rate, smaller, seed)


_take_step: Step = learning.take_step


def _last_batch_only(
    learner: Any,
    group: Sequence[Example],
    learning_rate: float,
    max_norm: float | None = None,
    seed: int | None = None,
) -> float:
    """The gradients of the batch before are forgotten where they should be added to."""
    total, loss = sum(example.count for example in group), 0.0
    for example in group:
        learner.forget()
        weight = example.count / total
        loss += weight * example.learn(learner, weight)
    learner.step(learning_rate, max_norm)
    return loss


def _always_dropping(
    learner: Any,
    group: Sequence[Example],
    learning_rate: float,
    max_norm: float | None = None,
    seed: int | None = None,
) -> float:
    """The loss is that of a model that still drops, though nobody asked it to."""
    return _take_step(learner, group, learning_rate, max_norm, 0 if seed is None else seed)


_keep = Dropout.keep


def _keep_the_same(self: Dropout, site: int, shape: Sequence[int], rate: float) -> np.ndarray:
    return _keep(Dropout(self.seed, 0), site, shape, rate)


def _stepping(take_step: Step) -> Callable[[Code], list[Patch]]:
    return lambda code: [(learning, "take_step", take_step)]


def _epsilon_inside_the_root(code: Code) -> list[Patch]:
    def adamw(
        parameter: Any,
        gradient: Any,
        first: Any,
        second: Any,
        learning_rate: float,
        step: int,
        settings: AdamW,
    ) -> Any:
        """Written with operators only, which both frameworks have."""
        (beta1, beta2), decay = settings.betas, settings.decay(parameter.shape)
        correction, root = settings.corrections(step)
        first_after = first + (1 - beta1) * (gradient - first)
        second_after = beta2 * second + (1 - beta2) * gradient * gradient
        size = (second_after / root**2 + settings.epsilon) ** 0.5
        kept = parameter * (1 - learning_rate * decay)
        after = kept - learning_rate / correction * first_after / size
        if code.backend != "torch":
            return after, first_after, second_after
        for tensor, value in [(parameter, after), (first, first_after), (second, second_after)]:
            tensor.copy_(value)
        return parameter, first, second

    return [(code.training, "adamw", adamw)]


def _corrections_in_float32(self: AdamW, step: int) -> tuple[float, float]:
    first, second = (
        np.float32(1) - np.float32(beta) ** np.float32(step) for beta in self.betas
    )
    return float(first), float(np.sqrt(second))


FAULTS = {
    fault.name: fault
    for fault in (
        TrainingFault(
            "mean_of_means",
            "each batch of a group weighs the same, however much counts in it",
            patch=_stepping(_mean_of_means),
        ),
        TrainingFault(
            "last_batch_only",
            "gradients are set to zero before each batch of a group, not before each group",
            patch=_stepping(_last_batch_only),
        ),
        TrainingFault(
            "clipping_before_unscaling",
            "the gradient is clipped while it is still a sum, before it is divided by what "
            "counts",
            patch=_stepping(_clip_the_sum),
        ),
        TrainingFault(
            "dropped_last_group",
            "the batches that are left over at the end of an epoch, too few for a whole group, "
            "are dropped",
            group=lambda groups: [g for g in groups if len(g) == max(map(len, groups))],
        ),
        TrainingFault(
            "decay_on_norms",
            "norms and biases are pulled towards zero too",
            patch=lambda code: [(AdamW, "decay", lambda self, shape: self.weight_decay)],
        ),
        TrainingFault(
            "no_decay",
            "AdamW without its W",
            patch=lambda code: [(AdamW, "decay", lambda self, shape: 0.0)],
        ),
        TrainingFault(
            "no_bias_correction",
            "the moments are taken as they are, as MLX's own optimizer does unless it is told "
            "otherwise",
            patch=lambda code: [(AdamW, "corrections", lambda self, step: (1.0, 1.0))],
        ),
        TrainingFault(
            "corrections_in_float32",
            "the powers of the betas are taken in float32",
            patch=lambda code: [(AdamW, "corrections", _corrections_in_float32)],
        ),
        TrainingFault(
            "epsilon_inside_the_root",
            "epsilon is added to the second moment and not to its root",
            patch=_epsilon_inside_the_root,
        ),
        TrainingFault(
            "warm_up_off_by_one",
            "the first step has the learning rate 0, and every other that of the step before",
            rate=lambda rates: [0.0, *rates[:-1]],
        ),
        TrainingFault(
            "dropout_left_on",
            "the model drops where it should not, as one does that is evaluated while it is "
            "still set to train",
            patch=_stepping(_always_dropping),
        ),
        TrainingFault(
            "dropout_without_scaling",
            "what is kept is not scaled up, so that sums are smaller than without dropout",
            patch=lambda code: [(code.layers, "scale", lambda rate: 1.0)],
            dropout=DROPPED_BY,
        ),
        TrainingFault(
            "dropout_always_the_same",
            "the generator is seeded anew in each step, and what is dropped once never learns",
            patch=lambda code: [(Dropout, "keep", _keep_the_same)],
            dropout=DROPPED_BY,
        ),
    )
}
