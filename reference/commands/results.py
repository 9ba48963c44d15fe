"""What a command has found, written a part at a time: as text, as JSON or as an array, to
standard output or, in one move, to a file."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from reference.errors import InputError
from reference.files import check_target, open_result
from reference.growing import GrowingArray

ENDINGS = {".json": "json", ".jsonl": "jsonl", ".npy": "npy"}


@dataclass(frozen=True)
class Part:
    """Results of some of the texts, in each of the forms that may be asked for."""

    records: Iterable[Any]
    lines: Iterable[str]
    array: np.ndarray | None = None


def add_output(parser: argparse.ArgumentParser, array: bool = False) -> None:
    formats = ("text", "json", "jsonl", *(("npy",) if array else ()))
    parser.add_argument(
        "--format",
        choices=formats,
        help="text (the default), json, jsonl (an object a line)"
        f"{' or npy' if array else ''}; --output's ending decides else",
    )
    parser.add_argument(
        "--output", metavar="FILE", help="write to FILE instead of standard output"
    )


def target_of(options: argparse.Namespace) -> Path | None:
    """Where the result shall go, checked before the work that makes it."""
    target = None if options.output is None else check_target(options.output, "--output")
    if target is None and options.format == "npy" and sys.stdout.isatty():
        raise InputError("a .npy file is not for a terminal; add --output FILE")
    return target


def write(options: argparse.Namespace, target: Path | None, parts: Iterable[Part]) -> int:
    """Write the parts as they come; the exit status."""
    ending = ENDINGS.get(target.suffix if target else "", "text")
    with _opened(target) as file:
        WRITERS[options.format or ending](file, parts)
    return 0


@contextmanager
def _opened(target: Path | None) -> Iterator[BinaryIO]:
    if target is None:
        yield sys.stdout.buffer
        return
    with open_result(target) as file:
        yield file


def _write_text(file: BinaryIO, parts: Iterable[Part]) -> None:
    for part in parts:
        file.write("".join(f"{line}\n" for line in part.lines).encode())
        file.flush()


def _write_json(file: BinaryIO, parts: Iterable[Part]) -> None:
    """One list of everything."""
    between = b"["
    for part in parts:
        for record in part.records:
            written = json.dumps(record, ensure_ascii=False, indent=1).replace("\n", "\n ")
            file.write(between + f"\n {written}".encode())
            between = b","
    file.write(b"[]\n" if between == b"[" else b"\n]\n")


def _write_json_lines(file: BinaryIO, parts: Iterable[Part]) -> None:
    for part in parts:
        for record in part.records:
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        file.flush()


def _write_array(file: BinaryIO, parts: Iterable[Part]) -> None:
    """How many rows there are stands at the beginning, where a pipe cannot go back to."""
    if file.seekable() and file is not sys.stdout.buffer:
        _append(file, parts)
        return
    with tempfile.TemporaryFile() as whole:
        _append(whole, parts)
        whole.seek(0)
        shutil.copyfileobj(whole, file)


def _append(file: BinaryIO, parts: Iterable[Part]) -> None:
    array = None
    for part in parts:
        array = array or GrowingArray(file, part.array)
        array.append(part.array)
    array.finish()


WRITERS = {
    "text": _write_text,
    "json": _write_json,
    "jsonl": _write_json_lines,
    "npy": _write_array,
}
