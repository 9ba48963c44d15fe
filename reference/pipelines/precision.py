"""Vectors in fewer bits: a byte or a bit a number, as sentence-transformers packs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference.checks import check_name
from reference.errors import InputError

PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")
STEPS = 255  # between the 256 values of a byte


def check_precision(precision: Any, ranges: Any, dimensions: int) -> np.ndarray | None:
    """The ranges of a precision, [2, dimensions], where it takes some and they are given."""
    check_name(precision, PRECISIONS, "precision")
    if ranges is None:
        return None
    if precision not in ("int8", "uint8"):
        raise InputError(f"ranges are for int8 and uint8; {precision} takes none")
    try:
        ranges = np.asarray(ranges)
    except (TypeError, ValueError):
        ranges = np.array("")
    if ranges.dtype.kind not in "fiu":  # those of which another kind would make numbers
        raise InputError("ranges must be an array of numbers")
    with np.errstate(over="ignore"):  # infinity is refused
        ranges = ranges.astype(np.float32)
    if ranges.shape != (2, dimensions) or not np.isfinite(ranges).all():
        raise InputError(
            f"ranges has shape {ranges.shape}; it must hold finite numbers, the least and the "
            f"largest of each dimension, in the shape (2, {dimensions})"
        )
    if (ranges[0] > ranges[1]).any():
        raise InputError("ranges must hold the least numbers in its first row")
    return ranges


def ranges_of(vectors: np.ndarray) -> np.ndarray:
    """The least and the largest number of each dimension. Of one vector they would be the
    vector itself, and all of its numbers alike."""
    if len(vectors) < 2:
        raise InputError(
            f"the ranges of {len(vectors)} vectors say nothing; give ranges, [2, dimensions], "
            "the least and the largest of each dimension over many vectors"
        )
    return np.stack([vectors.min(axis=0), vectors.max(axis=0)])


def quantize(vectors: np.ndarray, precision: str, ranges: np.ndarray | None) -> np.ndarray:
    """The vectors in that precision; int8 and uint8 cut each range into 256 steps, of the
    vectors themselves where none is given, binary keeps the signs."""
    return QUANTIZERS[precision](vectors, ranges)


def _steps(vectors: np.ndarray, ranges: np.ndarray | None) -> np.ndarray:
    if ranges is None and len(vectors) == 0:
        return vectors
    least, largest = ranges_of(vectors) if ranges is None else ranges
    step = (largest - least) / STEPS
    step = np.where(step == 0, 1, step)
    return np.clip(np.floor((vectors - least) / step), 0, STEPS)


def _bits(vectors: np.ndarray) -> np.ndarray:
    """Eight signs a byte, the last byte filled up with zeros."""
    return np.packbits(vectors > 0, axis=-1)


QUANTIZERS: dict[str, Callable[[np.ndarray, np.ndarray | None], np.ndarray]] = {
    "float32": lambda vectors, _: vectors,
    "int8": lambda vectors, ranges: (_steps(vectors, ranges) - 128).astype(np.int8),
    "uint8": lambda vectors, ranges: _steps(vectors, ranges).astype(np.uint8),
    "binary": lambda vectors, _: (_bits(vectors).astype(np.int16) - 128).astype(np.int8),
    "ubinary": lambda vectors, _: _bits(vectors),
}
