"""Gaps and answers: how likely a masked language model finds certain tokens at its masks.

An answer of several tokens stands at as many masks in a row. They are filled from left to
right, and each token is asked for where those before it are seen and those after it are still
masked:

    log P(answer) = sum over i of log P(token i | tokens before i, masks from i on, the rest)

This is the pseudo-log-likelihood of Salazar et al. (2020) with the correction of Kauf and
Ivanova (2023): were the later tokens of a word seen as well, they would give the word away. For
a given number of masks the probabilities of all answers sum to one, so an answer is not
punished for its length. But the number of masks tells the model how long the answer is, which
flatters what is rare at its length; and of a word's segmentations only the tokenizer's counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reference.errors import CheckpointError, InputError
from reference.families import tasks
from reference.pipelines.base import Pipeline
from reference.pipelines.probabilities import log_softmax
from reference.text import Encoding

Answer = tuple[int, ...]  # its tokens


@dataclass(frozen=True)
class Gap:
    """A text with masks at these places, and an answer with a token for each of them."""

    encoding: Encoding
    places: tuple[int, ...]
    answer: Answer


class Partly(Encoding):
    """A text in which some masks are filled, and the tokens that are asked for at one more."""

    __slots__ = ("place", "wanted")

    def __init__(self, encoding: Encoding, places: Sequence[int], tokens: Answer) -> None:
        """The first of the places are filled with the tokens, and the next is asked for."""
        ids = list(encoding)
        for place, token in zip(places, tokens, strict=False):
            ids[place] = token
        super().__init__(ids, encoding.token_type_ids, encoding.cut, encoding.find_origins)
        self.place = places[len(tokens)]
        self.wanted: set[int] = set()


class Cloze(Pipeline):
    """A masked language model that is asked for what stands at masks."""

    task = tasks.MASKED_LM

    @property
    def mask(self) -> int | None:
        return self.tokenizer.mask_token_id

    def _check_mask(self) -> None:
        if self.mask is None:
            raise CheckpointError(
                f"{self.checkpoint.folder}: this tokenizer has no mask token, so there is "
                "nothing to fill"
            )

    def _log_probabilities(self, gaps: Sequence[Gap], batch_size: int) -> np.ndarray:
        """Of each gap's answer. What several answers ask alike is asked once."""
        asked: dict[tuple[int, ...], int] = {}
        questions: list[Partly] = []
        steps: list[tuple[int, int, int]] = []  # the gap, the question, the token
        for number, gap in enumerate(gaps):
            for step, token in enumerate(gap.answer):
                question = Partly(gap.encoding, gap.places, gap.answer[:step])
                same = asked.setdefault((question.place, *question), len(questions))
                if same == len(questions):
                    questions.append(question)
                questions[same].wanted.add(token)
                steps.append((number, same, token))
        found = self._logits(questions, batch_size, _read, its_place)
        scores = np.zeros(len(gaps))
        for number, question, token in steps:
            scores[number] += found[question][token]
        return scores

    def _answer(self, text: str, begins_word: bool, what: str) -> Answer:
        """The tokens of an answer; `what` names it in an error."""
        ids = self.tokenizer.vocabulary.spelled(text.strip(), begins_word)
        if not text.strip() or not ids:
            raise InputError(f"{what} is {text!r}, which has no tokens; it must be a word")
        if self.tokenizer.unk_token_id in ids:
            raise InputError(
                f"{what}, {text!r:.80}, is not in this model's vocabulary: the tokenizer makes "
                "the unknown token of it"
            )
        if self.mask in ids:
            raise InputError(f"{what}, {text!r:.80}, holds the mask; it must be a word")
        return tuple(ids)


def its_place(question: Partly) -> list[int]:
    return [question.place]


def _read(logits: np.ndarray, question: Partly) -> dict[int, float]:
    row = log_softmax(logits[0])
    return {token: float(row[token]) for token in question.wanted}


def widened(encoding: Encoding, place: int, masks: int) -> Encoding:
    """The encoding with so many masks in the place of one."""
    more = [encoding[place]] * (masks - 1)
    types = [encoding.token_type_ids[place]] * (masks - 1)
    return Encoding(
        [*encoding[:place], *more, *encoding[place:]],
        [*encoding.token_type_ids[:place], *types, *encoding.token_type_ids[place:]],
        encoding.cut,
        encoding.find_origins,
    )
