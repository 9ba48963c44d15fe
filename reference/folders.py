"""Writing several files into a folder as one step: whoever reads it, or is left with it after
an interruption, has all of the old files or all of the new ones."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from reference.errors import InputError
from reference.files import write_atomically


def write_together(
    folder: Path, files: Mapping[str, bytes], obsolete: Collection[str] = ()
) -> None:
    """Write `files`, under their paths in the folder, and remove the `obsolete` ones; what
    else is there stays.

    A new folder is completed beside the old one and takes its place. Where it cannot, since
    this process works in the old one or the system cannot exchange them, the files are
    completed first and moved one by one.
    """
    folder = folder.resolve()  # a link stays, and the folder behind it is replaced
    obsolete = set(obsolete) - set(files)
    if not folder.parent.exists():
        folder.parent.mkdir(parents=True)
    try:
        _replace_folder(folder, files, obsolete)
    except _CannotExchangeError:
        _replace_files(folder, files, obsolete)


def check_new_folder(folder: str | os.PathLike[str], what: str = "checkpoint") -> None:
    """Refuse a folder that could not be written, or that holds something already, before the
    work and not after it."""
    path, name = Path(folder), str(folder)
    if not name or path.is_file():
        raise InputError(f"{name!r:.80} is no folder to write a {what} to")
    if path.is_dir() and any(path.iterdir()):
        raise InputError(f"{name!r:.80} is not empty; name a new folder for the {what}")
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(
            f"{name!r:.80} cannot be made: {str(there)!r:.80} is no folder that can be written "
            "to"
        )


class _CannotExchangeError(Exception):
    """The old folder has to stay where it is."""


def _replace_folder(
    folder: Path, files: Mapping[str, bytes], obsolete: Collection[str]
) -> None:
    if Path.cwd().is_relative_to(folder) or not os.access(folder.parent, os.W_OK):
        raise _CannotExchangeError
    with _stage_in(folder.parent, folder.name) as stage:
        new = Path(stage) / folder.name
        if folder.exists():
            replaced = {folder / name for name in (*files, *obsolete)}
            shutil.copytree(
                folder,
                new,
                symlinks=True,
                copy_function=_link,
                ignore=lambda inside, names: {n for n in names if Path(inside, n) in replaced},
            )
        _write(new, files)
        if not folder.exists():
            new.replace(folder)
            return
        try:
            _exchange(new, folder)
        except OSError:
            raise _CannotExchangeError from None


def _replace_files(folder: Path, files: Mapping[str, bytes], obsolete: Collection[str]) -> None:
    folder.mkdir(exist_ok=True)
    with _stage_in(folder, "checkpoint") as stage:
        _write(Path(stage), files)
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(stage) / name).replace(folder / name)
    for name in obsolete:
        (folder / name).unlink(missing_ok=True)


def _stage_in(folder: Path, name: str) -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.saving.")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)


def _link(source: str, target: str) -> None:
    """The same file under a second name, which copies nothing; a copy where a file system has
    no such thing."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _exchange(one: Path, other: Path) -> None:
    """Let two folders change places in one step, for which Python has no call."""
    system = ctypes.CDLL(None, use_errno=True)
    here, swap = -100, 2  # AT_FDCWD; RENAME_EXCHANGE, on macOS RENAME_SWAP
    names = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            failed = system.renamex_np(*names, swap)
        else:
            failed = system.renameat2(here, names[0], here, names[1], swap)
    except AttributeError:  # a C library without it
        raise OSError(f"{one} and {other} cannot be exchanged here") from None
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))
