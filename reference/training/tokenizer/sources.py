"""The text that training reads: files of a sentence a line, lists and iterators of strings, a
column of a Hugging Face dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from reference.checks import check_iterable
from reference.errors import InputError, shown
from reference.files import read_lines


def training_texts(source: Any, column: str = "text") -> Iterator[str]:
    """The texts of a source, checked as they are read; blank ones are left out.

    source: the name of a file with a sentence a line, or its Path, or "-" for standard input;
        a list of Paths; any list or iterator of strings; or a dataset of the datasets library,
        in memory or streamed, whose `column` holds the texts.
    """
    if isinstance(source, (str, os.PathLike)):
        return _lines(os.fspath(source))
    if hasattr(source, "column_names"):
        return _checked(_rows(source, column), lambda row: f"{column}[{row}] of the dataset")
    if isinstance(source, (list, tuple)) and any(isinstance(one, Path) for one in source):
        return _lines_of_files(source)
    return _checked(check_iterable(source), lambda number: f"texts[{number}]")


def _lines_of_files(files: Iterable[Any]) -> Iterator[str]:
    for number, file in enumerate(files):
        if not isinstance(file, (str, os.PathLike)):
            raise InputError(f"texts[{number}] is {shown(file)}; it must be a file's name")
        yield from _lines(os.fspath(file))


def _lines(file: str) -> Iterator[str]:
    name = "standard input" if file == "-" else file
    return _checked(read_lines(file, "texts"), lambda number: f"{name}: line {number + 1}")


def _rows(dataset: Any, column: str) -> Iterator[Any]:
    """The texts of a dataset; a streamed one may not know its columns beforehand."""
    names = dataset.column_names
    if isinstance(names, dict):
        raise InputError(
            f"texts is a set of datasets, {', '.join(map(str, names)):.200}; give one of them, "
            f"such as texts[{next(iter(names), 'train')!r}]"
        )
    if names is not None and column not in names:
        raise _no_such_column(column, names)
    if hasattr(dataset, "select_columns") and names is not None:
        dataset = dataset.select_columns([column])
    for row in dataset:
        if column not in row:
            raise _no_such_column(column, row)
        yield row[column]


def _no_such_column(column: str, names: Iterable[Any]) -> InputError:
    return InputError(
        f"the dataset has no column {column!r:.80}; it has {', '.join(map(str, names)):.200}"
    )


def _checked(texts: Iterable[Any], where: Callable[[int], str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(
                f"{where(number)} is {type(text).__name__} {shown(text, 40)}; it must be a "
                "string"
            )
        if "\0" in text:
            raise InputError(f"{where(number)} holds a NUL character, which is no text")
        if not text.isascii() and not _is_unicode(text):
            raise InputError(
                f"{where(number)} holds half of a surrogate pair, which is no text"
            )
        if text and not text.isspace():
            yield text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
