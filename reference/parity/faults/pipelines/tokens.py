"""Bugs between the labels of tokens and the spans of a text."""

from __future__ import annotations

from typing import Any

from reference.parity.faults.fault import Patch
from reference.parity.faults.pipelines.fault import PipelineFault, Pipelines


def _words_between_spaces(code: Pipelines) -> list[Patch]:
    def words(self: Any, text: str) -> list[int]:
        numbers: list[int] = []
        for start, _ in self.encoding.offsets[self.first : self.end]:
            begins = not numbers or " " in text[start - 1 : start + 1]
            numbers.append(numbers[-1] + begins if numbers else 0)
        return numbers

    return [(code.overlapping.Framed, "words", words)]


def _space_kept(code: Pipelines) -> list[Patch]:
    whole = lambda text, start, end: (start, end)
    return [
        (room, "without_space", whole) for room in (code.overlapping, code.token_classification)
    ]


def _first_window(code: Pipelines) -> list[Patch]:
    plain = code.token_classification.TokenClassification._windows
    first = lambda self, *text: plain(self, *text)[:1]
    return [(code.token_classification.TokenClassification, "_windows", first)]


FAULTS = (
    PipelineFault(
        "words_between_spaces",
        "tag",
        "words guessed from spaces: what stands next to a hyphen or a comma is one word",
        _words_between_spaces,
    ),
    PipelineFault(
        "space_in_the_span",
        "tag",
        "spans that begin with the space that a byte-level token has in it",
        _space_kept,
    ),
    PipelineFault(
        "the_rest_dropped",
        "tag",
        "a text read as far as the model takes it; nothing after that has a label",
        _first_window,
    ),
)
