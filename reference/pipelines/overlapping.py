"""Long texts by windows that overlap, each token read where it has most text around it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from reference.pipelines.labelled_tokens import without_space
from reference.text import Encoding


def windows_over(tokens: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """Where windows of `size` tokens begin and end, one where all fit. Each begins `overlap`
    tokens before the end of the last; the final one ends with the text and is as long as the
    others, so that it may overlap more."""
    if tokens <= size:
        return [(0, tokens)]
    starts = [*range(0, tokens - size, size - overlap), tokens - size]
    return [(start, start + size) for start in starts]


def widest_context(windows: Sequence[tuple[int, int]]) -> np.ndarray:
    """For each token the number of the window that it is read in: of those that hold it the one
    in which it is furthest from an edge, and the first of two alike. The text's own beginning
    and end are no edges: there is nothing to be seen beyond them."""
    tokens = windows[-1][1]
    chosen, widest = np.zeros(tokens, np.int64), np.full(tokens, -1.0)
    for number, (start, end) in enumerate(windows):
        places = np.arange(start, end, dtype=np.float64)
        before = places - start if start else np.inf
        after = end - 1 - places if end < tokens else np.inf
        context = np.minimum(before, after)
        better = context > widest[start:end]
        chosen[start:end][better] = number
        widest[start:end] = np.maximum(widest[start:end], context)
    return chosen


class Framed:
    """The tokens of a whole text, between the special ones that its tokenizer puts before and
    after them."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        own = [
            place for place, special in enumerate(encoding.special_tokens_mask) if not special
        ]
        self.first, self.end = (own[0], own[-1] + 1) if own else (len(encoding),) * 2

    @property
    def tokens(self) -> int:
        return self.end - self.first

    @property
    def specials(self) -> int:
        return len(self.encoding) - self.tokens

    def window(self, start: int, end: int) -> Encoding:
        """These of the text's tokens, framed as the whole text is."""
        whole = range(len(self.encoding))
        inside = whole[self.first + start : self.first + end]
        kept = [*whole[: self.first], *inside, *whole[self.end :]]
        types = self.encoding.token_type_ids
        return Encoding(
            [self.encoding[token] for token in kept],
            [types[token] for token in kept],
            0,
            lambda: self.encoding.origins.at(kept),
        )

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where in the text each token stands, without the space that it may begin with."""
        places = self.encoding.offsets[self.first : self.end]
        return [without_space(text, *place) for place in places]

    def words(self, text: str) -> list[int | None]:
        """The number of the word that each token is in; None for a word of white space."""
        places = self.encoding.offsets[self.first : self.end]
        words = self.encoding.word_ids[self.first : self.end]
        numbered: list[int | None] = []
        count = 0
        for _, group in itertools.groupby(range(len(words)), words.__getitem__):
            tokens = list(group)
            blank = not any(text[slice(*places[token])].strip() for token in tokens)
            numbered += [None if blank else count] * len(tokens)
            count += not blank
        return numbered
