"""Late interaction: a text is the vectors of its tokens, and is compared token by token
(Khattab & Zaharia 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# How many numbers of the products between tokens are held at once.
PRODUCTS_AT_ONCE = 20_000_000


def max_sim(texts: Sequence[np.ndarray], references: Sequence[np.ndarray]) -> np.ndarray:
    """scores[i, j]: for each token of text i the most alike token of reference j, summed.

    References are laid side by side, without padding: so no pad can be the most alike, as a row
    of zeros would be wherever all real tokens are unlike.
    """
    scores = np.zeros((len(texts), len(references)), np.float32)
    longest = max(map(len, texts), default=1)
    for first, group in _groups(references, PRODUCTS_AT_ONCE // max(longest, 1)):
        row = np.concatenate(group)
        starts = np.cumsum([0, *map(len, group[:-1])])
        columns = slice(first, first + len(group))
        for number, tokens in enumerate(texts):
            alike = np.maximum.reduceat(tokens @ row.T, starts, axis=1)
            scores[number, columns] = alike.sum(axis=0)
    return scores


def _groups(
    references: Sequence[np.ndarray], tokens: int
) -> list[tuple[int, list[np.ndarray]]]:
    """Neighbours of so many tokens together, each group with the number of its first."""
    groups: list[tuple[int, list[np.ndarray]]] = []
    held = 0
    for number, reference in enumerate(references):
        if not groups or held + len(reference) > tokens:
            groups.append((number, []))
            held = 0
        groups[-1][1].append(reference)
        held += len(reference)
    return groups
