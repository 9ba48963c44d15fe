"""The named axes in signatures, checked at every call."""

from collections.abc import Callable
from typing import Any

from beartype import beartype


def looked_at_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """For jaxtyping, which has two functions checked: one with the parameters before a call,
    and one with the parameters again and the result after it. Until then it remembers how long
    each axis was, so the second need look at the result only."""
    result = function.__annotations__.get("return", Any)
    if result is not Any:
        function.__annotations__ = {"return": result}
    return beartype(function)
