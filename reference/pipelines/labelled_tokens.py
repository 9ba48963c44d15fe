"""The tokens of a text with what each may be, and what is labelled: tokens, or words."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from reference.pipelines.results import Result

Units = tuple[list[tuple[int, int]], np.ndarray]  # offsets, and probabilities [units, labels]


@dataclass(frozen=True)
class Span(Result):
    """A piece of a text and its label: `text` is what stands in the original from character
    `start` to before character `end`."""

    start: int
    end: int
    label: str
    score: float
    text: str


@dataclass(frozen=True, eq=False)
class TokenProbabilities(Result):
    """The tokens of a text, special ones left out, and what each of them may be.

    offsets are characters of the text, without the white space that a token may begin with.
    words count the words that the tokenizer splits the text into; white space that is a word by
    itself has None. probabilities are [tokens, labels].
    """

    text: str
    labels: tuple[str, ...]
    offsets: list[tuple[int, int]]
    words: list[int | None]
    probabilities: np.ndarray

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        best = self.probabilities.argmax(axis=1)
        rows = zip(self.offsets, best, self.probabilities, strict=True)
        return ["token", "label", "probability"], [
            [self.text[start:end], self.labels[label], row[label]]
            for (start, end), label, row in rows
        ]


def without_space(text: str, start: int, end: int) -> tuple[int, int]:
    """The same piece without white space about it; nothing but white space stays as it is."""
    piece = text[start:end]
    bare = piece.strip()
    if not bare or len(bare) == len(piece):
        return start, end
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _every_token(read: TokenProbabilities) -> Units:
    return read.offsets, read.probabilities


def _tokens_of_words(read: TokenProbabilities) -> Units:
    tokens = [token for token, word in enumerate(read.words) if word is not None]
    return [read.offsets[token] for token in tokens], read.probabilities[tokens]


def _words(read: TokenProbabilities, reduce: Callable[[np.ndarray], np.ndarray]) -> Units:
    places, rows = [], []
    for word, group in itertools.groupby(range(len(read.words)), read.words.__getitem__):
        if word is not None:
            tokens = list(group)
            places.append((read.offsets[tokens[0]][0], read.offsets[tokens[-1]][1]))
            rows.append(reduce(read.probabilities[tokens]))
    return places, np.array(rows)


# What each aggregation labels.
UNITS: dict[str, Callable[[TokenProbabilities], Units]] = {
    "none": _every_token,
    "simple": _tokens_of_words,
    "first": partial(_words, reduce=lambda rows: rows[0]),
    "average": partial(_words, reduce=lambda rows: rows.mean(axis=0)),
    "max": partial(_words, reduce=lambda rows: rows[rows.max(axis=1).argmax()]),
}
