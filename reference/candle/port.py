"""The candle port behind the protocol of reference/backend.py; the compiled model fulfils it by
itself."""

from __future__ import annotations

import json

import numpy as np

from reference.candle._native import Model, check_device
from reference.errors import InputError
from reference.families import Architecture, EncoderConfig


def find_device(name: str | None, dtype: str) -> str:
    """The device of that name, if candle was compiled for it; None is the CPU."""
    name = "cpu" if name is None else name
    check_device(name)
    if name.partition(":")[0] == "metal" and dtype == "float64":
        raise InputError("Apple's GPUs know no float64: use device='cpu', or another dtype")
    return name


def build(
    config: EncoderConfig,
    architecture: Architecture,
    tensors: dict[str, np.ndarray],
    dtype: str,
    device: str | None = None,
) -> Model:
    """The architecture with these tensors in it; Rust checks the configuration and each tensor
    again."""
    place = find_device(device, dtype)
    return Model(json.dumps(config.whole_dict()), architecture.name, tensors, dtype, place)
