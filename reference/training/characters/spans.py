"""Which characters of a text are masked, and what is asked for in their place.

A whole output token is masked at a time, so that what is to be told is a word or the greater
part of one, from the characters around it. Joshi et al. 2020 (SpanBERT) mask spans as well; the
difference is that here one answer stands for all of a span.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.errors import InputError
from reference.masking import IGNORED
from reference.text.characters import MASK_ID, PAD_ID
from reference.text.output_tokens import Place
from reference.training.characters.augmentation import Altered

# How a text is made worse: its text and a generator give an object with .text, and .origins:
# for each of its characters the place of the one that it stands for.
Augment = Callable[[str, np.random.Generator], Any]


@dataclass(frozen=True)
class Masked:
    """A batch to learn from, padded to its longest text."""

    input_ids: np.ndarray  # int64 [texts, longest]
    attention_mask: np.ndarray  # int64 [texts, longest]
    # int64 [texts, longest]: an output token's id at the first character of each masked span,
    # IGNORED everywhere else
    labels: np.ndarray
    spans: np.ndarray  # int64 [spans, 3]: the text, the first character, one past the last
    texts: tuple[str, ...]  # as the model reads them, before the masks


@dataclass(frozen=True)
class Rule:
    """How much is masked, and in pieces of what length."""

    share: float  # of a text's characters
    least: int  # characters of a span

    def fitting(self, tokens: Sequence[Place], length: int) -> list[Place]:
        """Those that are long enough, and whole within so many characters."""
        return [
            (start, end, number)
            for start, end, number in tokens
            if end - start >= self.least and end <= length
        ]

    def choose(
        self, tokens: Sequence[Place], length: int, generator: np.random.Generator
    ) -> list[Place]:
        """Some of the output tokens of a text of that length, in the order of the text.

        They are taken in an order of chance, until the share of the text is reached: the last
        by chance again, so that the share is right on average; but one at least, where any is
        long enough. Two never touch, for one could not be told from the next.
        """
        tokens = self.fitting(tokens, length)
        chosen: list[Place] = []
        left = self.share * length
        for place in generator.permutation(len(tokens)).tolist():
            start, end, _ = tokens[place]
            if any(start <= last and first <= end for first, last, _ in chosen):
                continue
            if chosen and (end - start) * generator.random() >= left:
                break
            chosen.append(tokens[place])
            left -= end - start
        return sorted(chosen)


def worse(
    text: str,
    tokens: list[Place],
    augment: Augment | None,
    generator: np.random.Generator,
) -> tuple[str, list[Place]]:
    """The text as the model reads it, and its output tokens where they are in that."""
    if augment is None:
        return text, tokens
    made = augment(text, generator)
    origins = np.asarray(made.origins)
    if origins.shape != (len(made.text),):
        raise InputError(
            f"augmentation gave {len(made.text)} characters, and origins of the shape "
            f"{origins.shape}; each character has one"
        )
    return made.text, Altered(made.text, origins).carried(tokens)


def behind_masks(
    texts: Sequence[str], ids: np.ndarray, chosen: Sequence[Sequence[Place]]
) -> Masked:
    """The batch of these texts, whose ids are overwritten."""
    attention, labels = (ids != PAD_ID).astype(np.int64), np.full_like(ids, IGNORED)
    spans = []
    for row, tokens in enumerate(chosen):
        for start, end, number in tokens:
            ids[row, start:end] = MASK_ID
            labels[row, start] = number
            spans.append((row, start, end))
    return Masked(
        ids, attention, labels, np.array(spans, np.int64).reshape(-1, 3), tuple(texts)
    )
