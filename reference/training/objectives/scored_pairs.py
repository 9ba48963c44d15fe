"""Pairs with a score: two texts are to be as alike as somebody found them."""

from __future__ import annotations

import numpy as np

from reference.errors import InputError
from reference.training.objectives.comparing import Compared, normalized, through_normalized

SCALE = 20.0


def cosine_mse(left: np.ndarray, right: np.ndarray, scores: np.ndarray) -> Compared:
    """The mean of (cosine - score)^2; a score is a cosine that is wanted, -1 to 1."""
    scores = _check_scores(left, right, scores)
    if (np.abs(scores) > 1).any():
        raise InputError(
            f"a score is {scores[np.abs(scores).argmax()]:g}; a cosine can only become -1 to "
            "1. Scale the scores, or use cosent, which asks for their order alone"
        )
    pair = _Pairs(left, right)
    off = pair.cosines - scores
    return Compared(float((off**2).mean()), pair.gradients(2 * off / len(off)))


def cosent(
    left: np.ndarray, right: np.ndarray, scores: np.ndarray, scale: float = SCALE
) -> Compared:
    """log(1 + Σ exp(scale (cos_i - cos_j))) over all i, j where pair i has a lower score than
    j (Su 2022, CoSENT): the order of the scores is to be that of the cosines, on whatever
    scale the scores are."""
    scores = _check_scores(left, right, scores)
    pair = _Pairs(left, right)
    logits = scale * (pair.cosines[:, None] - pair.cosines)
    logits = np.where(scores[:, None] < scores, logits, -np.inf)
    highest = max(0.0, logits.max())
    powers = np.exp(logits - highest)
    total = np.exp(-highest) + powers.sum()
    share = powers / total  # the gradient in the logits
    wanted = share.sum(axis=1) - share.sum(axis=0)  # in scale * cosines
    return Compared(
        float(np.log(total) + highest),
        pair.gradients(scale * wanted),
        float((wanted * pair.cosines).sum()),
    )


class _Pairs:
    """Two vectors at a time, and their cosine."""

    def __init__(self, left: np.ndarray, right: np.ndarray) -> None:
        self.left, self.left_lengths = normalized(left)
        self.right, self.right_lengths = normalized(right)
        self.cosines = (self.left * self.right).sum(axis=1)

    def gradients(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """From the gradient in the cosines to that in the vectors."""
        wanted = wanted[:, None]
        return (
            through_normalized(wanted * self.right, self.left, self.left_lengths),
            through_normalized(wanted * self.left, self.right, self.right_lengths),
        )


def _check_scores(left: np.ndarray, right: np.ndarray, scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    shapes = np.shape(left), np.shape(right), scores.shape
    if shapes[0] != shapes[1] or scores.shape != shapes[0][:1] or scores.size == 0:
        raise InputError(
            f"left has shape {shapes[0]}, right {shapes[1]} and scores {shapes[2]}; each pair "
            "has one of each, and there is a pair at least"
        )
    return scores
