"""How alike two vectors are: sentence-transformers' four functions, each between all vectors of
one side and all of the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reference.sentence.modules import Normalize

UNIT = Normalize()


def _cosine(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return UNIT(left) @ UNIT(right).T


def _dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return left @ right.T


def _euclidean(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return _distances(left, right, lambda apart: np.sqrt((apart * apart).sum(axis=1)))


def _manhattan(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return _distances(left, right, lambda apart: np.abs(apart).sum(axis=1))


def _distances(left: np.ndarray, right: np.ndarray, length: Callable) -> np.ndarray:
    """The distances with a minus, so that what is nearer is more alike; a row at a time, which
    takes no more memory than the vectors."""
    scores = np.empty((len(left), len(right)), left.dtype)
    for number, vector in enumerate(left):
        scores[number] = -length(right - vector)
    return scores


SCORES = {
    "cosine": _cosine,
    "dot": _dot,
    "euclidean": _euclidean,
    "manhattan": _manhattan,
}
