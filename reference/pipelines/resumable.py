"""Vectors streamed into a .npy file that may be larger than memory, and taken up again after
whatever has stopped it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reference.checks import check_texts
from reference.errors import InputError, shown
from reference.files import check_target, is_file, read_json, write_atomically
from reference.growing import GrowingArray

Parts = Iterator[tuple[list[str], np.ndarray]]


def write_vectors(
    path: str | os.PathLike[str],
    texts: Iterable[str],
    make: Callable[[Iterable[str]], Parts],
    like: np.ndarray,
    made_by: dict[str, Any],
) -> int:
    """Write what `make` makes of the texts to `path`, rows like those of `like`; how many.

    The rows grow in a file beside it, and what is safely in there is noted in another: how many
    rows, from which texts, `made_by` whom. A later call with the same texts goes on from there,
    and one with others says so. At the end the first file takes its place.
    """
    target = check_target(path, "path")
    rows, note = (target.with_name(f".{target.name}.{part}") for part in ("rows", "note"))
    texts = iter(texts)
    done, digest = _skip(texts, _read_note(note, made_by) if is_file(rows) else None, rows)
    with rows.open("r+b" if done else "w+b") as file:
        array = GrowingArray(file, like, done)
        for window, vectors in make(texts):
            array.append(vectors)
            file.flush()
            os.fsync(file.fileno())
            for text in window:
                digest = _after(digest, text)
            content = {"rows": array.rows, "texts": digest, "made by": made_by}
            write_atomically(note, json.dumps(content).encode())
        array.finish()
        os.fsync(file.fileno())
    rows.replace(target)
    note.unlink(missing_ok=True)
    return array.rows


def _read_note(note: Path, made_by: dict[str, Any]) -> dict[str, Any] | None:
    """What is known of the rows that are there; None if that is nothing."""
    if not is_file(note):
        return None
    content, rows = read_json(note, InputError), note.with_suffix(".rows")
    begun = content.get("made by")
    if not isinstance(begun, dict) or {"rows", "texts"} - content.keys():
        raise InputError(f"{note} is damaged; remove it, to begin {rows} again")
    others = [
        f"{name} {shown(begun.get(name), 200)}, not {shown(value, 200)}"
        for name, value in made_by.items()
        if begun.get(name) != value
    ]
    if others:
        raise InputError(
            f"{rows} was begun with {'; '.join(others)}: go on as it was begun, or remove it"
        )
    return content


def _skip(texts: Iterator[str], note: dict[str, Any] | None, rows: Path) -> tuple[int, str]:
    """Read past the texts whose vectors are there, which must be the same as they were."""
    digest = ""
    if note is None:
        return 0, digest
    for text in check_texts(itertools.islice(texts, note["rows"])):
        digest = _after(digest, text)
    if digest != note["texts"]:
        raise InputError(
            f"{rows} was begun with other texts; give the same ones again, or remove it"
        )
    return note["rows"], digest


def _after(digest: str, text: str) -> str:
    """A digest of all texts so far: of the one before, and of this text."""
    return hashlib.sha256(f"{digest}\n{text}".encode()).hexdigest()
