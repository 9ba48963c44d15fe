"""Checks of single values; each error names the key, what it holds and what would be right."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from reference.errors import ConfigError, shortened, shown


def check_choice(name: str, value: Any, allowed: Collection[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError(unsupported(name, value, allowed))


def check_integer(name: str, value: Any, minimum: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ConfigError(
            f"{name} is {shown(value)}; it must be a whole number of at least {minimum}"
        )
    if value >= 2**31:
        raise ConfigError(f"{name} is {shown(value)}; no encoder is that large")


def check_number(name: str, value: Any, above: float | None) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not _is_finite(value):
        raise ConfigError(f"{name} is {shown(value)}; it must be a finite number")
    if above is not None and value <= above:
        raise ConfigError(f"{name} is {value}; it must be greater than {above:g}")


def check_share(name: str, value: Any) -> None:
    check_number(name, value, above=None)
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} is {shown(value)}; a probability lies between 0 and 1")


def check_switch(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is {shown(value)}; it must be true or false")


def check_labels(labels: Any) -> None:
    if not isinstance(labels, Mapping) or not labels:
        raise ConfigError(
            f"id2label must be a mapping from number to label, not {shown(labels)}"
        )
    if not all(isinstance(label, str) for label in labels.values()):
        raise ConfigError("id2label's values must be strings")
    if set(labels) != set(range(len(labels))):
        raise ConfigError(
            f"id2label must number its labels 0 to {len(labels) - 1}; it has "
            f"{shown(list(labels)[:10])}"
        )


def check_architectures(names: Any) -> None:
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"architectures must be a list of class names, not {shown(names)}")
    if len(names) > 1:
        raise ConfigError(
            f"architectures names {shortened(' and '.join(names))}; a checkpoint is of one "
            "class"
        )


def unsupported(key: str, value: Any, allowed: Any) -> str:
    supported = ", ".join(repr(item) for item in allowed)
    return f"{key} is {shown(value)}, which no port implements; supported: {supported}"


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False
