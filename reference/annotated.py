"""The labels that docstrings bring along, for models that classify texts or tokens: the package
that a text is from, and the names and the types of parameters as spans."""

from __future__ import annotations

import inspect
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reference import corpus

PARAMETER, TYPE = "PARAMETER", "TYPE"
# What the packages are called, in their own text and in that of the others.
_NAMES = re.compile(
    r"\b(c?python|numpy|np|(py)?torch|transformers|matplotlib|pyplot|mpl|plt|sklearn|"
    r"scikit[- ]learn|scipy|sp|sympy|networkx|nx|hugging[_ ]?face([_ ]hub)?|hf|"
    r"sentence[-_ ]?transformers?|sbert|hypothesis)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_LINE = re.compile(r"\n(?=[^\n])")  # before one that is not empty

_NUMPY_HEADING = re.compile(r"^(?:Other )?Parameters\n-{3,}\n", re.MULTILINE)
_NEXT_HEADING = re.compile(r"^\S[^\n]*\n[-=]{3,} *$", re.MULTILINE)
_NUMPY_ENTRY = re.compile(
    r"(?P<names>\*{0,2}[A-Za-z_]\w*(?: *, *\*{0,2}[A-Za-z_]\w*)*)(?: *: *(?P<type>\S[^\n]*))?"
    r" *(?:\n|$)"
)
_GOOGLE_HEADING = re.compile(
    r"^( *)(?:(?:Keyword )?(?:[Aa]rgs|[Aa]rguments)|(?:Other )?Parameters):\n", re.MULTILINE
)
_GOOGLE_ENTRY = re.compile(
    r"(?P<names>\*{0,2}[A-Za-z_]\w*)"
    # parentheses, and others in them, two deep
    r"(?: *\((?P<type>(?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\))? *:(?=\s|$)"
)
_NAME = re.compile(r"[A-Za-z_]\w*")
# "int, optional", "{0, 1}, default=0", "`int`, *optional*, defaults to 3"
_NOT_TYPE = re.compile(r"(?:^|[\s,;(])[\s,;(]*\*{0,2}(?:optional|required|defaults?)\b")

Spans = tuple[tuple[int, int, str], ...]  # first character, the one after the last, label


@dataclass(frozen=True)
class Annotated:
    """A text, and the spans in it that have a label."""

    text: str
    spans: Spans

    def indented(self, by: int) -> Annotated:
        """The same with so many spaces before every line but the first, as in a source."""
        starts = [found.end() for found in _LINE.finditer(self.text)]
        moved = lambda place: place + by * bisect_right(starts, place)
        spans = tuple((moved(a), moved(b - 1) + 1, label) for a, b, label in self.spans)
        return Annotated(_LINE.sub("\n" + by * " ", self.text), spans)


@dataclass(frozen=True)
class Parameters:
    """The names and types of a docstring's parameters: in the whole of it, and in a text of one
    line, which is the first paragraph and the lists. In `untold` nothing is said of a parameter
    but its name and what is written about it; the label of a name is what was declared of it,
    such as " : int, optional"."""

    whole: Annotated
    line: Annotated
    untold: Annotated


@dataclass(frozen=True)
class _Entry:
    """An entry of a list: the names, the type, and from where to where both ends of what is
    declared of them stand."""

    names: Spans
    type: Spans
    declared: tuple[int, int]


def without_names(text: str) -> str:
    """The text with "package" in place of the name of any package, as one that says its own
    name is no question."""
    return _NAMES.sub("package", text)


def packages_of(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Module, text and package of every text of eight words or more; fewer decide nothing."""
    for module, text in texts:
        if len(_WORD.findall(text)) >= 8:
            yield module, text, module.partition(".")[0]


def parameters(packages: Iterable[str] = corpus.PACKAGES) -> Iterator[tuple[str, Parameters]]:
    """Module and parameters of every docstring that lists some; of those with one and the same
    line, the first."""
    seen: set[str] = set()
    for docstring in corpus.docstrings(packages):
        found = parameters_of(docstring.text)
        if found is not None and found.line.text not in seen:
            seen.add(found.line.text)
            yield docstring.module, found


def parameters_of(docstring: str) -> Parameters | None:
    """The names and types of parameters that a docstring lists; None where it lists none, or
    where anything but an entry stands in a list.

    Lists are in NumPy's style ("name : type" below an underlined heading) or in Google's
    ("name (type):" below "Args:"). That a parameter is optional, and what it is then, is no
    part of its type. The whole has the white space that `help` and `inspect.getdoc` leave it
    with, and Python itself since 3.13: the indentation of the source is gone, its own is not.
    """
    text = inspect.cleandoc(docstring)
    for heading, end_and_indent, entry in _STYLES:
        lists: list[tuple[int, int]] = []
        there: list[_Entry] = []
        end = 0
        while found := heading.search(text, end):
            end, indent = end_and_indent(text, found)
            entries = _entries(text, found.end(), end, indent, entry)
            if entries is None:
                return None
            lists.append((found.start(), end))
            there += entries
        if there:
            spans = tuple(span for own in there for span in (*own.names, *own.type))
            whole = Annotated(text, spans)
            paragraph = min(len(text.split("\n\n", 1)[0]), lists[0][0])
            pieces = [(0, paragraph), *lists]
            line = _in_one_line(whole, pieces)
            return Parameters(whole, line, _untold(text, there, pieces))
    return None


def _untold(text: str, entries: list[_Entry], pieces: list[tuple[int, int]]) -> Annotated:
    """The pieces without what is declared in them."""
    bounds = sorted(place for pair in pieces for place in pair)
    bounds = sorted([*bounds, *(place for own in entries for place in own.declared)])
    kept = list(zip(bounds[::2], bounds[1::2], strict=True))
    names = tuple(
        (start, end, text[slice(*own.declared)])
        for own in entries
        for start, end, _ in own.names
    )
    return _in_one_line(Annotated(text, names), kept)


def _of_numpy(text: str, heading: re.Match[str]) -> tuple[int, int]:
    """Where the list below a heading ends, and how far its entries are indented."""
    following = _NEXT_HEADING.search(text, heading.end())
    return (following.start() if following else len(text)), 0


def _of_google(text: str, heading: re.Match[str]) -> tuple[int, int]:
    outer, indent, end = len(heading[1]), None, heading.end()
    for line in text[end:].splitlines(keepends=True):
        own = len(line) - len(line.lstrip())
        if line.strip():
            if own <= outer:
                break
            indent = own if indent is None else indent
        end += len(line)
    return end, indent or 0


_STYLES = (
    (_NUMPY_HEADING, _of_numpy, _NUMPY_ENTRY),
    (_GOOGLE_HEADING, _of_google, _GOOGLE_ENTRY),
)


def _entries(
    text: str, start: int, end: int, indent: int, entry: re.Pattern[str]
) -> list[_Entry] | None:
    """The entries of a section, whose lines are entries if they are indented so far, and
    descriptions if they are further."""
    entries: list[_Entry] = []
    place = start
    while place < end:
        stop = text.find("\n", place, end)
        stop = end if stop < 0 else stop + 1
        line = text[place:stop]
        own = len(line) - len(line.lstrip())
        if not line.strip() or own > indent:
            place = stop
            continue
        found = entry.match(text, place + indent, end) if own == indent else None
        if found is None:
            return None
        names = [
            (found.start("names") + name.start(), found.start("names") + name.end(), PARAMETER)
            for name in _NAME.finditer(found["names"])
        ]
        last = found.end() - (text[found.end() - 1] in ":\n")  # which ends what is declared
        declared = (found.end("names"), max(found.end("names"), last))
        entries.append(_Entry(tuple(names), _type(found), declared))
        newline = text.find("\n", found.end() - 1, end)
        place = end if newline < 0 else newline + 1
    return entries


def _type(found: re.Match[str]) -> Spans:
    whole = found["type"]
    if whole is None:
        return ()
    optional = _NOT_TYPE.search(whole)
    kept = (whole[: optional.start()] if optional else whole).rstrip(" ,;\n")
    quoted = re.fullmatch(r"\s*(`+)([^`]+)\1", kept)
    first, inside = (quoted.start(2), quoted[2]) if quoted else (0, kept)
    first += len(inside) - len(inside.lstrip()) + found.start("type")
    inside = inside.strip()
    return ((first, first + len(inside), TYPE),) if inside else ()


def _in_one_line(whole: Annotated, pieces: Iterable[tuple[int, int]]) -> Annotated:
    """These pieces, with one space for white space of any length; spans, which lie in them,
    neither begin nor end with it."""
    made: list[str] = []
    places = {}
    for start, end in pieces:
        for place, character in enumerate(whole.text[start:end] + " ", start):
            places[place] = len(made)
            if not character.isspace():
                made.append(character)
            elif made and made[-1] != " ":
                made.append(" ")
    spans = ((places[a], places[b - 1] + 1, label) for a, b, label in whole.spans)
    return Annotated("".join(made).rstrip(), tuple(spans))
