"""What a comparison found: as an object, as JSON, as a table for the terminal and as one for
the page."""

from __future__ import annotations

import dataclasses
import html
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference.parity.tables import html_table, text_table


@dataclass(frozen=True)
class Row:
    """One tensor of one backend: its largest error, the noise floor, and the one in units of
    the other."""

    backend: str
    tensor: str
    error: float
    floor: float
    ratio: float
    passed: bool


@dataclass(frozen=True)
class Divergence:
    """Where a backend first leaves the oracle. Layers count from 0; the embeddings and the
    heads are in none."""

    layer: int | None
    operation: str | None
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Likeness:
    """A known fault that a stranger's results look like, and how far they are from those of a
    port with that fault, as a share of a tensor's largest value."""

    fault: str  # its name in reference.parity.faults.FAULTS
    story: str
    difference: float
    exact: bool = True  # whether that is no more than rounding

    def __str__(self) -> str:
        name = self.fault.replace("_", " ")
        if self.exact:
            return f"as with {name}, to {self.difference:.0e}: {self.story}"
        return (
            f"nearest to {name}, and still {self.difference:.0e} from it, so it is another "
            f"fault or not the only one: {self.story}"
        )


@dataclass(frozen=True, repr=False)
class Report:
    """The outcome of a comparison; it passed when every row did. It shows itself as its
    table."""

    model: str
    dtype: str
    factor: float
    rows: tuple[Row, ...]
    first_divergence: dict[str, Divergence | None]
    notes: tuple[str, ...] = ()
    # Of a stranger's port: what it might have returned and has not, and what it looks like.
    unchecked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    likeness: Mapping[str, Likeness] = field(default_factory=dict)
    oracle: str = "Transformers"

    @property
    def passed(self) -> bool:
        return bool(self.rows) and all(row.passed for row in self.rows)

    @property
    def backends(self) -> tuple[str, ...]:
        return tuple(self.first_divergence)

    def worst(self) -> list[tuple[Row, int]]:
        """For each backend and kind of tensor the row with the largest ratio, and how many rows
        it stands for."""
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            groups.setdefault((row.backend, kind(row.tensor)), []).append(row)
        return [(max(rows, key=lambda row: row.ratio), len(rows)) for rows in groups.values()]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON: what is not a number becomes null."""
        return {
            "model": self.model,
            "dtype": self.dtype,
            "factor": self.factor,
            "passed": self.passed,
            "rows": [_finite(dataclasses.asdict(row)) for row in self.rows],
            "first_divergence": {
                backend: None if found is None else dataclasses.asdict(found)
                for backend, found in self.first_divergence.items()
            },
            "notes": list(self.notes),
            "unchecked": {backend: list(groups) for backend, groups in self.unchecked.items()},
            "likeness": {
                backend: dataclasses.asdict(found) for backend, found in self.likeness.items()
            },
            "oracle": self.oracle,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """A report as to_dict has written it down."""

        def known(kind: type, found: Mapping[str, Any] | None) -> Any:
            return None if found is None else kind(**found)

        rows = (
            {key: math.inf if value is None else value for key, value in row.items()}
            for row in values["rows"]
        )
        return cls(
            values["model"],
            values["dtype"],
            values["factor"],
            tuple(Row(**row) for row in rows),
            {b: known(Divergence, found) for b, found in values["first_divergence"].items()},
            tuple(values["notes"]),
            {b: tuple(groups) for b, groups in values["unchecked"].items()},
            {b: known(Likeness, found) for b, found in values["likeness"].items()},
            values["oracle"],
        )

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    def table(self, layers: bool = False) -> str:
        """A text table: the worst tensor of each kind, or with `layers` every tensor."""
        header, lines = self._cells(layers)
        table = text_table(header, lines, left=(0, 1, len(header) - 1))
        return "\n".join([self._title(), "", table, "", *self._verdicts()])

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        header, lines = self._cells(layers=False)
        table = html_table(header, lines, left=(0, 1))
        verdicts = "<br>\n".join(html.escape(line) for line in self._verdicts())
        title = f"<p>{html.escape(self._title())}</p>"
        return (
            f'<details class="parity-report"{"" if self.passed else " open"}>\n'
            f"<summary>{html.escape(self.summary())}</summary>\n"
            f"{title}\n{table}\n<p>{verdicts}</p>\n</details>"
        )

    def summary(self) -> str:
        """All of it in one line: how much was compared, how bad the worst is, and the
        verdict."""
        if not self.rows:
            return "nothing was compared: failed"
        counts = Counter(row.backend for row in self.rows)
        (size, *others) = set(counts.values())
        ports = f"{len(counts)} port{'s' * (len(counts) > 1)}"
        compared = (
            f"{len(self.rows)} tensors of {ports}"
            if others
            else f"{size} tensor{'s' * (size > 1)} × {ports}"
        )
        worst = max(row.ratio for row in self.rows)
        failed = sum(not row.passed for row in self.rows)
        verdict = f"{failed} failed" if failed else "passed"
        return f"{compared}, worst {worst:.3g} of {self.factor:g} allowed: {verdict}"

    def _cells(self, layers: bool) -> tuple[list[str], list[list[str]]]:
        if layers:
            header = ["backend", "tensor", "error", "floor", "ratio", "gate"]
            return header, [[row.backend, row.tensor, *_numbers(row)] for row in self.rows]
        header = ["backend", "compared", "tensors", "error", "floor", "ratio", "gate"]
        return header, [
            [row.backend, kind(row.tensor), str(count), *_numbers(row)]
            for row, count in self.worst()
        ]

    def _title(self) -> str:
        """In float64 a floor is a share of the tensor's largest value, and the gate is the
        floor itself."""
        allowed = "the floor" if self.factor == 1 else f"{self.factor:g} times the noise floor"
        name = Path(self.model).name if Path(self.model).is_absolute() else self.model
        error = f"the largest error against {self.oracle} in float64"
        return f"{name}, {self.dtype}: {error}; up to {allowed} passes"

    def _verdicts(self) -> list[str]:
        lines = []
        for backend, divergence in self.first_divergence.items():
            rows = [row for row in self.rows if row.backend == backend]
            if divergence is None:
                lines.append(f"{backend}: all {len(rows)} tensors pass")
            else:
                failed = sum(not row.passed for row in rows)
                lines.append(
                    f"{backend}: {failed} of {len(rows)} tensors fail; first divergence: "
                    f"{divergence}"
                )
            if backend in self.likeness:
                lines.append(f"{backend}: {self.likeness[backend]}")
            if self.unchecked.get(backend):
                lines.append(f"{backend}: not checked: {', '.join(self.unchecked[backend])}")
        return [*lines, *self.notes]


def kind(tensor: str) -> str:
    """The group of a tensor in the summary: 'packed.hidden_states.3' is one of 'packed hidden
    states'."""
    packed, name = ("packed ", tensor[7:]) if tensor.startswith("packed.") else ("", tensor)
    return packed + re.sub(r"\..*", "", name).replace("_", " ")


def _numbers(row: Row) -> list[str]:
    return [
        f"{row.error:.1e}",
        f"{row.floor:.1e}",
        f"{row.ratio:.3g}",
        "pass" if row.passed else "FAIL",
    ]


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
