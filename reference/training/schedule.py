"""How the learning rate changes over a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reference.checks import check_name, check_number

KINDS = ("cosine", "linear", "constant")


@dataclass(frozen=True)
class Schedule:
    """A straight rise, then a way down.

    Steps count from 0. In a rise over n steps, step s has (s + 1) / n of the learning rate, so
    that the first step is not wasted on a rate of 0 and the last of them has all of it. The
    rates after it fall from there, along half a cosine, along a line, or not at all, towards
    `floor` of the learning rate, which the step after the last would reach.
    """

    learning_rate: float
    warmup: float = 0.05  # the share of all steps in which it rises
    kind: str = "cosine"
    floor: float = 0.0

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, least=0.0)
        check_number("warmup", self.warmup, least=0.0, most=1.0)
        check_number("floor", self.floor, least=0.0, most=1.0)
        check_name(self.kind, KINDS, "schedule")

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, of so many in all."""
        rise = max(1, round(self.warmup * steps))
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        done = (step - rise) / max(1, steps - rise)
        left = {
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "linear": 1 - done,
            "constant": 1.0,
        }[self.kind]
        return self.learning_rate * (self.floor + (1 - self.floor) * left)
