"""Pairs with a score: two texts are to be as alike as somebody found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from reference.backend import Model
from reference.checks import check_name
from reference.errors import InputError, shown
from reference.evaluation.correlation import spearman
from reference.training.objectives.comparing import (
    Compared,
    Comparison,
    Side,
    normalized,
    through_normalized,
)
from reference.training.objectives.embedding import HELD_OUT, SCALE, Embedding, Maker
from reference.training.objectives.objective import Given, setting
from reference.training.objectives.records import check_text, records

COSENT, COSINE_MSE = "cosent", "cosine-mse"


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


@dataclass(frozen=True)
class Scored:
    """Two texts and how alike they are."""

    first: str
    second: str
    score: float


@dataclass(frozen=True)
class ScoredRow:
    """The same as ids."""

    first: list[int]
    second: list[int]
    score: float

    def __len__(self) -> int:
        return len(self.first) + len(self.second)


@dataclass(frozen=True)
class ScoredPairs(Embedding):
    """Two texts become as alike as their score says. Data has a first text, a second, and a
    score, which is larger the more alike they are.

    By CoSENT the order of the scores is learned, by the mean squared error the scores
    themselves, which then are cosines, -1 to 1.
    """

    name: ClassVar[str] = "scored-pairs"
    columns: ClassVar[Mapping[str, str]] = {
        "first": "first",
        "second": "second",
        "score": "score",
    }

    pair_loss: str = setting(COSENT, f"{COSENT}, or {COSINE_MSE} for scores of -1 to 1")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name(self.pair_loss, (COSENT, COSINE_MSE), "pair_loss")
        if self.scale is not None and self.pair_loss == COSINE_MSE:
            raise InputError(f"{COSINE_MSE} compares cosines as they are: it has no scale")

    def samples(self, data: Any, columns: Mapping[str, str]) -> list[Scored]:
        found = []
        for where, record in records(data, columns):
            texts = (check_text(record[role], where, role) for role in ("first", "second"))
            found.append(Scored(*texts, self._score(record["score"], where)))
        return found

    def _score(self, value: Any, where: str) -> float:
        try:
            score = float(value)
        except (TypeError, ValueError):
            score = np.nan
        if not np.isfinite(score):
            raise InputError(f"{where}: the score is {shown(value)}; it must be a number")
        if self.pair_loss == COSINE_MSE and abs(score) > 1:
            raise InputError(
                f"{where}: the score is {score:g}; for {COSINE_MSE} it must lie in -1 to 1. "
                f"Scale the scores, or take {COSENT}, which asks for their order alone"
            )
        return score

    def rows(self, samples: Sequence[Scored], given: Given) -> list[ScoredRow]:
        maker = Maker.of(given)
        sides = [
            maker.ids([getattr(sample, side) for sample in samples])
            for side in ("first", "second")
        ]
        scores = [sample.score for sample in samples]
        return [ScoredRow(*row) for row in zip(*sides, scores, strict=True)]

    def example(self, rows: Sequence[ScoredRow], given: Given, seed: int) -> Comparison | None:
        scores = np.array([row.score for row in rows])
        in_order = self.pair_loss == COSENT
        if in_order and (scores == scores[0]).all():
            return None  # there is no order in them
        maker = Maker.of(given)
        way = maker.way()
        sides = (
            Side([row.first for row in rows], way),
            Side([row.second for row in rows], way),
        )
        compare = partial(cosent if in_order else cosine_mse, scores=scores)
        return self.comparison(maker, sides, compare, len(rows), scaled=in_order)

    def scores(self, model: Model, rows: Sequence[ScoredRow], given: Given) -> dict[str, float]:
        """The loss in batches of HELD_OUT, and Spearman's correlation of cosines and scores,
        where there is one."""
        loss, count, cosines = 0.0, 0, []
        for first in range(0, len(rows), HELD_OUT):
            batch = rows[first : first + HELD_OUT]
            lesson = self.example(batch, given, first)
            if lesson is None:
                continue
            part, (left, right) = lesson.judge(model)
            loss, count = loss + part * len(batch), count + len(batch)
            cosines += zip(
                _Pairs(left, right).cosines, [row.score for row in batch], strict=True
            )
        if not count:
            raise InputError("all held-out scores are the same; there is no order to judge by")
        found, wanted = (np.array(column) for column in zip(*cosines, strict=True))
        correlated = {}
        if np.ptp(found) > 0 and np.ptp(wanted) > 0:
            correlated["spearman"] = float(spearman(found, wanted))
        return {"loss": loss / count, **correlated}
