"""Two lists of texts, or of their vectors, compared each with each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.checks import check_name, check_switch, check_texts, check_vectors
from reference.errors import InputError
from reference.pipelines.late_interaction import max_sim
from reference.pipelines.results import Result
from reference.pipelines.scores import SCORES


@dataclass(frozen=True, eq=False)
class Similarity(Result):
    """Embeddings of both sides and scores[i, j], how alike text i and reference j are: the
    cosine between them, or what the checkpoint or the caller names in its place.

    In late interaction the embeddings are lists of arrays, a vector a token.
    """

    embeddings: np.ndarray | list[np.ndarray]
    reference_embeddings: np.ndarray | list[np.ndarray]
    scores: np.ndarray


def is_vectors(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def check_late(late_interaction: Any, metric: str | None, truncate_dim: int | None) -> bool:
    if not check_switch("late_interaction", late_interaction):
        return False
    if metric is not None:
        raise InputError("late interaction compares by MaxSim; leave metric out")
    if truncate_dim is not None:
        raise InputError("late interaction compares whole vectors; leave truncate_dim out")
    return True


def compare(
    encode: Callable[[list[str]], Any],
    texts: Any,
    references: Any,
    metric: str | None,
    dimensions: int,
) -> Similarity:
    """Both sides, texts that `encode` makes vectors of, or vectors; without a metric, those of
    tokens."""
    if metric is not None:
        check_name(metric, SCORES, "metric")
    sides = [
        _embeddings(encode, side, name, dimensions, metric is None)
        for name, side in (("texts", texts), ("references", references))
    ]
    return Similarity(*sides, max_sim(*sides) if metric is None else SCORES[metric](*sides))


def _embeddings(encode: Any, side: Any, name: str, dimensions: int, late: bool) -> Any:
    if late and isinstance(side, list) and side and all(map(is_vectors, side)):
        size = side[0].shape[-1]
        return [check_vectors(array, f"{name}[{n}]", size) for n, array in enumerate(side)]
    if is_vectors(side) and not late:
        return check_vectors(side, name, dimensions)
    return encode(check_texts(side, name))
