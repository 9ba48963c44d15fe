"""Which process computes. The frameworks compute on threads of their own, which a fork does not
take along: in a forked child they would be waited for without end."""

from __future__ import annotations

import os

from reference.errors import InputError

_computing: int | None = None  # the process that the threads are in


def computing() -> None:
    """Say that this process computes from now on; an error in a fork of one that does
    already."""
    global _computing
    check_process()
    _computing = os.getpid()


def check_process() -> None:
    """An error in a fork of a process that has computed."""
    if _computing not in (None, os.getpid()):
        raise InputError(
            f"this process is a fork of process {_computing}, which has computed already: its "
            "threads are missing here, and a model would wait for them without end. Fork "
            "before the first computation, or start processes with multiprocessing's 'spawn'"
        )
