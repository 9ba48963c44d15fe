"""From logits to probabilities, in float64: what a model computed in half precision is not
rounded once more, and small ones keep their digits as logarithms."""

from __future__ import annotations

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    logits = np.asarray(logits, np.float64)
    return logits - log_sum_exp(logits)[..., None]


def log_sum_exp(values: np.ndarray) -> np.ndarray:
    """Over the last axis; the largest is taken out first, so that nothing overflows."""
    values = np.asarray(values, np.float64)
    largest = values.max(axis=-1, keepdims=True)
    return np.log(np.exp(values - largest).sum(axis=-1)) + largest[..., 0]


def best_first(scores: np.ndarray, count: int | None = None) -> np.ndarray:
    """The places of the highest scores; of equal ones the first comes first."""
    count = len(scores) if count is None else min(count, len(scores))
    if count == len(scores):
        return np.argsort(-scores, kind="stable")
    least = np.partition(scores, -count)[-count]
    places = np.flatnonzero(scores >= least)
    return places[np.argsort(-scores[places], kind="stable")][:count]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, with the largest taken off first, so that none overflows."""
    logits = logits.astype(np.float64)
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """From e^-|x|, which never overflows."""
    logits = logits.astype(np.float64)
    small = np.exp(-np.abs(logits))
    return np.where(logits < 0, small, 1.0) / (1.0 + small)
