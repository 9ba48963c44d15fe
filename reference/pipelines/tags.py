"""What the labels of tokens say: which tag a label belongs to, where in a span it may stand;
and the best sequence of them that is a legal one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

OUTSIDE = "O"
# The part of a span that a label names: BIO has the first two, BIOES all four; BILOU writes
# the last two (for "last" and "unit") in its own way.
PARTS = {"B": "begin", "I": "inside", "E": "end", "S": "single", "L": "end", "U": "single"}
TINY = np.finfo(np.float64).tiny


class Tags:
    """The labels of a model, read.

    `B-x` and `I-x` are parts of the tag x, as Transformers reads them. Where there are such
    labels, `E-x` and `S-x`, or `L-x` and `U-x`, are parts too. `O` is no tag. Every other label
    is a tag by itself, and tokens beside one another that have it are one span; so is the tag
    of a model that has no more than `I-x`.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        prefixed = any(re.match("[BI]-.", label) for label in labels)
        read = [_read(label, prefixed) for label in labels]
        self.parts = tuple(part for part, _ in read)
        self.tags = tuple(tag for _, tag in read)
        self.outside = np.array([tag is None for tag in self.tags])
        kinds = {tag: {part for part, own in read if own == tag} for tag in self.tags}
        having = [kinds[tag] for tag in self.tags]
        begins = [
            part in ("begin", "single") or not has & {"begin", "single"}
            for part, has in zip(self.parts, having, strict=True)
        ]
        ends = [
            part in ("end", "single")
            or (part == "begin" and "single" not in has)
            or (part == "inside" and "end" not in has)
            for part, has in zip(self.parts, having, strict=True)
        ]
        self.begins = np.array(begins) | self.outside  # whether a span may begin with it
        self.ends = np.array(ends) | self.outside
        self.legal = np.array(
            [
                [(self.ends[a] and self.begins[b]) or self.goes_on(a, b) for b in self._all]
                for a in self._all
            ]
        )

    @property
    def _all(self) -> range:
        return range(len(self.labels))

    def goes_on(self, label: int, following: int) -> bool:
        """Whether the second label continues the span that the first is in."""
        return (
            self.tags[label] is not None
            and self.tags[label] == self.tags[following]
            and self.parts[label] in ("begin", "inside")
            and self.parts[following] in ("inside", "end")
        )

    def best_path(self, probabilities: np.ndarray) -> np.ndarray:
        """The label of each row of [places, labels], so that the product of their
        probabilities is the greatest that a legal sequence has (Viterbi 1967).

        A span begins with B or S and ends with E or S, or, of a tag that has no such labels,
        with what there is; so there is always one.
        """
        scores = np.log(np.maximum(probabilities, TINY))
        steps = np.where(self.legal, 0.0, -np.inf)
        reached = scores[0] + np.where(self.begins, 0.0, -np.inf)
        came_from = np.zeros(scores.shape, np.int64)
        for place in range(1, len(scores)):
            through = reached[:, None] + steps
            came_from[place] = through.argmax(axis=0)
            reached = through.max(axis=0) + scores[place]
        path = np.zeros(len(scores), np.int64)
        path[-1] = (reached + np.where(self.ends, 0.0, -np.inf)).argmax()
        for place in range(len(scores) - 1, 0, -1):
            path[place - 1] = came_from[place, path[place]]
        return path


def _read(label: str, prefixed: bool) -> tuple[str, str | None]:
    if label == OUTSIDE:
        return "single", None
    found = re.fullmatch("([BIESLU])-(.+)", label, re.DOTALL) if prefixed else None
    return (PARTS[found[1]], found[2]) if found else ("inside", label)
