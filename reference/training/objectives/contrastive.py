"""Ranking within a batch: of all its documents a query is to find its own."""

from __future__ import annotations

import numpy as np

from reference.checks import check_number
from reference.errors import InputError
from reference.training.objectives.comparing import (
    Compared,
    normalized,
    softmax,
    through_normalized,
)

SCALE = 20.0  # what cosines are multiplied with, where the model learns no temperature


def ranking(
    queries: np.ndarray,
    documents: np.ndarray,
    negatives: np.ndarray | None = None,
    scale: float = SCALE,
    both: bool = False,
) -> Compared:
    """The cross entropy of finding documents[i] for queries[i] among all documents, and all
    `negatives` that there are of whichever query, by cosines times `scale` (van den Oord et
    al. 2018; Henderson et al. 2017).

    With `both` it is the mean of that and of finding each document's query among the queries.
    Vectors are [pairs, size], negatives [any number, size].
    """
    pairs = len(queries)
    if pairs == 0 or np.shape(documents) != np.shape(queries):
        raise InputError(
            f"queries have shape {np.shape(queries)} and documents {np.shape(documents)}; "
            "there must be one document for each query, and a pair at least"
        )
    scale = check_number("scale", scale)
    if scale <= 0:
        raise InputError(f"scale is {scale}; cosines are multiplied with a number above 0")
    asked, asked_lengths = normalized(queries)
    all_of_them = documents if negatives is None else np.concatenate([documents, negatives])
    found, found_lengths = normalized(all_of_them)
    cosines = asked @ found.T  # [pairs, candidates]
    own = np.arange(pairs)

    share, total = softmax(scale * cosines, axis=1)
    loss = (total - scale * cosines[own, own]).mean()
    share[own, own] -= 1
    wanted = share / pairs  # the gradient in scale * cosines
    if both:
        square = cosines[:, :pairs]
        share, total = softmax(scale * square, axis=0)
        loss = (loss + (total - scale * square[own, own]).mean()) / 2
        share[own, own] -= 1
        wanted[:, :pairs] += share / pairs
        wanted /= 2

    in_asked = through_normalized(scale * wanted @ found, asked, asked_lengths)
    in_found = through_normalized(scale * wanted.T @ asked, found, found_lengths)
    gradients = (in_asked, in_found[:pairs])
    if negatives is not None:
        gradients += (in_found[pairs:],)
    return Compared(float(loss), gradients, float((wanted * cosines).sum()))
