"""A few words that stand for a whole vocabulary, drawn once for every framework.

A softmax over thousands of words costs a small model a third of each step, or more. Sampled
softmax (Jean et al. 2015) scores the right word and some negatives, and takes from each logit
the logarithm of how likely its word was to be among them. A word that is seldom drawn then
counts for all those that might have been drawn in its place, and so the gradient comes close to
that of the whole softmax as the negatives grow.

Frequent words are drawn more often, by a law that needs no table: of words sorted by frequency,
the most frequent first, word k has the share log((k + 2) / (k + 1)) / log(size + 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reference.checks import check_whole
from reference.errors import InputError

AT_ONCE = 1024  # draws


def log_uniform(ids: np.ndarray, size: int) -> np.ndarray:
    """The share of each of these words in the draws from a vocabulary of that size."""
    return np.log1p(1 / (np.asarray(ids, np.float64) + 1)) / np.log(size + 1)


@dataclass(frozen=True)
class Negatives:
    """Different words, and how many draws it took to have so many."""

    ids: np.ndarray  # int64, in the order in which they were drawn
    tries: int
    size: int  # of the vocabulary

    def expected(self, ids: np.ndarray) -> np.ndarray:
        """How likely each of these words was to be among the negatives: that one of so many
        draws hits it. (TensorFlow takes the sum of the draws' shares where no word came twice,
        which may be more than 1, and is further from what happens.)"""
        return -np.expm1(self.tries * np.log1p(-log_uniform(ids, self.size)))


def draw(count: int, size: int, seed: int) -> Negatives:
    """So many different words; the same seed gives the same ones."""
    size = check_whole("size", size, 2)
    count, seed = check_whole("count", count, 1), check_whole("seed", seed, 0)
    if count >= size:
        raise InputError(
            f"{count} negatives are to be drawn from a vocabulary of {size}; there must be "
            "fewer than it has words"
        )
    found: dict[int, None] = {}  # in the order of the draws
    tries, words = 0, _draws(size, seed)
    while len(found) < count:
        found[next(words)] = None
        tries += 1
    return Negatives(np.array(list(found), np.int64), tries, size)


def _draws(size: int, seed: int) -> Iterator[int]:
    generator = np.random.default_rng(seed)
    while True:
        powers = np.exp(generator.random(AT_ONCE) * np.log(size + 1))
        yield from np.minimum(powers.astype(np.int64) - 1, size - 1).tolist()


@dataclass(frozen=True)
class Candidates:
    """What is scored in place of the vocabulary, for answers [answers]."""

    ids: np.ndarray  # int64 [candidates]: all negatives, and all answers
    labels: np.ndarray  # int64 [answers]: which of the candidates is the answer
    # float64 [answers, candidates]: what is added to the logits. It is -inf where a candidate
    # is none for this answer: the answer of another.
    offsets: np.ndarray


def candidates(answers: np.ndarray, negatives: Negatives) -> Candidates:
    """Each answer beside the negatives. Where it is one of them by accident, it is there once,
    as the answer."""
    ids, labels = np.unique(answers, return_inverse=True)
    drawn = np.setdiff1d(negatives.ids, ids)
    ids = np.concatenate([ids, drawn])
    offsets = np.broadcast_to(-np.log(negatives.expected(ids)), (len(labels), len(ids))).copy()
    offsets[:, ~np.isin(ids, negatives.ids)] = -np.inf
    own = np.arange(len(labels))
    offsets[own, labels] = -np.log(negatives.expected(answers))
    return Candidates(ids, labels.astype(np.int64), offsets)
