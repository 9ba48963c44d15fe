"""A known bug of a pipeline, and how to seed it."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

from reference.parity.faults.cases import InTheWild
from reference.parity.faults.fault import Patch, patched


class Pipelines:
    """The modules of reference.pipelines, for patches."""

    def __getattr__(self, module: str) -> ModuleType:
        return importlib.import_module(f"reference.pipelines.{module}")


@dataclass(frozen=True)
class PipelineFault(InTheWild):
    """One bug, and the call of a pipeline whose results it changes."""

    name: str
    call: str
    story: str
    patch: Callable[[Pipelines], list[Patch]]

    @contextlib.contextmanager
    def seeded(self) -> Iterator[None]:
        """Pipelines have this bug if they are loaded, and used, while the context is open."""
        with patched(self.patch(Pipelines())):
            yield
