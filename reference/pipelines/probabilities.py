"""From logits to probabilities, in float64 whatever the model computes in."""

from __future__ import annotations

import numpy as np


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
