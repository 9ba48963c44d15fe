"""The labels that a text is sorted into, and the question that is asked about it."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reference.checks import check_texts
from reference.errors import InputError, shown

LETTERS = string.ascii_uppercase


@dataclass(frozen=True)
class Choices:
    """Labels, and what each of them means where that is said."""

    labels: tuple[str, ...]
    descriptions: tuple[str, ...] | None = None

    @property
    def meanings(self) -> tuple[str, ...]:
        """What a question calls them: by their descriptions, else by the labels themselves."""
        return self.descriptions or self.labels

    def listed(self, letters: bool) -> str:
        """A line for each, beginning with what is to be answered."""
        parts = [LETTERS] if letters else []
        parts += [self.labels, *([self.descriptions] if self.descriptions else [])]
        return "\n".join(f"- {': '.join(line)}" for line in zip(*parts, strict=False))


def read_choices(labels: Any, configured: Any, where: Any) -> Choices:
    """Labels as a list or as {label: description}: those of the call, else the label_candidates
    of the checkpoint at `where`."""
    name = "labels" if labels is not None else f"{where}: label_candidates"
    given = configured if labels is None else labels
    if given is None:
        raise InputError(
            "labels is None, and the checkpoint's config.json has no label_candidates; name "
            "the labels, as a list or as {label: description}"
        )
    if not isinstance(given, (Mapping, list, tuple)):
        raise InputError(
            f"{name} is {shown(given)}; it must be a list of labels or {{label: description}}"
        )
    words = check_texts(list(given), name)
    if not words:
        raise InputError(f"{name} is empty; name at least one label")
    descriptions = check_texts(given.values(), name) if isinstance(given, Mapping) else None
    for number, text in enumerate(words + (descriptions or [])):
        if not text.strip():
            what = "label" if number < len(words) else "description"
            raise InputError(f"{name} has {text!r} for a {what}; it must say something")
    seen = [word.strip() for word in words]
    repeated = next((word for word in seen if seen.count(word) > 1), None)
    if repeated is not None:
        raise InputError(f"{name} has {repeated!r:.80} twice; a label stands there once")
    return Choices(tuple(words), None if descriptions is None else tuple(descriptions))


class Template:
    """A question with places for what is asked about: {text}, {mask}, {label}, {labels}."""

    def __init__(self, template: Any, needed: Sequence[str], allowed: Sequence[str] = ()):
        """Each place that is needed stands there once, each that is allowed at most once."""
        self.parts = _parsed(template)
        self.names = [name for _, name in self.parts if name is not None]
        faults = [
            f"has {{{name}}} twice" for name in set(self.names) if self.names.count(name) > 1
        ]
        faults += [f"has no {{{name}}}" for name in needed if name not in self.names]
        faults += [f"has {{{n}}}" for n in self.names if n not in (*needed, *allowed)]
        if faults:
            must = " and ".join(f"{{{name}}}" for name in needed)
            may = "".join(f", and {{{name}}} where it is wanted" for name in allowed)
            raise InputError(
                f"template {shown(template, 200)} {min(faults)}; it must have {must} once{may}"
            )

    def fill(self, values: Mapping[str, str]) -> tuple[str, dict[str, tuple[int, int]]]:
        """The question, and of each place the characters that it has become."""
        made, places = "", {}
        for literal, name in self.parts:
            made += literal
            if name is not None:
                places[name] = len(made), len(made) + len(values[name])
                made += values[name]
        return made, places


def _parsed(template: Any) -> list[tuple[str, str | None]]:
    """Its parts: what stands there as it is, and the name of the place behind it."""
    if not isinstance(template, str):
        raise InputError(f"template is {shown(template)}; it must be a string")
    check_texts([template], "template")
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as problem:
        raise InputError(
            f"template {shown(template, 200)} cannot be read: {problem}; a brace that is none "
            "of a place's is written twice"
        ) from None
    odd = [part for part in parts if part[2] or part[3]]
    if odd:
        raise InputError(
            f"template {shown(template, 200)} formats its {{{odd[0][1]}}}; a place is a name "
            "and no more"
        )
    return [(literal, name) for literal, name, _, _ in parts]
