"""Memory that is free goes back to the system."""

import ctypes
import gc
import sys
from pathlib import Path

PAGES = Path("/proc/self/statm")  # Linux's; the second number is how many are in memory
MUCH = 300 * 2**20 // 4096
_left = 0  # so many were left the last time
_modules = 0  # so many were imported the last time


def give_back_memory() -> None:
    """Importing reference.mlx lets malloc keep up to a gigabyte of what is freed, for the next
    result; and what lies between blocks in use it keeps anyway. In one process that runs every
    test this adds up to more than all of them need."""
    global _left
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
    _left = _resident()


def give_back_what_has_grown() -> None:
    """The same if it is worth the time."""
    if _resident() > _left + MUCH:
        give_back_memory()


def keep_what_stays() -> None:
    """What has been imported stays, half a million objects of it: looking each time whether
    anything among them has become garbage is a third of a second. For when nothing else is
    alive."""
    global _modules
    if len(sys.modules) > _modules:
        gc.collect()
        gc.freeze()
        _modules = len(sys.modules)


def _resident() -> int:
    return int(PAGES.read_text().split()[1]) if PAGES.exists() else 0
