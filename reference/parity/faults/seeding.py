"""Ways of seeding a bug that several rooms use."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from reference.backend import Model
from reference.families import EncoderConfig
from reference.parity.faults.fault import Alteration
from reference.parity.sample import Tensors


def with_settings(**changes: Any) -> Alteration:
    """Another configuration than the checkpoint's."""
    return lambda config, tensors: (replace(config, **changes), tensors)


def edited(*edits: tuple[str, Callable[[np.ndarray], np.ndarray]]) -> Alteration:
    """Every tensor whose key matches a pattern, changed."""

    def alter(config: EncoderConfig, tensors: Tensors) -> tuple[EncoderConfig, Tensors]:
        for pattern, change in edits:
            tensors = {
                key: change(value) if re.search(pattern, key) else value
                for key, value in tensors.items()
            }
        return config, tensors

    return alter


class Around:
    """A model with something around it; what a fault does not touch passes through."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def attention_of(layer: int) -> str:
    """Where a report points when a ModernBERT's attention is wrong in that layer."""
    return rf"^layer {layer}, layers\.{layer}\.attn\.Wo\.input \("
