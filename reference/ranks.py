"""More than one process: which of them this one is, and what the others have to say.

torchrun starts a program several times, and tells each process in its environment how many they
are (WORLD_SIZE) and which one it is (RANK). Training asks the few things below of them. Where
there is one process each answers at once: nothing is imported, no connection is made.

A question is answered when every process has asked it, so all must ask the same ones in the
same order.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from reference.errors import InputError, shown

BACKEND = "torch"  # whose processes can work together

Value = TypeVar("Value")


def world() -> int:
    """How many processes there are."""
    return _number("WORLD_SIZE", 1, least=1)


def rank() -> int:
    """Which of them this one is; the first is 0."""
    return _number("RANK", None, least=0) if world() > 1 else 0


def local_rank() -> int:
    """Which one it is of those on this machine."""
    return _number("LOCAL_RANK", rank(), least=0)


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def is_own(place: int) -> bool:
    """Whether this process takes what is dealt out at that place, one each in turn."""
    return place % world() == rank()


def gathered(value: Value) -> list[Value]:
    """What every process has for this one's value, in the order of their ranks."""
    return [value] if world() == 1 else _room().gathered(value)


def total(number: float) -> float:
    """The sum over all processes, the same to the last bit in each."""
    return number if world() == 1 else sum(gathered(number))


def from_first(make: Callable[[], Value]) -> Value:
    """What the first process makes, while the others wait."""
    return gathered(make() if is_first() else None)[0]


def wait() -> None:
    """Until all processes have come here."""
    gathered(None)


def own_device(device: str | None) -> str | None:
    """The device of this process, where all were told the same: of GPUs each has its own."""
    return device if world() == 1 else _room().own_device(device, local_rank())


def check_alone(what: str, instead: str) -> None:
    """Refuse what is done in one process."""
    if (number := world()) > 1:
        raise InputError(
            f"{what} in one process, and torchrun has started {number}: start it without "
            f"torchrun{instead}"
        )


def check_backend(backend: str) -> None:
    """Refuse a backend whose processes know nothing of each other."""
    if backend != BACKEND:
        check_alone(f"{backend} trains", f", or train with the {BACKEND} backend")


def check_same(given: Mapping[str, Any]) -> None:
    """Refuse processes that were given different things: each would learn from its share of
    something else."""
    for other, values in enumerate(gathered(dict(given))):
        for key, value in given.items():
            if values[key] != value:
                raise InputError(
                    f"the processes of a run must be given the same, but {key} is "
                    f"{shown(value)} in process {rank()} and {shown(values[key])} in process "
                    f"{other}; each is given all the data and takes its share by itself"
                )


def _room() -> Any:
    return importlib.import_module(f"reference.{BACKEND}.ranks")


def _number(name: str, usual: int | None, least: int) -> int:
    text = os.environ.get(name)
    if text is None and usual is not None:
        return usual
    if text is None or not text.isdecimal() or int(text) < least:
        raise InputError(
            f"the environment says WORLD_SIZE={os.environ.get('WORLD_SIZE')} and "
            f"{name}={text}; torchrun sets them to whole numbers. Without it, unset WORLD_SIZE"
        )
    return int(text)
