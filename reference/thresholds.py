"""From which probability on a label is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reference.masking import IGNORED

if TYPE_CHECKING:  # it takes a tenth of a second to import
    from jaxtyping import Float, Num


def best_thresholds(
    probabilities: Float[np.ndarray, "*batch labels"], labels: Num[np.ndarray, "*batch labels"]
) -> list[float]:
    """Of each label the threshold that gives the best F1, halfway between the two
    probabilities that it parts; one half where no detection has the label, or all do."""
    size = probabilities.shape[-1]
    rows, answers = probabilities.reshape(-1, size), labels.reshape(-1, size)
    counted = (answers != IGNORED) & (answers[:, :1] != IGNORED)
    return [
        _best(rows[counted[:, n], n], answers[counted[:, n], n] >= 0.5) for n in range(size)
    ]


def _best(shares: np.ndarray, right: np.ndarray) -> float:
    if right.all() or not right.any():  # nothing to choose by, an empty one too
        return 0.5
    order = np.argsort(-shares, kind="stable")
    shares, hits = shares[order].astype(np.float64), np.cumsum(right[order])
    given = np.arange(1, len(shares) + 1)
    f1 = 2 * hits / (given + right.sum())
    parts = np.append(shares[:-1] > shares[1:], True)  # equal ones are given together
    place = int(np.argmax(np.where(parts, f1, -1.0)))
    after = shares[place + 1] if place + 1 < len(shares) else 0.0
    return float((shares[place] + after) / 2)
