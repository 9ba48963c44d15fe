"""Waiting for a library that trains: it can be interrupted, and a bar tells that it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")
SECONDS = 0.2  # between two looks at it


def run_apart(work: Callable[[], Result], tell: Callable[[], Any]) -> Result:
    """What `work` returns or raises; `tell` is called while it runs.

    It runs on a thread of its own, for Python hears of Ctrl-C only between two steps of its
    own, and a library trains in one. A thread that was interrupted is left to itself: it writes
    nothing, and ends with the process.
    """
    outcome: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((work(), None))
        except BaseException as problem:
            outcome.append((None, problem))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(SECONDS)
        tell()
    ((result, problem),) = outcome
    if problem is not None:
        raise problem
    return result
