"""How well numbers follow other numbers: by size (Pearson), or by order only (Spearman)."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.errors import InputError


def pearson(left: Any, right: Any) -> float:
    """The cosine between two lists of numbers after each has had its mean taken off, in
    float64."""
    left, right = check_numbers(left, "left"), check_numbers(right, "right")
    if len(left) != len(right):
        raise InputError(
            f"there are {len(left)} numbers on the left, {len(right)} on the right"
        )
    return float(np.clip(_centred(left, "left") @ _centred(right, "right"), -1, 1))


def spearman(left: Any, right: Any) -> float:
    """Pearson's correlation of the ranks."""
    return pearson(ranks(left), ranks(right))


def ranks(values: Any) -> np.ndarray:
    """1 for the smallest; equal values share the mean of the ranks that they take up."""
    values = check_numbers(values, "values")
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def check_numbers(values: Any, name: str) -> np.ndarray:
    """A list of at least two numbers, none of them NaN or infinite."""
    try:
        values = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a list of numbers") from None
    if values.ndim != 1 or len(values) < 2:
        raise InputError(f"{name} has shape {values.shape}; a list of two numbers is the least")
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        raise InputError(f"{name}[{odd[0]}] is {values[odd[0]]}; it must be a finite number")
    return values


def _centred(values: np.ndarray, name: str) -> np.ndarray:
    if (values == values[0]).all():
        raise InputError(f"{name} is one number, {len(values)} times; nothing follows that")
    values = values / np.abs(values).max()  # so that no square overflows or vanishes
    values = values - values.mean()
    return values / np.linalg.norm(values)
