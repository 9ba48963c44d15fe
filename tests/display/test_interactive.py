"""Figures to move."""

import json
import re

import matplotlib
import numpy as np
import pytest

from reference.display import interactive, themed
from reference.errors import InputError

matplotlib.use("Agg")


def draw(colors):
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(2, 1))[0]


STILL = themed(draw, alt="nothing", caption="No line.", name="fig-none")


def data_of(figure) -> object:
    html = figure._repr_html_()
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])


def test_the_still_figure_is_all_there_with_the_data_beside_it():
    html = interactive("some-dials", {"a": [1, 2]}, still=STILL)._repr_html_()
    opening = '<figure class="themed-figure" id="fig-none" data-figure="some-dials">\n'
    assert html.startswith(opening)
    without = html.replace(' data-figure="some-dials"', "")
    assert re.sub(r"<script.*</script>\n", "", without) == STILL._repr_html_()


def test_numbers_are_rounded_and_arrays_are_lists():
    data = {"a": np.array([1 / 3, 2e-7]), "b": (True, None, "ä", np.float32(0.1)), 3: 2**40}
    found = data_of(interactive("x", data, still=STILL))
    assert found == {"a": [0.33333, 2e-7], "b": [True, None, "ä", 0.1], "3": 2**40}
    assert data_of(interactive("x", 1234.5678, still=STILL, digits=3)) == 1230


def test_a_text_cannot_end_the_element():
    text = "</script><b>"
    figure = interactive("x", [text], still=STILL)
    assert data_of(figure) == [text]
    assert "<b>" not in figure._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("A name", {}), "a script's name"),
        (("x", {"a": [float("nan")]}), r"data\.a\[0\] is nan"),
        (("x", {"a": object()}), "takes dicts, lists"),
    ],
)
def test_what_cannot_be_drawn_is_told(arguments, part):
    with pytest.raises(InputError, match=part):
        interactive(*arguments, still=STILL)
    with pytest.raises(InputError, match="themed"):
        interactive("x", {}, still="a picture")
