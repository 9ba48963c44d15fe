"""Bugs in what is asked at a mask, and in what counts as an answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.parity.faults.fault import Patch
from reference.parity.faults.pipelines.fault import PipelineFault, Pipelines

NOTHING = -700.0  # the logarithm of what is zero for every purpose


def _first_token(code: Pipelines) -> list[Patch]:
    plain = code.cloze.Cloze._answer
    return [(code.cloze.Cloze, "_answer", lambda self, *word: plain(self, *word)[:1])]


def _question_cut(code: Pipelines) -> list[Patch]:
    def prompt(self: Any, text: str, number: int, question: Any) -> Any:
        values = {"text": text, "mask": self.tokenizer.mask_token, **question.values}
        (cut,) = self.tokenizer([question.template.fill(values)[0]])
        masks = np.flatnonzero(np.array(cut) == self.mask)
        return cut, int(masks[-1]) if masks.size else 0

    return [(code.zero_shot.ZeroShot, "_prompt", prompt)]


def _first_mask(code: Pipelines) -> list[Patch]:
    plain = code.zero_shot.ZeroShot._prompt

    def prompt(self: Any, *of_text: Any) -> Any:
        cut, _ = plain(self, *of_text)
        return cut, cut.index(self.mask)

    return [(code.zero_shot.ZeroShot, "_prompt", prompt)]


def _one_spelling(code: Pipelines) -> list[Patch]:
    plain = code.zero_shot.ZeroShot._spellings
    one = lambda self, *word: plain(self, *word)[-1:]
    return [(code.zero_shot.ZeroShot, "_spellings", one)]


def _ten_best(code: Pipelines) -> list[Patch]:
    plain = code.cloze._read

    def read(logits: np.ndarray, question: Any) -> dict[int, float]:
        ten = set(np.argsort(-logits[0])[:10].tolist())
        found = plain(logits, question)
        return {token: score if token in ten else NOTHING for token, score in found.items()}

    return [(code.cloze, "_read", read)]


FAULTS = (
    PipelineFault(
        "first_token_of_a_target",
        "fill",
        "a target of several tokens scored as its first: damnation as damn",
        _first_token,
    ),
    PipelineFault(
        "question_cut",
        "zero-shot",
        "a long text's question cut off, and its mask with it; [CLS] is read in its place",
        _question_cut,
    ),
    PipelineFault(
        "first_mask_of_the_text",
        "zero-shot",
        "the first mask read, though it stands in the text and not in the question",
        _first_mask,
    ),
    PipelineFault(
        "ten_best_only",
        "zero-shot",
        "labels looked for among the ten likeliest tokens; any other has probability zero",
        _ten_best,
    ),
    PipelineFault(
        "one_spelling",
        "zero-shot",
        "an answer counted as it is spelled without a space before it, and not with one",
        _one_spelling,
    ),
)
