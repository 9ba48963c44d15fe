"""Judging embeddings: what a model finds, measured, beside what words alone find and what the
same architecture finds before it has learned anything.

    from reference import evaluation

    data = evaluation.Retrieval(queries, documents, relevance)
    evaluation.evaluate(data, {"MiniLM": model, "BM25": evaluation.BM25()})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reference.errors import InputError
from reference.evaluation.contestant import Contestant
from reference.evaluation.encoder import Encoder, OwnEncoder, Vectors, random_weights
from reference.evaluation.pairs import ScoredPairs
from reference.evaluation.results import Comparison, PairScores, RetrievalScores
from reference.evaluation.retrieval import Retrieval
from reference.evaluation.words import BM25, TfIdf
from reference.pipelines import Embeddings

__all__ = [
    "BM25",
    "Comparison",
    "Contestant",
    "Encoder",
    "OwnEncoder",
    "PairScores",
    "Retrieval",
    "RetrievalScores",
    "ScoredPairs",
    "TfIdf",
    "Vectors",
    "evaluate",
    "random_weights",
]


def evaluate(data: Retrieval | ScoredPairs, contestants: Mapping[str, Any] | Any) -> Comparison:
    """Judge each contestant on the same data.

    contestants: by name, models of reference.load, others that have `encode`, or a BM25, TfIdf,
        Vectors; one may come without a name.
    """
    if not isinstance(data, (Retrieval, ScoredPairs)):
        raise InputError(
            f"the data is a {type(data).__name__}; it must be a Retrieval or ScoredPairs"
        )
    if not isinstance(contestants, Mapping):
        contestants = {type(contestants).__name__: contestants}
    ready = {str(name): contestant_of(one) for name, one in contestants.items()}
    return Comparison([data.judge(name, one) for name, one in ready.items()], data.notes)


def contestant_of(model: Any, **options: Any) -> Contestant:
    """What can be judged of a model; `options` are for those of reference.load."""
    if isinstance(model, Contestant):
        return model
    if isinstance(model, Embeddings):
        return OwnEncoder(model, **options)
    if callable(getattr(model, "encode", None)):
        return Encoder(model)
    raise InputError(
        f"a {type(model).__name__} makes no vectors: it has no encode; a model is loaded for "
        'that with reference.load(..., pipeline="embeddings")'
    )
