"""The loop: a step for each batch that somebody else makes, in whatever framework the learner
is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from reference.backend import Learner
from reference.errors import InputError
from reference.learning import Example, take_step
from reference.training.checkpoints import Checkpoints, Saved
from reference.training.schedule import Schedule

SHOWN_EVERY = 50  # steps


@dataclass(frozen=True)
class Progress:
    """How far a run is; the loss is a running mean over some fifty steps."""

    step: int
    steps: int
    loss: float
    minutes: float

    def __str__(self) -> str:
        return (
            f"step {self.step:>6} of {self.steps}  loss {self.loss:.3f}  {self.minutes:.1f} min"
        )


def groups(
    lengths: Sequence[int], batch_tokens: int, generator: np.random.Generator
) -> list[list[int]]:
    """The places of rows of about one length together, as many as fit, in an order that chance
    decides."""
    order = sorted(range(len(lengths)), key=lambda row: lengths[row] + generator.uniform(0, 8))
    found: list[list[int]] = [[]]
    longest = 0
    for row in order:
        longest = max(longest, lengths[row])
        if found[-1] and longest * (len(found[-1]) + 1) > batch_tokens:
            found.append([])
            longest = lengths[row]
        found[-1].append(row)
    return [found[place] for place in generator.permutation(len(found))]


def fit(
    learner: Learner,
    plan: Sequence[Callable[[], Example | None]],
    schedule: Schedule,
    max_norm: float | None,
    report: Callable[[Progress], None],
    checkpoints: Checkpoints | None = None,
    saved: Saved | None = None,
    seed: int | None = None,
) -> dict[str, np.ndarray]:
    """The tensors of the model after one step for each batch of the plan; a batch that has
    nothing to learn from is None.

    It goes on from what was `saved`, which the learner was made from, and reports again what
    had been reported by then. With a seed the model drops what its configuration has it drop.
    """
    steps, started, smooth, first, curve = len(plan), time.monotonic(), math.nan, 0, []
    if saved is not None:
        learner.resume(saved.steps, saved.moments)
        first, smooth = saved.done, float(saved.notes["smooth"])
        started -= 60 * saved.notes["minutes"]
        curve = [Progress(*progress) for progress in saved.notes["curve"]]
        for progress in curve:
            report(progress)
    for step, make in enumerate(plan[first:], first):
        if (example := make()) is not None:
            loss = take_step(learner, [example], schedule.rate(step, steps), max_norm, seed)
            if not math.isfinite(loss):
                raise InputError(
                    f"the loss of step {step + 1} is {loss}: the run has come apart. A smaller "
                    "learning rate or a longer rise may hold it together"
                )
            smooth = loss if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss
        minutes = (time.monotonic() - started) / 60
        if (step + 1) % SHOWN_EVERY == 0 or step + 1 == steps:
            curve.append(Progress(step + 1, steps, smooth, minutes))
            report(curve[-1])
        if checkpoints is not None and (step + 1) % checkpoints.every == 0:
            notes = {"smooth": smooth, "minutes": minutes, "curve": list(map(astuple, curve))}
            checkpoints.save(step + 1, learner, notes)
    return learner.model.state()
