"""Figures for light and dark pages."""

import re
from dataclasses import fields
from functools import partial

import matplotlib
import pytest

from reference.display import Colors
from reference.display import themed as themed_with_words
from reference.display.figure import DARK, LIGHT, style
from reference.errors import InputError

matplotlib.use("Agg")
themed = partial(themed_with_words, caption="A line.", name="fig-line")
TEXT_COLORS = ("ink", "muted", "torch", "mlx", "rust", "accent", "bad")


def draw(colors: Colors):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 2))
    axes.plot([0, 1], color=colors.torch)
    axes.set_title("a title")
    return figure


def test_both_pictures_are_in_the_html_with_the_same_alternative_text():
    html = themed(draw, alt='a line, "rising"')._repr_html_()
    images = re.findall(
        r'<img alt="([^"]*)" class="([^"]*)" ?(hidden)? src="data:image/png;base64,(\w+)', html
    )
    assert [alt for alt, *_ in images] == ["a line, &quot;rising&quot;"] * 2
    assert [classes.split()[0] for _, classes, *_ in images] == ["only-light", "only-dark"]
    assert [hidden for _, _, hidden, _ in images] == ["", "hidden"]
    assert html.count('width="480"') == 2


def test_the_caption_and_the_name_are_in_the_html():
    caption = "Of `a < b` and *c*, which & is."
    html = themed(draw, alt="a line", caption=caption, name="fig-of-a-2")._repr_html_()
    assert html.startswith('<figure class="themed-figure" id="fig-of-a-2">\n<img ')
    marked_up = "Of <code>a &lt; b</code> and <em>c</em>, which &amp; is."
    assert html.endswith(f">\n<figcaption>{marked_up}</figcaption>\n</figure>")


def test_it_is_the_same_every_time():
    first, second = themed(draw, alt="a line"), themed(draw, alt="a line")
    assert first._repr_html_() == second._repr_html_()
    assert first.light != first.dark
    assert repr(first) == "Figure: A line.\na line"


def test_the_settings_of_the_session_neither_matter_nor_change():
    plain = themed(draw, alt="a line")
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True}):
        assert themed(draw, alt="a line") == plain
        assert matplotlib.rcParams["font.size"] == 30


def test_no_figure_stays_open():
    import matplotlib.pyplot as plt

    plt.close("all")
    themed(draw, alt="a line")
    assert plt.get_fignums() == []


def test_misuse_is_named():
    for alt in ("  ", None):
        with pytest.raises(InputError, match="alternative text"):
            themed(draw, alt=alt)
    for caption in (" ", None):
        with pytest.raises(InputError, match="a caption"):
            themed(draw, alt="a line", caption=caption)
    for name in ("line", "fig-", "fig-A", "fig-a b", None):
        with pytest.raises(InputError, match=r"a figure's name"):
            themed(draw, alt="a line", name=name)
    with pytest.raises(InputError, match="must return its matplotlib figure"):
        themed(lambda colors: None, alt="nothing")


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", TEXT_COLORS)
def test_text_stands_out_from_the_paper(colors: Colors, name: str):
    """WCAG 2, level AA: a contrast of 4.5 for text."""
    bright, dim = sorted(
        (luminance(getattr(colors, name)), luminance(colors.paper)), reverse=True
    )
    assert (bright + 0.05) / (dim + 0.05) >= 4.5


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_and_setting_is_known_to_matplotlib(colors: Colors):
    for field in fields(colors):
        value = getattr(colors, field.name)
        assert matplotlib.colors.is_color_like(value) or value in matplotlib.colormaps
    with matplotlib.rc_context(style(colors)):
        pass


def luminance(color: str) -> float:
    channels = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in matplotlib.colors.to_rgb(color)
    ]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), channels, strict=True))
