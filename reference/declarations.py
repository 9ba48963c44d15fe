"""What docstrings declare of parameters: the kind of value, and whether one may be left out.
For models that are to tell it from the name and from what is written about it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reference import annotated
from reference.annotated import Annotated

ARRAY, SEVERAL = "array-like", "several"
# Each kind, and the words that name it; the first that is found counts.
_KINDS = {
    "bool": r"bool(ean)?s?",
    "callable": r"callables?|functions?",
    "dict": r"dict|dictionary|dictionaries|mapping|mappings|kwargs",
    ARRAY: r"(nd)?arrays?|array[-_ ]?like|\w*tensors?|matrix|matrices|dataframe|series",
    "sequence": r"lists?|tuples?|sequences?|iterables?|iterators?|sets?|generators?",
    "str": r"str|strings?|pathlike|path|paths|filename",
    "int": r"ints?|integers?",
    "float": r"floats?|numbers?|scalars?|reals?|doubles?",
}
OTHER = "other"
KINDS = (*_KINDS, OTHER)
OPTIONAL, DEFAULT = TRAITS = ("optional", "has default")
LABELS = (*KINDS, *TRAITS)

_WORDS = {kind: re.compile(rf"\b(?:{words})\b") for kind, words in _KINDS.items()}
_OPTIONAL = re.compile(r"\boptional\b|\bnone\b")
_DEFAULT = re.compile(r"\bdefaults?\b")
_NOT_TYPE = re.compile(r"[\s,;(*]*\b(?:optional\b(?!\[)|required\b|defaults?\b).*", re.DOTALL)
_QUOTED = re.compile(r"""[{(\[]?\s*(?:["'][^"']*["']\s*,?\s*)+[})\]]?""")
_SHAPE = re.compile(r",?\s*(?:of )?shape\b.*|\(.*?\)-?")
_UNION = re.compile(r"\b(?:union|optional)\[(.*)\]", re.DOTALL)
_BRACKETS = re.compile(r"\[[^\[\]]*\]")
_PARTS = re.compile(r"\bor\b|[|,/;]|\band\b")


def declarations() -> Iterator[tuple[str, Annotated]]:
    """Module and text of every docstring that declares something; the label of each parameter's
    name in it is what was declared."""
    for module, found in annotated.parameters():
        if any(labels_of(declared) is not None for *_, declared in found.untold.spans):
            yield module, found.untold


def labels_of(declared: str) -> tuple[str, ...] | None:
    """The kinds of value that a declaration such as " : int or None, optional" allows, and its
    traits; None where it says nothing of a type."""
    told = declared.strip().removeprefix(":").strip().lower().replace("`", "")
    if told.startswith("(") and told.endswith(")") and ":" not in declared[:2]:
        told = told[1:-1]
    kinds = kinds_of(_NOT_TYPE.sub("", told))
    if not kinds:
        return None
    traits = (OPTIONAL,) if _OPTIONAL.search(told) else ()
    traits += (DEFAULT,) if _DEFAULT.search(told) else ()
    return (*kinds, *traits)


def kinds_of(told: str) -> tuple[str, ...]:
    """The kinds that a type names, whatever is inside of them: a list of str is a sequence."""
    told = _QUOTED.sub(" str ", told)
    for outer, inner in ((_UNION, r"\1"), (_BRACKETS, "")):
        while (shorter := outer.sub(inner, told)) != told:
            told = shorter
    if re.fullmatch(r"\(.*,.*\)", told.strip()):
        return ("sequence",)
    told = _SHAPE.sub("", told)
    found = {_kind(part) for part in _PARTS.split(told)} - {None}
    return tuple(kind for kind in KINDS if kind in found)


def class_of(labels: tuple[str, ...]) -> str:
    """The one class of labels: their kind, where there is only one."""
    kinds = [label for label in labels if label in KINDS]
    return kinds[0] if len(kinds) == 1 else SEVERAL


def _kind(part: str) -> str | None:
    part = part.partition(" of ")[0].strip(" .:{}()~")
    if not part or part == "none":
        return None
    return next((kind for kind, words in _WORDS.items() if words.search(part)), OTHER)
