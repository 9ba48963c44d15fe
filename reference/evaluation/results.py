"""What an evaluation returns: a row a contestant, read as a table."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reference.pipelines.results import Result, Results

# What a table has room for, of the measures; to_dict has all.
SHOWN = ("recall@1", "recall@5", "recall@10", "MRR@10", "nDCG@10", "MAP@100")


class Row(Result):
    """What one contestant reached."""

    name: str
    notes: tuple[str, ...]

    def numbers(self) -> dict[str, float | None]:
        """The columns of the table; None where a number is not defined."""
        raise NotImplementedError

    def table(self) -> tuple[Sequence[str], list[Sequence[Any]]]:
        numbers = self.numbers()
        return ["", *numbers], [[self.name, *map(_cell, numbers.values())]]


@dataclass(frozen=True, repr=False)
class RetrievalScores(Row):
    """The means of the measures over the queries that have a relevant document. `left_out` is
    how many have none.

    margin: 1.96 standard errors of nDCG@10 over the queries; None of a single query. Where two
        models differ by less, other queries could have put them in the other order; a
        comparison query by query (`Retrieval.each`) may still tell them apart.
    """

    name: str
    scores: dict[str, float]
    margin: float | None
    queries: int
    documents: int
    left_out: int = 0
    notes: tuple[str, ...] = ()

    def numbers(self) -> dict[str, float | None]:
        shown: dict[str, float | None] = {name: self.scores[name] for name in SHOWN}
        return shown | {"± of nDCG": self.margin}


@dataclass(frozen=True, repr=False)
class PairScores(Row):
    """How scores of pairs follow what people said. None where they are all the same: then
    nothing follows."""

    name: str
    pearson: float | None
    spearman: float | None
    pairs: int
    notes: tuple[str, ...] = ()

    def numbers(self) -> dict[str, float | None]:
        return {"Pearson": self.pearson, "Spearman": self.spearman}


class Comparison(Results):
    """A list of rows on the same data, shown as one table; `notes` tells what the data is."""

    def __init__(self, rows: Sequence[Row] = (), notes: Sequence[str] = ()) -> None:
        super().__init__(rows)
        self.notes = tuple(notes)

    def __repr__(self) -> str:
        width = max((len(row.name) for row in self), default=0)
        lines = [line for row in self for line in row_lines(row, width)]
        header = [header_line(self[0], width)] if self else []
        return "\n".join((*self.notes, *header, *lines))

    def _repr_html_(self) -> str:
        notes = [*self.notes, *(f"{row.name}: {note}" for row in self for note in row.notes)]
        return super()._repr_html_() + "".join(f"<p>{html.escape(note)}</p>" for note in notes)


def header_line(row: Row, width: int) -> str:
    """The names of the columns, over those of `row_lines`."""
    return " " * width + "".join(f"  {name:>9}" for name in row.numbers())


def row_lines(row: Row, width: int) -> Iterator[str]:
    """The numbers of a row, after its name in so many characters, and its notes."""
    yield row.name.ljust(width) + "".join(f"  {_cell(v):>9}" for v in row.numbers().values())
    for note in row.notes:
        yield f"  {note}"


def _cell(number: float | None) -> str:
    return "none" if number is None else f"{number:.4f}"
