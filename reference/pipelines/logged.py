"""A model whose passes are written about, while they compute: what model.logger puts in the
model's place."""

from __future__ import annotations

import itertools
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.backend import Model, port
from reference.checkpoint import Checkpoint
from reference.families import BASE
from reference.inputs import Inputs

ENDS = 3  # so many of the first and of the last values are shown

# What embed makes of the hidden states. It is no module in Transformers.
EMBEDDING = "sentence_embedding"

LOG = logging.getLogger("reference.model")


@dataclass(frozen=True)
class Settings:
    """What was asked for."""

    categories: frozenset[str]
    paths: frozenset[str]  # of the operations
    every: int
    # Of the passes since then, shared by all threads.
    passes: Iterator[int] = field(default_factory=lambda: itertools.count(1))


@dataclass(frozen=True)
class About:
    """What is known of a model before it computes."""

    checkpoint: Checkpoint
    backend: str
    dtype: str
    device: str | None

    @property
    def paths(self) -> tuple[str, ...]:
        """Every operation that can have a line: of the heads that the family has, those of this
        one."""
        architecture, config = self.checkpoint.architecture, self.checkpoint.config
        keys = (*self.checkpoint.tensors, *architecture.ties(config))
        places = [
            path
            for path in architecture.places(config)
            if any(key.startswith(f"{path.removesuffix('.input')}.") for key in keys)
        ]
        return (*places, *[EMBEDDING] * (architecture.task is BASE))

    @property
    def where(self) -> str:
        """The device by name, also where the caller left it to the framework."""
        place = str(port(self.backend).find_device(self.device, self.dtype))
        return re.search(r"(cpu|gpu|cuda|mps|metal)(:\d+)?|$", place)[0] or place


class LoggedModel:
    """A model whose passes are written about; all else passes through."""

    def __init__(self, model: Model, about: About, settings: Settings) -> None:
        self._model = model
        self._about = about
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def forward(self, inputs: Inputs, output_hidden_states: bool = False) -> dict[str, Any]:
        work = lambda: self._model.forward(inputs, output_hidden_states)
        return self._run("forward", inputs, work)

    def embed(
        self, inputs: Inputs, ways: tuple[str, ...], normalize: bool, skip: int = 0
    ) -> np.ndarray:
        work = lambda: self._model.embed(inputs, ways, normalize, skip)
        return self._run("embed", inputs, work)

    def _run(self, name: str, inputs: Inputs, work: Callable[[], Any]) -> Any:
        number = next(self._settings.passes)
        if (number - 1) % self._settings.every:
            return work()
        return Pass(self._about, self._settings, number, inputs).run(self._model, name, work)


class Pass:
    """One pass that is written about."""

    def __init__(self, about: About, settings: Settings, number: int, inputs: Inputs) -> None:
        self.about = about
        self.settings = settings
        self.number = number
        self.inputs = inputs
        self.width = max(map(len, settings.paths))
        self.real = None if inputs.attention_mask is None else inputs.texts.real
        self.writing = 0.0  # seconds

    def run(self, model: Model, name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        of_operations = self.settings.categories - {"info"}
        watched = lambda: model.watch(work, self.settings.paths, self.see)
        output = watched() if of_operations else work()
        seconds = time.perf_counter() - began - self.writing
        if of_operations and name == "embed" and EMBEDDING in self.settings.paths:
            self.see(EMBEDDING, output, str(output.dtype))
        if "info" in self.settings.categories:
            self.tell(name, seconds)
        return output

    def see(self, path: str, array: np.ndarray, dtype: str) -> None:
        """An operation has returned this."""
        began = time.perf_counter()
        facts: dict[str, Any] = {"pass": self.number, "operation": path}
        parts = [path.ljust(self.width)]
        categories = self.settings.categories
        if "shapes" in categories:
            facts |= {"shape": array.shape, "dtype": dtype}
            parts.append(f"{_shape(array.shape):<15} {dtype}")
        numbers = self._without_padding(array)
        if "statistics" in categories:
            facts |= (found := statistics(numbers))
            parts.append(" ".join(f"{name} {_number(value)}" for name, value in found.items()))
        if "values" in categories:
            flat = numbers.reshape(-1)
            first, last = flat[:ENDS], flat[-ENDS:]
            facts |= {"first": first.tolist(), "last": last.tolist()}
            parts.append(f"values {_few(first)} … {_few(last)}")
        _write("  ".join(parts), facts)
        self.writing += time.perf_counter() - began

    def tell(self, name: str, seconds: float) -> None:
        """The pass is over."""
        about, inputs = self.about, self.inputs
        packed = inputs.cu_seqlens is not None
        texts = len(inputs.cu_seqlens) - 1 if packed else len(inputs.texts.input_ids)
        tokens = inputs.input_ids.size if packed else int(inputs.real.sum())
        facts = {
            "pass": self.number,
            "call": name,
            "architecture": about.checkpoint.architecture.name,
            "backend": about.backend,
            "dtype": about.dtype,
            "device": about.where,
            "texts": texts,
            "tokens": tokens,
            "batch": inputs.input_ids.shape,
            "seconds": seconds,
        }
        form = "packed" if packed else "padded"
        _write(
            f"pass {self.number}: {name} of {facts['architecture']} on {about.backend}, "
            f"{about.dtype}, {facts['device']}: texts {texts}, tokens {tokens}, batch "
            f"{_shape(facts['batch'])} {form}, {seconds:.4f} s",
            facts,
        )

    def _without_padding(self, array: np.ndarray) -> np.ndarray:
        """The rows of real tokens, of what has a row for each token."""
        if self.real is None or array.ndim < 3 or array.shape[:2] != self.real.shape:
            return array
        return array[self.real]


def statistics(array: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation, minimum and maximum of the finite numbers, and how many others
    there are."""
    finite = array[np.isfinite(array)].astype(np.float64)
    found = dict.fromkeys(("mean", "std", "min", "max"), float("nan"))
    if finite.size:
        found = {name: float(getattr(finite, name)()) for name in found}
    return found | {"nan": int(np.isnan(array).sum()), "inf": int(np.isinf(array).sum())}


def _write(line: str, facts: dict[str, Any]) -> None:
    if LOG.hasHandlers():
        LOG.info("%s", line, extra={"facts": facts})
    elif LOG.isEnabledFor(logging.INFO):
        print(line, file=sys.stderr)


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:<9.3g}"


def _few(numbers: np.ndarray) -> str:
    return " ".join(f"{number:.4g}" for number in numbers)
