"""The best documents of each query, with few scores in memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reference.pipelines.search import Best

NOTHING = -1  # in the place of a document's number, where there was none to find
SCORES_AT_ONCE = 2**20


@dataclass(frozen=True, eq=False)
class Ranking:
    """Of each query the numbers of its best documents, best first, and their scores: two arrays
    [queries, ranks]. Where there was less to find, a row ends with NOTHING and minus infinity.

    A document's number is its place in the order in which the documents were given. Of equal
    scores the lower number comes first.
    """

    documents: np.ndarray
    scores: np.ndarray
    notes: tuple[str, ...] = ()  # what a reader of the ranking has to know


class Top:
    """The best documents so far, a block of queries at a time."""

    def __init__(self, queries: int, top_k: int, documents_at_once: int) -> None:
        rows = max(1, SCORES_AT_ONCE // max(1, documents_at_once))
        self.blocks = []
        for first in range(0, queries, rows):
            block = slice(first, min(queries, first + rows))
            self.blocks.append((block, Best(block.stop - block.start, top_k)))

    def see(self, score: Callable[[slice], np.ndarray]) -> None:
        """The scores of the next documents, [queries, documents], for each block of queries;
        minus infinity keeps a document out."""
        for block, best in self.blocks:
            best.see(score(block).astype(np.float32), None)

    def ranking(self, *notes: str) -> Ranking:
        scores = np.concatenate([best.scores for _, best in self.blocks])
        documents = np.concatenate([best.indices for _, best in self.blocks])
        return Ranking(np.where(np.isneginf(scores), NOTHING, documents), scores, notes)
