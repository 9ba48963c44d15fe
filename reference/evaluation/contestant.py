"""What can be judged: whatever ranks documents for queries, or says how alike two texts
are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reference.errors import InputError
from reference.evaluation.ranking import Ranking


@dataclass(frozen=True, eq=False)
class Likeness:
    """How alike the texts of each pair are, and what a reader of the scores has to know."""

    scores: np.ndarray
    notes: tuple[str, ...] = ()


class Contestant:
    """A model, a baseline, or vectors that were made elsewhere."""

    def rank(self, queries: Sequence[str], documents: Sequence[str], top_k: int) -> Ranking:
        """The best `top_k` documents of each query."""
        raise InputError(f"a {type(self).__name__} compares pairs of texts; it ranks nothing")

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Likeness:
        """How alike left[i] and right[i] are."""
        raise InputError(f"a {type(self).__name__} ranks documents; it compares no pairs")
