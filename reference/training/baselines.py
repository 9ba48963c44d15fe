"""What one would guess for a hidden word without any network: from how often words occur, and
from the word before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Counts:
    """How often each id occurs, and how often each follows each other one."""

    single: np.ndarray  # [vocab]
    pairs: dict[
        int, tuple[np.ndarray, np.ndarray]
    ]  # id -> the ids that follow it, and how often each does


def count(rows: Iterable[list[int]], vocab_size: int) -> Counts:
    """Count over rows of ids that begin with [CLS] and end with [SEP]. Neither is a word that
    anybody asks for, so they are not counted; but that a word is the first of its row, behind
    [CLS], is worth knowing."""
    single = np.zeros(vocab_size, np.int64)
    codes = []
    for row in rows:
        ids = np.asarray(row[:-1], np.int64)
        single += np.bincount(ids[1:], minlength=vocab_size)
        codes.append(ids[:-1] * vocab_size + ids[1:])
    found, often = np.unique(np.concatenate(codes), return_counts=True)
    firsts, starts = np.unique(found // vocab_size, return_index=True)
    ends = [*starts[1:], len(found)]
    pairs = {
        int(first): (found[start:end] % vocab_size, often[start:end])
        for first, start, end in zip(firsts, starts, ends, strict=True)
    }
    return Counts(single, pairs)


class Unigram:
    """The same guess everywhere: how often a word occurs, each counted once more than it was
    seen."""

    def __init__(self, counts: Counts) -> None:
        self.probabilities = (counts.single + 1) / (counts.single + 1).sum()

    def predict(self, before: int | None) -> np.ndarray:
        """The probability of every id behind the id `before`, which is None where that is
        hidden too."""
        return self.probabilities


class Bigram:
    """How often a word followed the one before, leaning on the unigram where few were seen.

    The share of the unigram is Witten and Bell's: a context with many different successors is
    trusted less (Witten & Bell 1991).
    """

    def __init__(self, counts: Counts) -> None:
        self.unigram = Unigram(counts)
        self.pairs = counts.pairs

    def predict(self, before: int | None) -> np.ndarray:
        """The probability of every id behind the id `before`, which is None where that is
        hidden too."""
        if before is None or before not in self.pairs:
            return self.unigram.probabilities
        ids, often = self.pairs[before]
        total = often.sum() + len(ids)
        probabilities = self.unigram.probabilities * (len(ids) / total)
        probabilities[ids] += often / total
        return probabilities
