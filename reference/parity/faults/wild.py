"""Faults in the wild: every fault that can be seeded, with a public case of it.

print(reference.parity.faults.wild.gather())
"""

from __future__ import annotations

import html
import inspect
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reference.parity.faults import characters, known, masking, pipelines, training
from reference.parity.faults.case import WAYS, Case, Noted, Way
from reference.parity.faults.cases import ROOMS
from reference.parity.tables import html_table, text_table

NONE = "none known"


@dataclass(frozen=True)
class Met:
    """A fault, what it is, and its public case."""

    name: str
    story: str
    case: Noted

    def line(self) -> tuple[str, str]:
        """What became known of it, and how."""
        if isinstance(self.case, Case):
            return self.case.what, f"{self.case.by}: {self.case.how}"
        return NONE, self.case.note


@dataclass(frozen=True)
class Room:
    title: str
    met: tuple[Met, ...]


@dataclass(frozen=True)
class Wild:
    """Faults and their cases, by room: printed as text, shown as tables in a notebook."""

    rooms: tuple[Room, ...]

    def __iter__(self) -> Iterator[Met]:
        return (met for room in self.rooms for met in room.met)

    @property
    def cases(self) -> tuple[Case, ...]:
        return tuple(met.case for met in self if isinstance(met.case, Case))

    @property
    def ways(self) -> dict[Way, int]:
        """How many cases were found in which way, the most usual first."""
        return dict(Counter(case.by for case in self.cases).most_common())

    @property
    def counts(self) -> Counts:
        return Counts(
            faults=sum(1 for _ in self),
            cases=len(self.cases),
            repositories=len({case.where for case in self.cases}),
            ways=self.ways,
        )

    def __repr__(self) -> str:
        return "\n\n".join(
            "\n\n".join([room.title, *map(_text, room.met)]) for room in self.rooms
        )

    def _repr_html_(self) -> str:
        rooms = "\n".join(
            f"<h3>{html.escape(room.title)}</h3>\n{_table(room)}" for room in self.rooms
        )
        return f'<div class="parity-report wild">\n{rooms}\n</div>'


@dataclass(frozen=True)
class Counts:
    """How many faults have a case, in how many repositories, and what found them."""

    faults: int
    cases: int
    repositories: int
    ways: Mapping[Way, int]

    @property
    def says(self) -> str:
        return (
            f"{self.faults} faults; {self.cases} with a public case, in {self.repositories} "
            f"repositories; {self.faults - self.cases} with none known"
        )

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        return [(way, WAYS[way], str(number)) for way, number in self.ways.items()]

    def __repr__(self) -> str:
        return f"{self.says}\n\n{text_table(HEADER, self.lines, left=(0, 1))}"

    def _repr_html_(self) -> str:
        table = html_table(HEADER, self.lines, left=(0, 1))
        return f'<div class="parity-report">\n<p>{self.says}</p>\n{table}\n</div>'


HEADER = ("found by", "", "cases")


def gather() -> Wild:
    """Every known fault: those of the ports, of masking, of training, of characters and of
    pipelines."""
    stories = {
        name: fault.story
        for family in (known, masking, training, characters, pipelines)
        for name, fault in family.FAULTS.items()
    }
    return Wild(
        tuple(
            Room(
                inspect.getdoc(room).rstrip("."),
                tuple(Met(name, stories[name], noted) for name, noted in room.CASES.items()),
            )
            for room in ROOMS
        )
    )


def _text(met: Met) -> str:
    what, how = met.line()
    known_at = [f"{met.case.label}, {met.case.address}"] if isinstance(met.case, Case) else []
    told = [met.story, *known_at, what, how]
    return "\n".join([met.name, *(textwrap.indent(part, "    ") for part in told)])


def _table(room: Room) -> str:
    head = "".join(
        f'<th style="text-align: left">{title}</th>'
        for title in ("fault", "where it was met", "how it came to light")
    )
    rows = "\n".join(map(_row, room.met))
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _row(met: Met) -> str:
    # A name may break after each of its words.
    name = html.escape(met.name).replace("_", "_<wbr>")
    what, how = map(html.escape, met.line())
    if isinstance(met.case, Case):
        link = f'<a href="{html.escape(met.case.address)}">{html.escape(met.case.label)}</a>'
        what = f"{link}: {what}"
    cells = (f"<code>{name}</code><br>{html.escape(met.story)}", what, how)
    columns = "".join(f'<td style="text-align: left">{cell}</td>' for cell in cells)
    return f'<tr id="{html.escape(met.name)}">{columns}</tr>'
