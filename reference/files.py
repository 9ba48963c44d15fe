"""Reading and writing files: JSON, texts one a line, and content that is there whole or not at
all."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from reference.errors import CheckpointError, InputError, shown


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that the system cannot even look up is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_json(path: Path, error: type[ValueError], kind: type[dict] | type[list] = dict) -> Any:
    """A JSON object (or list) from a file, or `error` naming the file and what is wrong with
    it."""
    if not is_file(path):
        raise CheckpointError(f"{path} is missing; a checkpoint folder holds a {path.name}")
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text)
        # Perhaps half of a surrogate pair, which Python lets pass.
        if "\\ud" in text or "\\uD" in text:
            json.dumps(values, ensure_ascii=False).encode()
    except OSError as problem:
        raise CheckpointError(f"{path} cannot be read: {problem.strerror}") from None
    except (ValueError, RecursionError) as problem:
        raise error(f"{path} is not valid JSON: {problem}") from None
    if not isinstance(values, kind):
        wanted = {dict: "an object", list: "a list"}[kind]
        raise error(f"{path} holds a JSON {type(values).__name__}; it must be {wanted}")
    return values


def read_lines(file: str, option: str) -> Iterator[str]:
    """The lines of a UTF-8 file, or of standard input for "-", as they are asked for; an empty
    line is a line too."""
    if not file:
        raise InputError(f"{option} is empty; name a file, or - for standard input")
    name = "standard input" if file == "-" else file
    number = 0
    try:
        with _standard_input() if file == "-" else _open(Path(file)) as source:
            for number, line in enumerate(source, 1):
                yield from split_lines(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as problem:
        raise InputError(
            f"{name} is not UTF-8 text: line {number} holds the byte "
            f"{problem.object[problem.start]:#04x}"
        ) from None
    except OSError as problem:
        raise InputError(f"{name} cannot be read: {problem.strerror}") from None


def _open(path: Path) -> AbstractContextManager[BinaryIO]:
    """A device may never end, as /dev/zero does not."""
    if path.is_char_device() and not path.samefile(os.devnull):
        with path.open("rb") as device:
            if not device.isatty():
                raise InputError(f"{path} is a device; texts come from a file or a pipe")
    return path.open("rb")


def split_lines(text: str) -> list[str]:
    """Lines end where an editor ends them. str.splitlines also cuts at form feeds and at
    U+2028, inside a text."""
    lines = re.split("\r\n?|\n", text)
    return lines if lines[-1] else lines[:-1]


def check_target(file: str | os.PathLike[str], option: str) -> Path:
    """Where a result shall go, checked before the work that makes it."""
    file = os.fspath(file) if isinstance(file, os.PathLike) else file
    if not isinstance(file, str):
        raise InputError(f"{option} is {shown(file)}; it must be the name of a file")
    if not file:
        raise InputError(f"{option} is empty; name a file to write to")
    path = Path(file)
    try:
        if path.is_dir():
            raise InputError(f"{file} cannot be written: it is a folder; {option} names a file")
        if not path.exists() and not path.resolve().parent.is_dir():
            raise InputError(
                f"{file} cannot be written: there is no folder {path.resolve().parent}"
            )
    except InputError:
        raise
    except (OSError, RuntimeError, ValueError) as problem:
        # A name too long, a folder that may not be entered, a ring of links, no name at all.
        raise InputError(
            f"{shown(file)} cannot be written: {getattr(problem, 'strerror', None) or problem}"
        ) from None
    return path


@contextmanager
def open_result(path: Path) -> Iterator[BinaryIO]:
    """A file for the whole result or, with an error, for nothing."""
    try:
        with open_atomically(path) as file:
            yield file
    except OSError as problem:
        raise InputError(f"{path} cannot be written: {problem.strerror}") from None


def write_result(path: Path, content: bytes) -> None:
    with open_result(path) as file:
        file.write(content)


def write_atomically(path: Path, content: bytes) -> None:
    with open_atomically(path) as file:
        file.write(content)


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Write beside the target, then move into place: a reader sees the old file or the new one,
    never half."""
    if path.exists() and not path.is_file():
        # A pipe, /dev/null: it is written to, and stays what it is.
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()  # a link stays, and the file behind it is replaced
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        else:
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _standard_input() -> AbstractContextManager[BinaryIO]:
    if sys.stdin is None:
        raise InputError("standard input is closed, so no texts can be read from it")
    return nullcontext(sys.stdin.buffer)  # which stays open
