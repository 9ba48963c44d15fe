"""Figures that a reader moves on the page, and that are still everywhere else.

The still one is a `themed` figure; beside its pictures its HTML carries the numbers that the
chapter computed. On a page of the book a script of the figure's name (book/_static/figures/)
takes them and puts what it draws in the place of the pictures. Without script, on paper and in
JupyterLab the pictures stay.
"""

import json
import math
import re
from dataclasses import dataclass

from reference.display.figure import ThemedFigure
from reference.errors import InputError

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def interactive(
    name: str, data: object, *, still: ThemedFigure, digits: int = 5
) -> "InteractiveFigure":
    """The figure `still`, which the script `name` brings to life with `data`: dicts, lists,
    texts, numbers, arrays. Numbers are rounded to so many significant digits, lest their last
    ones depend on the processor."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(
            f"a script's name is words in lower case with hyphens, not {name!r:.80}"
        )
    if not isinstance(still, ThemedFigure):
        raise InputError(f"still is {still!r:.80}; it must be what themed() returns")
    text = json.dumps(_plain(data, digits, "data"), ensure_ascii=False, separators=(",", ":"))
    # A text must not end the script element that it stands in.
    return InteractiveFigure(name, text.replace("<", "\\u003c"), still)


@dataclass(frozen=True)
class InteractiveFigure:
    """What `interactive` returns: a notebook displays it."""

    name: str
    data: str  # JSON
    still: ThemedFigure

    def __repr__(self) -> str:
        return repr(self.still)

    def _repr_html_(self) -> str:
        opening, pictures = self.still._repr_html_().split(">\n", 1)
        pictures, caption = pictures.split("<figcaption>")
        return (
            f'{opening} data-figure="{self.name}">\n{pictures}'
            f'<script type="application/json">{self.data}</script>\n<figcaption>{caption}'
        )


def _plain(value: object, digits: int, where: str) -> object:
    """The value as JSON has it."""
    import numpy as np

    if isinstance(value, dict):
        return {str(key): _plain(part, digits, f"{where}.{key}") for key, part in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(part, digits, f"{where}[{i}]") for i, part in enumerate(value)]
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float | np.floating | np.integer):
        if not math.isfinite(value):
            raise InputError(f"{where} is {value}; a figure can draw finite numbers only")
        rounded = float(f"{value:.{digits}g}")
        return int(rounded) if rounded == int(rounded) else rounded
    raise InputError(
        f"{where} is {value!r:.80}; a figure takes dicts, lists, texts, numbers, NumPy arrays"
    )
