"""A known port bug, and how to seed it."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import getattr_static
from types import ModuleType
from typing import Any

from reference.backend import BACKENDS, Model, build
from reference.checkpoint import Checkpoint
from reference.families import BASE, EncoderConfig, architecture_named
from reference.parity.faults.cases import InTheWild
from reference.parity.sample import Tensors, sentence_settings

# The ports whose code is Python and can be patched by name while it runs; their names are the
# same.
PATCHABLE = ("torch", "mlx")


class Code:
    """The modules of a port, for patches that read alike in both."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        # What a module's class calls its computation.
        self.call = "forward" if backend == "torch" else "__call__"
        self.framework = importlib.import_module("torch" if backend == "torch" else "mlx.core")

    def __getattr__(self, module: str) -> ModuleType:
        return importlib.import_module(f"reference.{self.backend}.{module}")

    def without_gradient(self, x: Any) -> Any:
        return x.detach() if self.backend == "torch" else self.framework.stop_gradient(x)


Patch = tuple[Any, str, Any]  # an object, the name of an attribute, and what to put there
Alteration = Callable[[EncoderConfig, Tensors], tuple[EncoderConfig, Tensors]]


@dataclass(frozen=True)
class Fault(InTheWild):
    """One bug: in what a port is built from (`alter`), in its code (`patch`) or around it
    (`around`)."""

    name: str
    story: str
    architecture: str = "BertModel"
    # Of a random checkpoint on which it shows.
    settings: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    departs: str = ""  # a pattern that the report's first divergence should match
    alter: Alteration | None = None
    patch: Callable[[Code], list[Patch]] | None = None
    around: Callable[[Model], Model] | None = None

    @property
    def backends(self) -> tuple[str, ...]:
        """Where it can be seeded: compiled code cannot be patched."""
        return BACKENDS if self.patch is None else PATCHABLE

    def fits(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint's model can have it: a bug of a base model is one of every head
        on it too, and what any encoder may get wrong is kept under the usual architecture."""
        its_own, model = architecture_named(self.architecture), checkpoint.architecture
        kin = its_own.family is model.family or self.architecture == Fault.architecture
        return kin and (its_own.task is BASE or its_own.task is model.task)

    def shows_on(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has what the fault needs."""
        pooling = sentence_settings(checkpoint)
        on_it = checkpoint.config.detections
        its_own = {
            "pooling": pooling and "".join(pooling.pooling),
            "normalize": pooling and pooling.normalize,
            "span_pooling": on_it and on_it.span_pooling,
        }
        return self.architecture == checkpoint.architecture.name and all(
            value == (its_own[key] if key in its_own else getattr(checkpoint.config, key))
            for key, value in self.settings.items()
        )

    @contextlib.contextmanager
    def seeded(self, backend: str, checkpoint: Checkpoint, dtype: str) -> Iterator[Model]:
        """The checkpoint in a port that has this bug, for as long as the context is open."""
        config, tensors = checkpoint.config, dict(checkpoint.tensors)
        if self.alter is not None:
            config, tensors = self.alter(config, tensors)
        with patched([] if self.patch is None else self.patch(Code(backend))):
            model = build(backend, config, checkpoint.architecture, tensors, dtype)
            yield model if self.around is None else self.around(model)


@contextlib.contextmanager
def patched(patches: list[Patch]) -> Iterator[None]:
    """Other attributes for as long as the context is open."""
    # As it is kept: of a class method, getattr would give one that is bound.
    plain = [(owner, name, getattr_static(owner, name)) for owner, name, _ in patches]
    try:
        for owner, name, replacement in patches:
            setattr(owner, name, replacement)
        yield
    finally:
        for owner, name, original in plain:
            setattr(owner, name, original)
