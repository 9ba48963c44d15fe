"""What a ranking is worth, one query at a time.

`found` is the relevance of the document at each rank, best first, 0 where it is not relevant;
`judged` is the relevance of all documents that were judged for the query, in any order. What is
not above 0 is not relevant. The conventions are those of sentence-transformers' evaluator: of
documents with equal scores the one whose id comes first ranks first; scores are compared in
float32; the gain of a document is its relevance, not 2 to its power; and in nDCG and MAP the
best order that k ranks allow counts as 1, however many documents are relevant.

A query without a relevant document has no measures: it is an error here, and the mean over
queries leaves it out.
"""

from __future__ import annotations

import numpy as np

from reference.errors import InputError


def order(scores: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The places of the documents, best first: by falling score in float32, and by rising id
    where scores are equal. TREC's tools order equal scores by falling id."""
    return np.lexsort((ids, -np.asarray(scores, np.float32)))


def accuracy(found: np.ndarray, judged: np.ndarray, k: int) -> float:
    """1 if a relevant document is among the first k, else 0; also called success."""
    _check(judged)
    return float(np.any(found[:k] > 0))


def recall(found: np.ndarray, judged: np.ndarray, k: int) -> float:
    """The share of all relevant documents that is among the first k. With more than k of them
    it cannot reach 1."""
    return float(np.count_nonzero(found[:k] > 0) / _check(judged))


def reciprocal_rank(found: np.ndarray, judged: np.ndarray, k: int) -> float:
    """1 / the rank of the first relevant document, 0 where none is among the first k. Its mean
    over queries is the MRR."""
    _check(judged)
    hits = np.flatnonzero(found[:k] > 0)
    return float(1 / (hits[0] + 1)) if len(hits) else 0.0


def ndcg(found: np.ndarray, judged: np.ndarray, k: int) -> float:
    """Σ relevance / log2(rank + 1) over the first k, divided by the same sum of the best order
    that there can be (Järvelin & Kekäläinen 2002)."""
    _check(judged)
    return _gain(found[:k]) / _gain(np.sort(judged)[::-1][:k])


def average_precision(found: np.ndarray, judged: np.ndarray, k: int | None = None) -> float:
    """The precision at the rank of each relevant document among the first k, or among all,
    summed and divided by the number of relevant documents, or by k if that is less. Its mean
    over queries is the MAP. trec_eval divides by all relevant documents, whatever k is."""
    relevant = _check(judged)
    ranks = np.flatnonzero(found[:k] > 0) + 1
    precisions = np.arange(1, len(ranks) + 1) / ranks
    return float(precisions.sum() / (relevant if k is None else min(k, relevant)))


def _gain(relevance: np.ndarray) -> float:
    """Nothing is taken off for a relevance below 0."""
    ranks = np.arange(1, len(relevance) + 1)
    return float((np.maximum(relevance, 0) / np.log2(ranks + 1)).sum())


def _check(judged: np.ndarray) -> int:
    """How many documents are relevant."""
    relevant = int(np.count_nonzero(judged > 0))
    if not relevant:
        raise InputError(
            "no document is relevant to this query, so its measures are not defined; leave it "
            "out of the mean"
        )
    return relevant
