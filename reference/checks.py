"""What a caller hands over, checked: texts, names, numbers and switches. An error says which
argument it was, what it held, and what would be right."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reference.errors import InputError, shown


def check_texts(texts: Any, name: str = "texts", first: int = 0) -> list[str]:
    """A list of strings; a lone string is refused where a list is meant, since it is a list of
    letters too. `first` is the number of the first of them, where they are part of a longer
    list."""
    texts = list(check_iterable(texts, name))
    for number, text in enumerate(texts, first):
        if not isinstance(text, str):
            raise InputError(
                f"{name}[{number}] is {type(text).__name__} {shown(text, 40)}; it must be a "
                "string"
            )
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(
                f"{name}[{number}] holds half of a surrogate pair, which is no text"
            ) from None
    return texts


def check_iterable(texts: Any, name: str = "texts") -> Iterator[Any]:
    """Whatever gives one text after another, a generator for one; but no dictionary, which
    would give its keys, and no set, which has no order."""
    try:
        if not isinstance(texts, (str, bytes, Mapping, set, frozenset)):
            return iter(texts)
    except TypeError:
        pass
    raise InputError(f"{name} must be a list of strings, not {type(texts).__name__}")


def check_vectors(vectors: np.ndarray, name: str, dimensions: int) -> np.ndarray:
    """Vectors that a model has made, one a row, in full precision: the products of bytes would
    wrap around."""
    if vectors.dtype.kind != "f":
        raise InputError(
            f"{name} holds {vectors.dtype}; vectors are compared as they are made, in floating "
            "point, not packed into bytes"
        )
    if vectors.ndim != 2 or vectors.shape[1] != dimensions:
        raise InputError(
            f"{name} has shape {vectors.shape}, which must be (texts, {dimensions}) here"
            + "; if the vectors of both sides were cut alike, truncate_dim says to how many "
            "numbers" * (vectors.ndim == 2)
        )
    if not np.isfinite(vectors).all():
        raise InputError(f"{name} holds NaN or infinity")
    # The length of a vector in half precision, its squares summed, may be more than that holds.
    return vectors.astype(np.float32) if vectors.dtype.itemsize < 4 else vectors


def check_name(value: Any, known: Collection[str], kind: str, fault: str = "unknown") -> str:
    """One of the known names, or an error that lists them: "backend 'jax' is unknown; it is one
    of torch, ..."."""
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{kind} {shown(value)} is {fault}; it is one of {', '.join(known)}")
    return value


def check_names(words: Sequence[str], known: Collection[str], kind: str) -> tuple[str, ...]:
    """Names from a command line, with spaces or commas between; "none" stands for none of
    them."""
    names = [name for word in words for name in word.split(",") if name and name != "none"]
    return tuple(dict.fromkeys(check_name(name, known, kind) for name in names))


def check_switch(name: str, value: Any) -> bool:
    """True or False, NumPy's too; anything else, "no" for one, would count as one of them by
    its truth value."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} is {shown(value)}; it must be True or False")
    return bool(value)


def check_top_k(top_k: Any) -> int | None:
    """How many of the best are wanted; None is all of them."""
    return None if top_k is None else check_whole("top_k", top_k, least=1)


def check_whole(name: str, value: Any, least: int) -> int:
    """A whole number, NumPy's too; a span of time is one to NumPy, but not to us."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(
        value, (bool, np.timedelta64)
    )
    if not whole or value < least:
        raise InputError(
            f"{name} is {shown(value)}; it must be a whole number of at least {least}"
        )
    return int(value)


def check_number(
    name: str, value: Any, least: float = -math.inf, most: float = math.inf
) -> float:
    """A finite number, NumPy's too; no bool."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and least <= value <= most):
        bounds = (
            f"at least {least:g}" if most == math.inf else f"between {least:g} and {most:g}"
        )
        kind = "a finite number" if least == -math.inf else f"a number, {bounds}"
        raise InputError(f"{name} is {shown(value)}; it must be {kind}")
    return float(value)
