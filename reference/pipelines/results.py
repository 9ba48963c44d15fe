"""What pipelines return: frozen dataclasses, plain to read, which a notebook shows as a table
and `to_dict` turns into what JSON can hold."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

ROWS_SHOWN = 20
LABELS_SHOWN = 10


class Result:
    """What the dataclasses of results have in common."""

    __slots__ = ()  # so that one of which there are many may have slots alone

    def to_dict(self) -> dict[str, Any]:
        """Its fields by name, arrays as lists."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    def __repr__(self) -> str:
        """Its fields, numbers rounded; for a dataclass with repr=False."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        shown = (f"{name}={_short(value)}" for name, value in values)
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        header, rows = self.table()
        return as_table(header, rows)

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Column names and rows, as a notebook shows them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return list(values), [list(values.values())]


@dataclass(frozen=True, repr=False)
class Classification(Result):
    """A text's labels with their probabilities, best first.

    `mass` is for labels that a masked language model was asked for: the probability that it
    gave to all of them together, before they were scaled to sum to one. A small one says that
    the model did not answer the question.

    A model that was trained on numbers has no probabilities: `kind` is then "value", and what
    stands in their place are the numbers themselves.
    """

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    mass: float | None = None
    kind: str = "probability"

    def __repr__(self) -> str:
        pairs = list(zip(self.labels, self.probabilities, strict=True))
        parts = [f"{label!r}: {probability:.4f}" for label, probability in pairs[:LABELS_SHOWN]]
        if len(pairs) > LABELS_SHOWN:
            parts.append(f"… {len(pairs) - LABELS_SHOWN} more")
        mass = "" if self.mass is None else f", mass={self.mass:.3g}"
        kind = "" if self.kind == "probability" else f", kind={self.kind!r}"
        return f"Classification({', '.join(parts)}{mass}{kind})"

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        return ["label", self.kind], list(zip(self.labels, self.probabilities, strict=True))


class Results(list[Any]):
    """A list of results of one kind, or of such lists, which a notebook shows as one table."""

    def _repr_html_(self) -> str:
        return as_table(*self.table())

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        tables = [item.table() for item in self if isinstance(item, (Result, Results))]
        header = next((header for header, _ in tables if header), ())
        return header, [row for _, rows in tables for row in rows]


def as_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """An HTML table, numbers rounded, of the first rows."""
    rows = list(rows)
    lines = [_row("th", header), *(_row("td", row) for row in rows[:ROWS_SHOWN])]
    if len(rows) > ROWS_SHOWN:
        lines.append(_row("td", [f"… {len(rows) - ROWS_SHOWN} more"]))
    return f"<table>{''.join(lines)}</table>"


def _row(tag: str, cells: Sequence[Any]) -> str:
    shown = (html.escape(_cell(cell)) for cell in cells)
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in shown)}</tr>"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else repr(value)


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, (float, np.floating)) else f"{value!s:.200}"


def _plain(value: Any) -> Any:
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
