"""Where a loss that is no number comes from: the first operation of the model, in the order in
which they are computed, whose result is not finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reference import ranks
from reference.backend import Model
from reference.families import Architecture, EncoderConfig
from reference.inputs import Inputs
from reference.learning import Lesson

CHUNK_TOKENS = 2048


def origin(
    model: Model,
    architecture: Architecture,
    config: EncoderConfig,
    group: Sequence[Lesson | None],
) -> str:
    """In words that go on with "the run has come apart". Of several processes it is the first
    whose batches show it."""
    broken = [key for key, value in model.state().items() if not np.isfinite(value).all()]
    weights = ""
    if broken:
        others = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        weights = f"; of the weights {broken[0]}{others} held NaN or infinity by then"
    found = ranks.gathered(_first(model, architecture.places(config), group))
    usual = ". All that the model computes is finite, so it is the loss itself"
    return next(filter(None, found), usual) + weights


def _first(
    model: Model, places: Mapping[str, Any], group: Sequence[Lesson | None]
) -> str | None:
    for number, example in enumerate(group, 1):
        if example is None:  # there is nothing in it, or another process has it
            continue
        for inputs in _inputs_of(example):
            found = model.trace(inputs, list(places))
            for path, place in places.items():
                if path in found and not np.isfinite(_real(found[path], inputs)).all():
                    layer = "" if place.layer is None else f" of layer {place.layer}"
                    return (
                        f". It begins in batch {number} of the step's {len(group)}, with "
                        f"{path} ({place.meaning}{layer}), whose result is not finite"
                    )
    return None


def _inputs_of(example: Any) -> Iterator[Inputs]:
    """Those of one batch; what compares texts has sides, of several batches each."""
    if hasattr(example, "inputs"):
        yield example.inputs
    for side in getattr(example, "sides", ()):
        yield from (inputs for _, inputs in side.chunks(CHUNK_TOKENS))


def _real(values: np.ndarray, inputs: Inputs) -> np.ndarray:
    """Without what stands at padding, which means nothing."""
    mask = inputs.attention_mask
    return values if mask is None or values.shape[:2] != mask.shape else values[mask != 0]
