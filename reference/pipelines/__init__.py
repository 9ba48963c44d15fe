"""Pipelines: what a user does with a model, written once above the ports."""

from __future__ import annotations

from pathlib import Path

from reference.checks import check_name
from reference.pipelines.base import Pipeline
from reference.pipelines.embeddings import Embeddings, Similarity
from reference.pipelines.inference import named_by_sentence_transformers
from reference.pipelines.masked_lm import MaskedLM
from reference.pipelines.masked_sequence import MaskedSequence
from reference.pipelines.multiple_choice import MultipleChoice
from reference.pipelines.text_classification import TextClassification
from reference.pipelines.token_classification import TokenClassification
from reference.pipelines.zero_shot import ZeroShot

PIPELINES: dict[str, type[Pipeline]] = {
    "embeddings": Embeddings,
    "sentence-similarity": Embeddings,
    "sentence-transformers": Embeddings,
    "masked-lm": MaskedLM,
    "zero-shot-classification": ZeroShot,
    "text-classification": TextClassification,
    "token-classification": TokenClassification,
    "multiple-choice": MultipleChoice,
    "masked-sequence": MaskedSequence,
}


def pipeline_class(name: str, folder: Path | None = None) -> type[Pipeline]:
    """The class of a pipeline's name, and for a folder the one that suits it."""
    chosen = PIPELINES[check_name(name, PIPELINES, "pipeline", "not available")]
    return chosen if folder is None else chosen.for_folder(folder)


__all__ = [
    "PIPELINES",
    "Embeddings",
    "MaskedLM",
    "MaskedSequence",
    "MultipleChoice",
    "Pipeline",
    "Similarity",
    "TextClassification",
    "TokenClassification",
    "ZeroShot",
    "named_by_sentence_transformers",
    "pipeline_class",
]
