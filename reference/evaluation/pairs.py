"""Scored pairs: two texts, and how alike somebody found them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reference.checks import check_texts
from reference.errors import InputError
from reference.evaluation.contestant import Contestant
from reference.evaluation.correlation import check_numbers, pearson, spearman
from reference.evaluation.results import PairScores


class ScoredPairs:
    """Texts left[i] and right[i], and how alike they are: a number each, the larger the more
    alike, on any scale.

    notes: what a reader of the scores has to know of the data.
    """

    def __init__(
        self,
        left: Sequence[str],
        right: Sequence[str],
        scores: Any,
        notes: Sequence[str] = (),
    ) -> None:
        self.left, self.right = check_texts(left, "left"), check_texts(right, "right")
        self.wanted = check_numbers(scores, "scores")
        self.notes = tuple(notes)
        sizes = {len(self.left), len(self.right), len(self.wanted)}
        if len(sizes) > 1:
            raise InputError(
                f"there are {len(self.left)} left texts, {len(self.right)} right ones and "
                f"{len(self.wanted)} scores; each pair has one of each"
            )
        if _constant(self.wanted):
            raise InputError(
                f"all {len(self.wanted)} scores are the same; nothing correlates with that"
            )

    def __repr__(self) -> str:
        return f"<ScoredPairs: {len(self.wanted)} pairs>"

    def judge(self, name: str, contestant: Contestant) -> PairScores:
        """How a contestant's scores follow those of the data."""
        found = contestant.compare(self.left, self.right)
        correlate = [pearson, spearman]
        if _constant(found.scores):
            correlate = [lambda *_: None] * 2
        values = (measure(found.scores, self.wanted) for measure in correlate)
        return PairScores(name, *values, len(self.wanted), found.notes)


def _constant(values: np.ndarray) -> bool:
    return bool((values == values[0]).all())
