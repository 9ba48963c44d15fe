"""How well labels and spans are found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np


def label_scores(answers: Sequence[Any], found: Sequence[Any]) -> dict[str, float]:
    """The share that is right; and the mean of every label's F1, in which a rare one counts as
    much as a common one."""
    answers, found = np.asarray(answers), np.asarray(found)
    labels = np.unique(answers)
    each = [
        f1(*(int(np.sum(part)) for part in (a & b, ~a & b, a & ~b)))
        for a, b in ((answers == label, found == label) for label in labels)
    ]
    return {"accuracy": float((answers == found).mean()), "macro_f1": float(np.mean(each))}


def many_label_scores(
    found: np.ndarray, answers: np.ndarray, counted: np.ndarray | None = None
) -> dict[str, float]:
    """Of rows of which each has any number of labels [rows, labels], where they are counted:
    the share of rows that are wholly right, the F1 of all labels together, and the mean of
    every label's."""
    counted = np.ones(found.shape, bool) if counted is None else counted
    right, rows = (found == answers) | ~counted, counted.any(axis=1)
    hits, extra, missed = (
        (part & counted).sum(axis=0)
        for part in (found & answers, found & ~answers, ~found & answers)
    )
    there = (answers & counted).any(axis=0)
    each = [
        f1(*map(int, counts))
        for counts in zip(hits[there], extra[there], missed[there], strict=True)
    ]
    return {
        "accuracy": float(right[rows].all(axis=1).mean()) if rows.any() else 0.0,
        "micro_f1": f1(int(hits.sum()), int(extra.sum()), int(missed.sum())),
        "macro_f1": float(np.mean(each)) if each else 0.0,
    }


def span_scores(
    answers: Sequence[Collection[tuple[int, int, str]]],
    found: Sequence[Collection[tuple[int, int, str]]],
) -> dict[str, Any]:
    """Precision, recall and F1 of the spans of all texts together; one is right where both ends
    and the label are. Then the F1 of each label by itself."""
    pairs = [(set(a), set(b)) for a, b in zip(answers, found, strict=True)]
    labels = sorted({label for spans in answers for *_, label in spans})
    hits, extra, missed = _counts(pairs)
    return {
        "precision": hits / max(1, hits + extra),
        "recall": hits / max(1, hits + missed),
        "f1": f1(hits, extra, missed),
        "f1_by_label": {
            label: f1(*_counts([(_only(a, label), _only(b, label)) for a, b in pairs]))
            for label in labels
        },
    }


def f1(hits: int, extra: int, missed: int) -> float:
    """The harmonic mean of precision and recall; 0 where nothing is right."""
    return 2 * hits / (2 * hits + extra + missed) if hits else 0.0


def _only(spans: set[tuple[int, int, str]], label: str) -> set[tuple[int, int, str]]:
    return {span for span in spans if span[2] == label}


def _counts(pairs: Sequence[tuple[set, set]]) -> tuple[int, int, int]:
    return (
        sum(len(a & b) for a, b in pairs),
        sum(len(b - a) for a, b in pairs),
        sum(len(a - b) for a, b in pairs),
    )
