"""The best of a corpus for each query, with a part of the corpus in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.checks import check_iterable, check_vectors
from reference.errors import InputError
from reference.pipelines.results import Result, Results
from reference.pipelines.similarity import Sides, is_vectors

ROWS_AT_ONCE = 8_192


@dataclass(frozen=True)
class Hit(Result):
    """One find: its number in the corpus, its score and, in a corpus of texts, its text."""

    index: int
    score: float
    text: str | None = None


class Best:
    """The best scores of each query so far, whose they are, and the texts of these; of equal
    ones the first in the corpus."""

    def __init__(self, queries: int, top_k: int) -> None:
        self.top_k = top_k
        self.scores = np.empty((queries, 0))
        self.indices = np.empty((queries, 0), np.int64)
        self.texts: dict[int, str] = {}
        self.seen = 0

    def see(self, scores: np.ndarray, texts: list[str] | None) -> None:
        """Scores [queries, documents] of the next documents, and their texts."""
        documents = self.seen + np.arange(scores.shape[1])
        documents = np.broadcast_to(documents, scores.shape)
        scores = np.concatenate([self.scores, scores], axis=1)
        indices = np.concatenate([self.indices, documents], axis=1)
        # By falling score, and in the corpus's order where the sort finds them equal.
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.top_k]
        self.scores = np.take_along_axis(scores, best, axis=1)
        self.indices = np.take_along_axis(indices, best, axis=1)
        if texts is not None:
            known = self.texts | dict(enumerate(texts, self.seen))
            self.texts = {index: known[index] for index in np.unique(self.indices).tolist()}
        self.seen += documents.shape[1]

    def hits(self) -> list[Results]:
        return [
            Results(
                Hit(index, score, self.texts.get(index))
                for index, score in zip(*rows, strict=True)
            )
            for rows in zip(self.indices.tolist(), self.scores.tolist(), strict=True)
        ]


def search(sides: Sides, queries: Any, corpus: Any, top_k: int) -> list[Results]:
    """The hits of each query; either side is texts, or vectors that the model has made."""
    vectors = sides.whole("queries", queries)
    best = Best(len(vectors), top_k)
    for texts, documents in _parts(sides, corpus):
        documents = documents.astype(vectors.dtype, copy=False)
        best.see(sides.compare(vectors, documents).scores, texts)
    sides.tell()
    if not best.seen:
        raise InputError("the corpus is empty: there is nothing to find")
    return best.hits()


def _parts(sides: Sides, corpus: Any) -> Iterator[tuple[list[str] | None, np.ndarray]]:
    if not is_vectors(corpus):
        yield from sides.parts("corpus", check_iterable(corpus, "corpus"))
        return
    if not corpus.ndim:  # a single number, of which there are no parts
        check_vectors(corpus, "corpus", sides.size)
    for first in range(0, len(corpus), ROWS_AT_ONCE):
        part = np.asarray(corpus[first : first + ROWS_AT_ONCE])
        yield None, check_vectors(part, "corpus", sides.size)
