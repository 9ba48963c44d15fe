"""Which tokens of a text a detection is, whatever way it was pointed at: by characters, by
words, by marks in the text, by a piece of it, or by tokens themselves."""

from __future__ import annotations

import bisect
import itertools
import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.errors import InputError, shown
from reference.pipelines.labelled_tokens import without_space
from reference.pipelines.results import LABELS_SHOWN, Result
from reference.text.encoding import Origins

CHARACTERS, WORDS, TOKENS = UNITS = ("characters", "words", "tokens")
_MARK = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


@dataclass(frozen=True, repr=False, slots=True)
class Detection(Result):
    """A piece of a text, which stands there from character `start` to before character `end`;
    the labels that it is given; and all labels with their probabilities, best first.

    Of a model with independent labels these are the ones whose probability reaches their
    threshold, none of them perhaps; of one with labels that exclude each other, the best.
    """

    start: int
    end: int
    text: str
    given: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]

    def __repr__(self) -> str:
        pairs = list(zip(self.labels, self.probabilities, strict=True))
        parts = [f"{label!r}: {probability:.4f}" for label, probability in pairs[:LABELS_SHOWN]]
        if len(pairs) > LABELS_SHOWN:
            parts.append(f"… {len(pairs) - LABELS_SHOWN} more")
        given = ", ".join(map(repr, self.given)) or "no label"
        return f"Detection({self.start}:{self.end} {self.text!r}: {given}; {', '.join(parts)})"

    def table(self) -> tuple[Sequence[str], list[list[Any]]]:
        row = [f"{self.start}:{self.end}", self.text, ", ".join(self.given)]
        return ["characters", "text", "labels", "best probability"], [
            [*row, self.probabilities[0]]
        ]


def labelled(
    pieces: Iterable[tuple[str, tuple[int, int]]],
    shares: np.ndarray,
    labels: tuple[str, ...],
    least: np.ndarray | None,
) -> Iterator[Detection]:
    """A Detection for each piece of a text and its row of probabilities [pieces, labels]. A
    label is given from its `least` probability on; without these the best is."""
    order = np.argsort(-shares, axis=-1, kind="stable")
    names = np.array(labels, object)[order]
    best = np.take_along_axis(shares, order, axis=-1)
    first = np.arange(len(labels)) == 0
    enough = np.broadcast_to(first, best.shape) if least is None else best >= least[order]
    # Rows become lists one by one: all at once they would be many objects to look after.
    for (text, (start, end)), own, given, probabilities in zip(
        pieces, names, enough, best, strict=True
    ):
        own = tuple(own.tolist())
        chosen = tuple(itertools.compress(own, given.tolist()))
        yield Detection(start, end, text[start:end], chosen, own, tuple(probabilities.tolist()))


class TokenPlaces:
    """Where the tokens of a text stand in it: one after the other, though two may share a
    character that is cut into its bytes."""

    def __init__(self, origins: Origins) -> None:
        offsets, special = origins.offsets, origins.special_tokens_mask
        self.own = [token for token, alone in enumerate(special) if not alone]
        self.starts = [offsets[token][0] for token in self.own]
        self.ends = [offsets[token][1] for token in self.own]

    def of(self, start: int, end: int) -> list[int]:
        """The tokens that share a character with that piece of the text, which neither begins
        nor ends with white space. A token may: but none shares only that with the piece."""
        first = bisect.bisect_right(self.ends, start)
        return self.own[first : bisect.bisect_left(self.starts, end)]


def without_marks(text: str, where: str) -> tuple[str, list[tuple[int, int]]]:
    """A text in which pieces are marked with double brackets, [[like this]]: the text without
    them, and where the pieces are."""
    parts, spans, place, at, inside = [], [], 0, 0, None
    for found in _MARK.finditer(text):
        before = text[at : found.start()]
        parts += [before, found[1]]
        place += len(before)
        spans.append((place, place + len(found[1])))
        place += len(found[1])
        at = found.end()
        inside = inside or (found[1] if {"[", "]"} & {*found[1]} else None)
    parts.append(text[at:])
    odd = next((part for part in parts if "[[" in part or "]]" in part), None)
    if odd is not None:
        mark = "[[" if "[[" in odd else "]]"
        raise InputError(
            f"{where} has {mark} without its other half, or one mark inside of another; a "
            "piece is marked [[like this]]. With spans= the text is taken as it is"
        )
    if inside is not None:
        raise InputError(
            f"{where} has a bracket inside of a mark, in {shown(inside, 60)}; if that is no "
            "mark but a list, say spans=, with which the text is taken as it is"
        )
    if not spans:
        raise InputError(
            f"{where} has no marks: mark the pieces that are meant [[like this]], or say where "
            "they are"
        )
    return "".join(parts), spans


def characters_of(text: str, span: Any, by: str, where: str) -> tuple[int, int]:
    """From which character to which a span is, without white space at its ends."""
    if isinstance(span, str):
        start, end = _only_place(text, span, where)
    else:
        first, last = _pair(span, by, where)
        units = len(text)
        if by == WORDS:
            words = [found.span() for found in re.finditer(r"\S+", text)]
            units = len(words)
        if 0 <= last <= first <= units:
            raise InputError(
                f"{where}: the span {shown(span, 40)} has nothing in it; its end, which is not "
                "included, must come after its start"
            )
        if not 0 <= first < last <= units:
            raise InputError(
                f"{where}: the span {shown(span, 40)} does not lie in a text of {units} {by}"
            )
        start, end = (
            (first, last) if by == CHARACTERS else (words[first][0], words[last - 1][1])
        )
    start, end = without_space(text, start, end)
    if text[start:end].isspace():
        raise InputError(f"{where}: at {start} to {end} there is nothing but white space")
    return start, end


def listed(spans: Any, message: str) -> list[Any]:
    """Spans as a list; what has no order, or is a single one, is refused with the message."""
    try:
        if not isinstance(spans, (str, bytes, Mapping, set, frozenset)):
            return list(spans)
    except TypeError:
        pass
    raise InputError(message)


def tokens_between(span: Any, count: int, where: str) -> tuple[int, int]:
    """The first token and the last of a span that is given by tokens."""
    first, last = _pair(span, TOKENS, where)
    if not 0 <= first < last <= count:
        raise InputError(
            f"{where}: the tokens {shown(span, 40)} are not among 0 to {count - 1}, which the "
            "model reads of it"
        )
    return first, last - 1


def _pair(span: Any, by: str, where: str) -> tuple[int, int]:
    """Start and end; a number by itself is one unit."""
    try:
        if by != CHARACTERS and not isinstance(span, (list, tuple, np.ndarray)):
            number = operator.index(span)
            return number, number + 1
        first, last = span
        return operator.index(first), operator.index(last)
    except (TypeError, ValueError):
        alone = "" if by == CHARACTERS else f", or the number of one of the {by}"
        raise InputError(
            f"{where}: a span is {shown(span, 40)}; by {by} it must be (start, end), "
            f"whole numbers{alone}, or else a piece of the text. A text has a list of them, as "
            "in [(0, 4)]"
        ) from None


def _only_place(text: str, piece: str, where: str) -> tuple[int, int]:
    """Where a piece stands that is there once, as whole words."""
    if not piece.strip():
        raise InputError(
            f"{where}: a span is {shown(piece, 40)}; it must be a piece of the text"
        )
    before = r"(?<!\w)" if piece[0].isalnum() else ""
    after = r"(?!\w)" if piece[-1].isalnum() else ""
    found = [place.span() for place in re.finditer(before + re.escape(piece) + after, text)]
    if not found:
        raise InputError(f"{where}: {shown(piece, 60)} is not in the text, as a whole word")
    if len(found) > 1:
        places = ", ".join(f"({start}, {end})" for start, end in found[:4])
        raise InputError(
            f"{where}: {shown(piece, 60)} is there {len(found)} times, at {places}; say which"
        )
    return found[0]
