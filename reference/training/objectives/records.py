"""Data with more than a text in it: records, each with a value for every column."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reference.checks import check_iterable
from reference.errors import InputError, shortened, shown
from reference.files import is_file, read_lines

Record = dict[str, Any]


def records(
    data: Any, columns: Mapping[str, str], optional: Collection[str] = ()
) -> Iterator[tuple[str, Record]]:
    """The records of a source, each with words for where it is; their keys are the roles, the
    keys of `columns`, whose values are what the source calls them.

    data: a Hugging Face dataset; a list of dictionaries, or of tuples in the order of the
        roles; or the name of a file: .jsonl with an object a line, or .tsv or .csv, whose first
        line names the columns.
    optional: roles that a record may lack.
    """
    if isinstance(data, (str, os.PathLike)):
        found = _of_file(Path(data))
    elif hasattr(data, "column_names"):
        found = ((f"row {number} of the dataset", row) for number, row in enumerate(data))
    else:
        rows = enumerate(check_iterable(data, "data"))
        found = ((f"data[{number}]", row) for number, row in rows)
    for where, row in found:
        yield where, _record(where, row, columns, optional)


def label_names(data: Any, column: str) -> list[str] | None:
    """What a dataset calls the numbers of a column, where it says so."""
    feature = (getattr(data, "features", None) or {}).get(column)
    names = getattr(getattr(feature, "feature", feature), "names", None)
    return list(names) if names else None


def _record(
    where: str, row: Any, columns: Mapping[str, str], optional: Collection[str]
) -> Record:
    if isinstance(row, (tuple, list)):
        needed = len(columns) - len(optional)
        if not needed <= len(row) <= len(columns):
            raise InputError(
                f"{where} has {len(row)} entries; it must have {', '.join(columns)}"
                + (f", of which {', '.join(optional)} may be missing" if optional else "")
            )
        return dict(zip(columns, row, strict=False))
    if not isinstance(row, Mapping):
        raise InputError(
            f"{where} is {type(row).__name__} {shown(row, 40)}; it must be a dictionary with "
            f"{', '.join(columns.values())}, or a tuple of them"
        )
    missing = [
        name for role, name in columns.items() if name not in row and role not in optional
    ]
    if missing:
        raise InputError(
            f"{where} has no {missing[0]!r:.80}; it has {', '.join(map(str, row)):.200}"
        )
    return {role: row[name] for role, name in columns.items() if name in row}


def _of_file(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix not in (".jsonl", ".tsv", ".csv"):
        raise InputError(
            f"{path} is neither a .jsonl, a .tsv nor a .csv file, by which records are read"
        )
    if not is_file(path):
        raise InputError(f"{path} cannot be read: there is no such file")
    lines = read_lines(str(path), "data")
    return _objects(path, lines) if path.suffix == ".jsonl" else _table(path, lines)


def _objects(path: Path, lines: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield f"{path}: line {number}", json.loads(line)
            except (ValueError, RecursionError) as problem:
                raise InputError(
                    f"{path}: line {number} is not valid JSON: {shortened(problem)}"
                ) from None


def _table(path: Path, lines: Iterable[str]) -> Iterator[tuple[str, Any]]:
    tabs = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if path.suffix == ".tsv" else {}
    try:
        reader = csv.DictReader((f"{line}\n" for line in lines), strict=True, **tabs)
        for row in reader:
            where = f"{path}: line {reader.line_num}"
            if None in row or None in row.values():
                raise InputError(f"{where} has not as many entries as the first line has names")
            yield where, row
    except csv.Error as problem:
        raise InputError(f"{path}: line {reader.line_num}: {problem}") from None


def check_text(value: Any, where: str, role: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {role} is {shown(value, 40)}; it must be a text")
    return value
