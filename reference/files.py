"""What the commands read and write: texts, one a line, and results in a file of the user's
choice."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from reference.checkpoint import write_atomically
from reference.errors import InputError


def read_lines(file: str, option: str) -> list[str]:
    """The lines of a UTF-8 file, or of standard input for "-"; an empty line is a line too."""
    if not file:
        raise InputError(f"{option} is empty; name a file, or - for standard input")
    name = "standard input" if file == "-" else file
    try:
        content = _standard_input() if file == "-" else Path(file).read_bytes()
        return split_lines(content.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise InputError(f"{name} is not UTF-8 text: {problem}") from None
    except OSError as problem:
        raise InputError(f"{name} cannot be read: {problem.strerror}") from None


def split_lines(text: str) -> list[str]:
    """Lines end where an editor ends them. str.splitlines also cuts at form feeds and at
    U+2028, inside a text."""
    lines = re.split("\r\n?|\n", text)
    return lines if lines[-1] else lines[:-1]


def check_target(file: str, option: str) -> Path:
    """Where a result shall go, checked before the work that makes it."""
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
    except (OSError, RuntimeError) as problem:
        # A name too long, a folder that may not be entered, a ring of links.
        raise InputError(
            f"{file:.80} cannot be written: {getattr(problem, 'strerror', None) or problem}"
        ) from None
    return path


def write_result(path: Path, content: bytes) -> None:
    """Write the whole result or, with an error, nothing."""
    try:
        write_atomically(path, content)
    except OSError as problem:
        raise InputError(f"{path} cannot be written: {problem.strerror}") from None


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise InputError("standard input is closed, so no texts can be read from it")
    return sys.stdin.buffer.read()
