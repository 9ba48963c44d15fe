"""The named axes in signatures, checked at every call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jaxtyping
from beartype import beartype


def looked_at_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """For jaxtyping, which has two functions checked: one with the parameters before a call,
    and one with the parameters again and the result after it. Until then it remembers how long
    each axis was, so the second need look at the result only."""
    result = function.__annotations__.get("return", Any)
    if result is not Any:
        function.__annotations__ = {"return": result}
    return beartype(function)


@contextmanager
def shapes_not_looked_at() -> Iterator[None]:
    """For what is done with the same shapes again and again, or elsewhere too: looking takes
    up to half of the time, where models are small."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)
