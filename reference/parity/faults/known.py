"""Every fault that is known."""

from __future__ import annotations

import importlib
import pkgutil

from reference.errors import InputError
from reference.parity.faults import rooms
from reference.parity.faults.fault import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for module in pkgutil.iter_modules(rooms.__path__, f"{rooms.__name__}.")
    for fault in importlib.import_module(module.name).FAULTS
}


def find(fault: Fault | str) -> Fault:
    """A fault, or the known one of that name."""
    if isinstance(fault, Fault):
        return fault
    if fault not in FAULTS:
        raise InputError(f"fault {fault!r:.80} is unknown; it is one of {', '.join(FAULTS)}")
    return FAULTS[fault]
