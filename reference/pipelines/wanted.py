"""What a caller wants of the vectors that encode makes, checked once for all texts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.checks import check_name, check_switch, check_whole
from reference.errors import InputError
from reference.pipelines.cutting import WAYS
from reference.pipelines.precision import check_precision, quantize
from reference.sentence import SentenceSettings
from reference.sentence.modules import Module, Normalize


@dataclass(frozen=True, eq=False)
class Wanted:
    """Prompt, length and precision of the vectors, and the modules that make them of pooled
    ones."""

    prompt: str
    modules: tuple[Module, ...]
    size: int
    unit: bool  # whether to scale to length one after the cut to that size
    precision: str
    ranges: np.ndarray | None
    truncation: str | None

    @property
    def unit_first(self) -> bool:
        """Whether the first module makes unit vectors, which the ports do themselves."""
        return bool(self.modules) and isinstance(self.modules[0], Normalize)

    def finish(self, vectors: np.ndarray) -> np.ndarray:
        """What becomes of pooled vectors, scaled by the port if unit_first: the modules, then
        the cut, then length one."""
        for module in self.modules[self.unit_first :]:
            vectors = module(vectors)
        vectors = vectors[:, : self.size]
        return Normalize()(vectors) if self.unit else vectors

    def told(self) -> dict[str, str]:
        """In words, to be compared with what another call wanted; an array by its digest."""
        ranges = "none"
        if self.ranges is not None:
            digest = hashlib.sha256(self.ranges.tobytes()).hexdigest()
            ranges = f"those with the digest {digest[:16]}"
        return {
            "prompt": self.prompt,
            "modules": ", ".join(type(module).__name__ for module in self.modules),
            "truncate_dim": f"{self.size}",
            "normalize": f"{self.unit}",
            "precision": self.precision,
            "ranges": ranges,
        }

    def store(self, vectors: np.ndarray) -> np.ndarray:
        return quantize(vectors, self.precision, self.ranges)


def check_wanted(
    settings: SentenceSettings,
    normalize: bool | None = None,
    prompt: str | None = None,
    prompt_name: str | None = None,
    truncate_dim: int | None = None,
    precision: str = "float32",
    ranges: Any = None,
    truncation: str | None = None,
) -> Wanted:
    """The arguments of `encode`, held against what the model has."""
    normalize = None if normalize is None else check_switch("normalize", normalize)
    size = settings.truncated_size
    if truncate_dim is not None:
        size = check_whole("truncate_dim", truncate_dim, least=1)
        if size > settings.size:
            raise InputError(
                f"truncate_dim is {size}, but this model's vectors have {settings.size} numbers"
            )
    modules = settings.modules
    if normalize is not None and modules and isinstance(modules[-1], Normalize):
        modules = modules[:-1]
    if normalize and size == settings.size:  # nothing is cut between the modules and this
        modules = (*modules, Normalize())
    return Wanted(
        settings.prompt(prompt, prompt_name),
        modules,
        size,
        bool(normalize) and size < settings.size,
        precision,
        check_precision(precision, ranges, size),
        truncation if truncation is None else check_name(truncation, WAYS, "truncation"),
    )
