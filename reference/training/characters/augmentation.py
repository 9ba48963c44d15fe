"""A text as people mistype it, so that a model of characters learns to read it.

Two things go wrong. Somebody does not know how a word is spelt, or has other habits of upper
and lower case; then a finger slips. In this order: a misspelt word is mistyped as well, and the
neighbour of a key keeps the case.

A finger slips at letters only. The combining marks and joiners after one stay with it. A word
is whatever stands between white space. None is lost, and two are never made one.
"""

from __future__ import annotations

import importlib.util
import re
import string
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.random import Generator

from reference.checks import check_number
from reference.errors import InputError, shown
from reference.text.characters import code_points

# From one character up to another, what is written there, and which characters that stands for.
Edit = tuple[int, int, str, Sequence[int]]
_AROUND = string.punctuation + "“”‘’„‚«»‹›…–—¿¡"  # what is no part of a word's spelling
_CASES = (str.lower, str.upper, str.capitalize)
_KEYS = (  # of a QWERTY keyboard, with those that touch them
    "q:wa w:qeas e:wrsd r:etdf t:ryfg y:tugh u:yihj i:uojk o:ipkl p:ol a:qwsz s:weadzx "
    "d:ersfxc f:rtdgcv g:tyfhvb h:yugjbn j:uihknm k:iojlm l:opk z:asx x:sdzc c:dfxv v:fgcb "
    "b:ghvn n:hjbm m:jkn"
)
NEIGHBOURS = dict(key.split(":") for key in f"{_KEYS} {_KEYS.upper()}".split())


@dataclass(frozen=True)
class Altered:
    """A text, and for each of its characters which one of the original it stands for."""

    text: str
    origins: np.ndarray  # int64 [characters]: falls only where two letters are swapped

    def carried(self, spans: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Spans of the original where they are now: the first character, the one after the
        last, and whatever else they hold, a label for one.

        Spans stay apart: of two letters swapped across an end, one is on each side of it as
        before. One of which nothing is left, which may happen to a part of a word, is empty.
        """
        ordered, found = np.sort(self.origins), []
        for start, end, *rest in spans:
            if not 0 <= start <= end:
                raise InputError(
                    f"span {shown((start, end))} must begin at 0 or later, and not end before"
                )
            found.append((*np.searchsorted(ordered, (start, end)).tolist(), *rest))
        return found


@dataclass(frozen=True)
class Augmentation:
    """How often what goes wrong: each rate is the probability for one of what it counts. A
    letter is an alphabetic character (str.isalpha) of any script, with the marks after it.

    misspelling: of the words that codespell knows a misspelling of, punctuation around them set
        aside: one is written as one of those is. It keeps its case, lower, UPPER or
        Capitalised; a word in mIxed case is not counted.
    case: of the words that can be written otherwise: one becomes all upper, all lower, or lower
        with the first letter upper; each as likely, of those that change it.
    swap: of the letters that another one follows at once, not the same: the two change places.
        A letter does so once: the second is not counted again.
    drop: of the letters: one is left out, unless nothing would be left of its word.
    double: of the letters that are not left out: one is there twice, its marks once.
    neighbour: of the letters A to Z and a to z without marks: one is replaced by a neighbour on
        a QWERTY keyboard, in the same case.
    """

    case: float = 0.0
    swap: float = 0.0
    drop: float = 0.0
    double: float = 0.0
    neighbour: float = 0.0
    misspelling: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            rate = check_number(field.name, getattr(self, field.name), 0, 1)
            object.__setattr__(self, field.name, rate)
        if self.misspelling:
            misspellings()  # whether there are any is known now, not when a model learns

    def __call__(self, text: str, generator: Generator) -> Altered:
        """One text mistyped; the same state of the generator gives the same."""
        if not isinstance(text, str):
            raise InputError(f"text is {shown(text)}; it must be a string")
        if not isinstance(generator, Generator):
            raise InputError(f"generator is {shown(generator)}; it must be a NumPy Generator")
        origins = np.arange(len(code_points(text)), dtype=np.int64)
        for draw in (self._in_words, self._in_letters):
            if edits := draw(text, generator):
                text, places = _edited(text, edits)
                origins = origins[places]
        return Altered(text, origins)

    def _in_words(self, text: str, generator: Generator) -> list[Edit]:
        unknown, cased = _struck(generator, (self.misspelling, self.case), len(text.split()))
        struck = sorted({*unknown, *cased})
        words = [found.span() for found in re.finditer(r"\S+", text)] if struck else []
        edits = []
        for number in struck:
            start, end = words[number]
            word, places = text[start:end], range(start, end)
            for change, rolls in ((_misspelt, unknown), (_recased, cased)):
                if number in rolls:
                    word, inside = change(word, rolls[number])
                    places = [places[place] for place in inside]
            edits.append((start, end, word, places))
        return edits

    def _in_letters(self, text: str, generator: Generator) -> list[Edit]:
        """All characters are drawn for, which is faster than to look for the letters first."""
        rates = (self.swap, self.drop, self.double, self.neighbour)
        swaps, drops, doubles, slips = _struck(generator, rates, len(text))
        edits: list[Edit] = []
        done, before = 0, ""  # what is written, and the last of it
        for place in sorted({*swaps, *drops, *doubles, *slips}):
            if place < done or not text[place].isalpha():
                continue
            before = text[done:place][-1:] or before
            done = end = _end(text, place)
            letters = [(place, end)]
            if place in swaps and text[end : end + 1].isalpha():
                after = _end(text, end)
                if text[place:end] != text[end:after]:
                    letters, done = [(end, after), (place, end)], after
            new, places = "", []
            for start, end in letters:
                # Something of its word is still to come, or is written.
                if start in drops and (text[end : end + 1].strip() or before.strip()):
                    continue
                letter, twice = text[start:end], start in doubles
                if start in slips and (keys := NEIGHBOURS.get(letter)):
                    letter = keys[int(slips[start] * len(keys))]
                new += letter[0] * twice + letter
                places += [start] * twice + [*range(start, end)]
                before = letter[-1]
            edits.append((place, done, new, places))
        return edits


def _struck(generator: Generator, rates: Sequence[float], count: int) -> list[dict[int, float]]:
    """For each rate, which of so many things it strikes, and with each a number from 0 to 1,
    exclusive: the draw that says whether says as well what happens."""
    found: list[dict[int, float]] = [{} for _ in rates]
    if highest := max(rates):
        draws = generator.random(len(rates) * count)
        (hits,) = (draws < highest).nonzero()
        for hit, draw in zip(hits.tolist(), draws[hits].tolist(), strict=True):
            kind, number = divmod(hit, count)
            if draw < rates[kind]:
                found[kind][number] = draw / rates[kind]
    return found


def _edited(text: str, edits: list[Edit]) -> tuple[str, list[int]]:
    parts, places, done = [], [], 0
    for start, end, new, stands_for in edits:
        parts += text[done:start], new
        places += [*range(done, start), *stands_for]
        done = end
    return "".join([*parts, text[done:]]), [*places, *range(done, len(text))]


def _end(text: str, place: int) -> int:
    """Where the marks and joiners of the letter at this place end."""
    joins = lambda sign: unicodedata.category(sign)[0] == "M" or sign in "\u200c\u200d"
    ends = range(place + 1, len(text))
    return next((end for end in ends if not joins(text[end])), len(text))


def _misspelt(word: str, roll: float) -> tuple[str, Sequence[int]]:
    core = word.strip(_AROUND)
    mark = "’" if "’" in core else "'"
    known = misspellings().get(core.lower().replace(mark, "'"))
    like = next((case for case in _CASES if case(core) == core), None)
    if not known or not like:
        return word, range(len(word))
    new = word.replace(core, like(known[int(roll * len(known))]).replace("'", mark))
    return new, _aligned(word, new)


def _aligned(word: str, new: str) -> list[int]:
    """Both ends stand for themselves as far as they are alike; what is between is spread over
    what was, or stands for the character before if nothing was."""
    most = min(len(word), len(new))
    first = next((place for place in range(most) if word[place] != new[place]), most)
    most -= first
    last = next((place for place in range(most) if word[~place] != new[~place]), most)
    old, now = len(word) - first - last, len(new) - first - last
    between = [first + place * old // now if old else max(first - 1, 0) for place in range(now)]
    return [*range(first), *between, *range(len(word) - last, len(word))]


def _recased(word: str, roll: float) -> tuple[str, Sequence[int]]:
    """A letter may become several, and a sigma depends on what is around it: so the words are
    made whole, and of single letters only the lengths are used."""
    first = next((place for place, letter in enumerate(word) if letter.isalpha()), 0)
    before, letter, after = word[:first], word[first], word[first + 1 :]
    begun = before + (letter + after).capitalize()
    ways = {
        word.upper(): map(str.upper, word),
        word.lower(): map(str.lower, word),
        begun: [*before, letter.title(), *map(str.lower, after)],
    }
    others = [way for way in ways.items() if way[0] != word] or [(word, word)]
    new, parts = others[int(roll * len(others))]
    return new, [place for place, part in enumerate(parts) for _ in part]


@lru_cache(maxsize=1)
def misspellings() -> Mapping[str, tuple[str, ...]]:
    """Words, and how they are misspelt, in lower case: from the dictionary of codespell, which
    is read where it is installed, since its licence is another than ours.

    A comma in a line, wrong->right, says that several words may be meant, or that the only one
    may not be. Those are left out: nobody knows which it was, and the wrong one is often a word
    itself. So are those of several words, and of one letter, which mostly is a name.
    """
    spec = importlib.util.find_spec("codespell_lib")
    if spec is None or spec.origin is None:
        raise InputError(
            "codespell, which knows the misspellings, is not installed; it comes with the "
            "extra `misspellings`: pip install 'encoders-three-ways[misspellings]'"
        )
    found: dict[str, list[str]] = {}
    path = Path(spec.origin).parent / "data" / "dictionary.txt"
    for line in path.read_text("utf-8").lower().splitlines():
        wrong, _, right = line.partition("->")
        if len(right) > 1 and "," not in right and len(line.split()) == 1:
            found.setdefault(right, []).append(wrong)
    return MappingProxyType({right: tuple(wrong) for right, wrong in found.items()})
