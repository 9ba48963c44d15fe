"""Retrieval: queries, documents, and which of these answer which of those."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from reference.checks import check_texts
from reference.errors import InputError, shown
from reference.evaluation import measures
from reference.evaluation.contestant import Contestant
from reference.evaluation.ranking import NOTHING, Ranking
from reference.evaluation.results import RetrievalScores

TOP_K = 100
LARGEST = 2**31  # a relevance is less
MEASURES = {
    **{f"recall@{k}": partial(measures.recall, k=k) for k in (1, 5, 10)},
    "MRR@10": partial(measures.reciprocal_rank, k=10),
    "nDCG@10": partial(measures.ndcg, k=10),
    f"MAP@{TOP_K}": partial(measures.average_precision, k=TOP_K),
    **{f"accuracy@{k}": partial(measures.accuracy, k=k) for k in (1, 5, 10)},
}


class Retrieval:
    """Queries and documents, texts by their ids, and the relevance of documents to queries.

    queries, documents: a mapping from ids to texts, or a list of texts, whose ids are 0, 1, 2,
        ...; all ids of a side are strings, or all are whole numbers.
    relevance: for each query's id the ids of the relevant documents, or a mapping from ids of
        documents to whole numbers; what is not above 0 is not relevant.
    notes: what a reader of the scores has to know of the data; how much of it there is, is
        added.

    A query without a relevant document is left out of the means, and counted. A query whose id
    is also a document's is a query like the others: nothing is skipped. Where two documents
    score alike the one whose id comes first in order ranks first.
    """

    def __init__(
        self,
        queries: Mapping[Any, str] | Sequence[str],
        documents: Mapping[Any, str] | Sequence[str],
        relevance: Mapping[Any, Mapping[Any, int] | Iterable[Any]],
        notes: Sequence[str] = (),
    ) -> None:
        queries = _by_id(queries, "queries")
        self.documents = _by_id(documents, "documents")
        judged = _judged(relevance, queries, self.documents)
        self.queries = {key: queries[key] for key in queries if key in judged}
        self.judged = [judged[key] for key in self.queries]
        self.left_out = len(queries) - len(self.queries)
        count = f"queries: {len(self.queries)}, documents: {len(self.documents)}"
        if self.left_out:
            count += f"; without a relevant document, and left out: {self.left_out}"
        self.notes = (*notes, count)
        if not self.queries:
            raise InputError("no query has a relevant document, so there is nothing to measure")

    def __repr__(self) -> str:
        return f"<Retrieval: {self.notes[-1]}>"

    def judge(self, name: str, contestant: Contestant) -> RetrievalScores:
        """What a contestant finds, measured."""
        queries, documents = list(self.queries.values()), list(self.documents.values())
        ranking = contestant.rank(queries, documents, TOP_K)
        each = self.each(ranking)
        return RetrievalScores(
            name,
            {measure: float(values.mean()) for measure, values in each.items()},
            _margin(each["nDCG@10"]),
            len(queries),
            len(documents),
            self.left_out,
            ranking.notes,
        )

    def each(self, ranking: Ranking) -> dict[str, np.ndarray]:
        """Each measure of every query, in the order of `queries`: what a comparison of two
        rankings query by query needs."""
        found = [
            np.array([judged.get(document, 0) for document in row if document != NOTHING], int)
            for row, judged in zip(ranking.documents.tolist(), self.judged, strict=True)
        ]
        everything = [np.array(list(judged.values())) for judged in self.judged]
        pairs = list(zip(found, everything, strict=True))
        return {
            name: np.array([measure(*pair) for pair in pairs])
            for name, measure in MEASURES.items()
        }


def _margin(values: np.ndarray) -> float | None:
    if len(values) < 2:
        return None
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def _by_id(texts: Any, name: str) -> dict[Any, str]:
    """In the order of the ids, so that of equal scores the first document's ranks first."""
    if isinstance(texts, Mapping):
        ids = list(texts)
        kind = str if ids and isinstance(ids[0], str) else int
        for key in ids:
            if not isinstance(key, kind) or isinstance(key, bool):
                raise InputError(
                    f"{name} has the id {shown(key)}; all are strings, or all are whole numbers"
                )
        texts = dict(zip(ids, check_texts(texts.values(), name), strict=True))
        texts = {key: texts[key] for key in sorted(texts)}
    else:
        texts = dict(enumerate(check_texts(texts, name)))
    if not texts:
        raise InputError(f"there are no {name}")
    return texts


def _judged(
    relevance: Any, queries: Mapping[Any, str], documents: Mapping[Any, str]
) -> dict[Any, dict[int, int]]:
    """For each query that has a relevant document: document's number -> relevance."""
    if not isinstance(relevance, Mapping):
        raise InputError(
            "relevance must be a mapping from the ids of queries to ids of documents, not "
            f"{type(relevance).__name__}"
        )
    numbers = {key: number for number, key in enumerate(documents)}
    found = {}
    for query, judged in relevance.items():
        if query not in queries:
            raise InputError(f"relevance names the query {shown(query)}, which is not there")
        if isinstance(judged, (str, bytes)) or not isinstance(judged, Iterable):
            raise InputError(
                f"the relevance for query {shown(query)} is {shown(judged)}; it must be a "
                "mapping from ids of documents to whole numbers, or a list of ids"
            )
        if not isinstance(judged, Mapping):
            judged = dict.fromkeys(judged, 1)
        for document, value in judged.items():
            if document not in numbers:
                raise InputError(
                    f"relevance names the document {shown(document)} for the query "
                    f"{shown(query)}, which is not there"
                )
            if not isinstance(value, (int, np.integer)) or abs(value) >= LARGEST:
                raise InputError(
                    f"the relevance of document {shown(document)} to query {shown(query)} is "
                    f"{shown(value)}; it must be a whole number, less than {LARGEST}"
                )
        if any(value > 0 for value in judged.values()):
            found[query] = {numbers[key]: int(value) for key, value in judged.items()}
    return found
