"""Pipelines: what a user does with a model, written once above the ports."""

from __future__ import annotations

from reference.checks import check_name
from reference.pipelines.base import Pipeline
from reference.pipelines.embeddings import Embeddings, Similarity
from reference.pipelines.heads import (
    MaskedLM,
    MultipleChoice,
    TextClassification,
    TokenClassification,
)

PIPELINES: dict[str, type[Pipeline]] = {
    "embeddings": Embeddings,
    "sentence-similarity": Embeddings,
    "sentence-transformers": Embeddings,
    "masked-lm": MaskedLM,
    "text-classification": TextClassification,
    "token-classification": TokenClassification,
    "multiple-choice": MultipleChoice,
}


def pipeline_class(name: str) -> type[Pipeline]:
    """The class of a pipeline's name."""
    return PIPELINES[check_name(name, PIPELINES, "pipeline", "not available")]


__all__ = [
    "PIPELINES",
    "Embeddings",
    "MaskedLM",
    "MultipleChoice",
    "Pipeline",
    "Similarity",
    "TextClassification",
    "TokenClassification",
    "pipeline_class",
]
