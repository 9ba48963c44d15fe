"""The labels that docstrings bring along, for models that classify texts or tokens: the package
that a text is from, and the names and the types of parameters as spans."""

from __future__ import annotations

import inspect
import re
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

_NUMPY_HEADING = re.compile(r"^(?:Other )?Parameters\n-{3,}\n", re.MULTILINE)
_NEXT_HEADING = re.compile(r"^\S[^\n]*\n[-=]{3,} *$", re.MULTILINE)
_NUMPY_ENTRY = re.compile(
    r"(?P<names>\*{0,2}[A-Za-z_]\w*(?: *, *\*{0,2}[A-Za-z_]\w*)*)(?: *: *(?P<type>\S[^\n]*))?"
    r" *(?:\n|$)"
)
_GOOGLE_HEADING = re.compile(r"^( *)(?:Args|Arguments|Parameters):\n", re.MULTILINE)
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
    """A text in one line, and the spans in it that have a label."""

    text: str
    spans: Spans


def without_names(text: str) -> str:
    """The text with "package" in place of the name of any package, as one that says its own
    name is no question."""
    return _NAMES.sub("package", text)


def packages_of(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Module, text and package of every text of eight words or more; fewer decide nothing."""
    for module, text in texts:
        if len(_WORD.findall(text)) >= 8:
            yield module, text, module.partition(".")[0]


def parameters(packages: Iterable[str] = corpus.PACKAGES) -> Iterator[tuple[str, Annotated]]:
    """Module, summary and parameters of every docstring that lists some, each text once."""
    seen: set[str] = set()
    for docstring in corpus.docstrings(packages):
        found = parameters_of(docstring.text)
        if found is not None and found.text not in seen:
            seen.add(found.text)
            yield docstring.module, found


def parameters_of(docstring: str) -> Annotated | None:
    """The first paragraph and the list of parameters, in one line, with the parameters' names
    and types as spans; None where there is no list, or one in which anything but an entry
    stands where entries do.

    Lists are in NumPy's style ("name : type" below an underlined heading) or in Google's
    ("name (type):" below "Args:"). That a parameter is optional, and what it is then, is no
    part of its type.
    """
    text = inspect.cleandoc(docstring)
    for find in (_numpy_section, _google_section):
        section = find(text)
        if section is not None:
            break
    else:
        return None
    start, end, spans = section
    summary = text[:start].split("\n\n", 1)[0].rstrip()
    shift = len(summary) + 1 - start
    moved = tuple((first + shift, last + shift, label) for first, last, label in spans)
    return _in_one_line(f"{summary} {text[start:end]}", moved) if spans else None


def _numpy_section(text: str) -> tuple[int, int, Spans] | None:
    heading = _NUMPY_HEADING.search(text)
    if heading is None:
        return None
    following = _NEXT_HEADING.search(text, heading.end())
    end = following.start() if following else len(text)
    entries = _entries(text, heading.end(), end, 0, _NUMPY_ENTRY)
    return None if entries is None else (heading.start(), end, entries)


def _google_section(text: str) -> tuple[int, int, Spans] | None:
    heading = _GOOGLE_HEADING.search(text)
    if heading is None:
        return None
    outer, indent, end = len(heading[1]), None, heading.end()
    for line in text[end:].splitlines(keepends=True):
        own = len(line) - len(line.lstrip())
        if line.strip():
            if own <= outer:
                break
            indent = own if indent is None else indent
        end += len(line)
    if indent is None:
        return None
    entries = _entries(text, heading.end(), end, indent, _GOOGLE_ENTRY)
    return None if entries is None else (heading.start(), end, entries)


def _entries(
    text: str, start: int, end: int, indent: int, entry: re.Pattern[str]
) -> Spans | None:
    """The spans of a section, whose lines are entries if they are indented so far, and
    descriptions if they are further."""
    spans: list[tuple[int, int, str]] = []
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
        for name in _NAME.finditer(found["names"]):
            first = found.start("names") + name.start()
            spans.append((first, first + len(name[0]), PARAMETER))
        spans += _type(found)
        newline = text.find("\n", found.end() - 1, end)
        place = end if newline < 0 else newline + 1
    return tuple(spans)


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


def _in_one_line(text: str, spans: Spans) -> Annotated:
    """White space of any length is one space; spans neither begin nor end with it."""
    made, places = [], []
    for character in text:
        places.append(len(made))
        if not character.isspace():
            made.append(character)
        elif made and made[-1] != " ":
            made.append(" ")
    moved = tuple((places[first], places[last - 1] + 1, label) for first, last, label in spans)
    return Annotated("".join(made).rstrip(), moved)
