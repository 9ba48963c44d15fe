"""Figures that read well on a light and on a dark page, with a caption and a name to link to.

A figure is drawn twice, once in each set of colours, and both pictures go into one piece of
HTML. The page's theme hides one of them. Elsewhere, in JupyterLab for instance, the light one
is shown, on its white paper: the dark one is marked `hidden`, and with the classes by which
JupyterLab hides things, since it ignores the attribute in a notebook that it does not trust.
The book's style sheet lifts both.

The caption stands below, in the same piece of HTML, so that it is there in a notebook as well.
The book numbers it and links to it (book/_extensions/numbered.py).

The bytes of a PNG depend on the platform's rasteriser, so the tests replace them by a constant
before they compare a stored output with a new one (tests/book/nbval_sanitize.cfg); the text
around them is compared exactly.
"""

import base64
import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass

from reference.errors import InputError


@dataclass(frozen=True)
class Colors:
    """The colours of one theme, by what they stand for. Text on paper has a contrast of 4.5 or
    more."""

    paper: str  # the background
    ink: str  # text, axes, outlines
    muted: str  # secondary text
    faint: str  # grids, padding, whatever should stay in the background
    # The three ports, everywhere in these colours: vermilion, blue, green, apart for
    # colour-blind eyes.
    torch: str
    mlx: str
    rust: str
    accent: str  # one thing to look at, where no port is meant
    bad: str  # what goes wrong
    sequential: str  # matplotlib colour maps: from nothing to much,
    diverging: str  # and from below zero to above it


LIGHT = Colors(
    paper="#ffffff",
    ink="#1f2530",
    muted="#5b6472",
    faint="#dfe3e9",
    torch="#b8470b",
    mlx="#1668ad",
    rust="#0b7a5b",
    accent="#7447b5",
    bad="#b3261e",
    sequential="Purples",
    diverging="PuOr_r",
)
DARK = Colors(
    paper="#121212",
    ink="#e6e9ee",
    muted="#a3adbb",
    faint="#323a46",
    torch="#ff9d63",
    mlx="#70b8f7",
    rust="#52d3a6",
    accent="#c3a1f7",
    bad="#ff8a80",
    sequential="magma",
    diverging="berlin",
)
DOTS_PER_INCH = 192  # twice the 96 of a CSS inch: sharp on a fine screen
NAME = re.compile(r"fig(-[a-z0-9]+)+")


def themed(
    draw: Callable[[Colors], object], *, alt: str, caption: str, name: str
) -> "ThemedFigure":
    """Draw a matplotlib figure for both themes: `draw(colors)` builds it and returns it.

    `alt` says in words what the figure shows, for those who do not see it. `caption` says to
    those who do what to look at; it may hold `code` and *emphasis*. `name` is the figure's own
    in all of the book, such as "fig-mean-pooling", by which a page links to it:
    {numref}`fig-mean-pooling`.
    """
    for text, what in ((alt, "an alternative text"), (caption, "a caption")):
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"a figure needs {what}: say in a sentence what it shows")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(
            f"a figure's name is 'fig-' and words in lower case with hyphens, not {name!r:.80}"
        )
    return ThemedFigure(alt, caption, name, *_render(draw, LIGHT), _render(draw, DARK)[0])


@dataclass(frozen=True)
class ThemedFigure:
    """What `themed` returns: a notebook displays it."""

    alt: str
    caption: str
    name: str
    light: bytes
    width: int  # of either picture, in CSS pixels
    dark: bytes

    def __repr__(self) -> str:
        return f"Figure: {self.caption}\n{self.alt}"

    def _repr_html_(self) -> str:
        alt, width = html.escape(self.alt, quote=True), self.width
        pictures = (
            f'<img alt="{alt}" {attributes} '
            f'src="data:image/png;base64,{_base64(png)}" width="{width}">'
            for attributes, png in (
                ('class="only-light"', self.light),
                ('class="only-dark lm-Widget lm-mod-hidden" hidden', self.dark),
            )
        )
        return "\n".join(
            (
                f'<figure class="themed-figure" id="{self.name}">',
                *pictures,
                f"<figcaption>{_marked_up(self.caption)}</figcaption>",
                "</figure>",
            )
        )


def style(colors: Colors) -> dict[str, object]:
    """The matplotlib settings of every figure in the book."""
    from matplotlib import cycler

    c = colors
    return {
        "figure.figsize": (6.4, 3.6),
        "figure.dpi": DOTS_PER_INCH,
        "figure.facecolor": c.paper,
        "figure.constrained_layout.use": True,
        "savefig.facecolor": c.paper,
        "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.facecolor": c.paper,
        "axes.edgecolor": c.muted,
        "axes.labelcolor": c.ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=[c.torch, c.mlx, c.rust, c.accent, c.muted]),
        "grid.color": c.faint,
        "image.cmap": c.sequential,
        "legend.frameon": False,
        "lines.linewidth": 2,
        "text.color": c.ink,
        "xtick.color": c.muted,
        "ytick.color": c.muted,
        "xtick.labelcolor": c.ink,
        "ytick.labelcolor": c.ink,
    }


def _render(draw: Callable[[Colors], object], colors: Colors) -> tuple[bytes, int]:
    """The figure as PNG, and its width on the page. The file carries no date and no version."""
    import matplotlib.pyplot as plt

    with plt.rc_context(
        {**plt.rcParamsDefault, **style(colors), "backend": plt.rcParams["backend"]}
    ):
        figure = draw(colors)
        if not hasattr(figure, "savefig"):
            raise InputError(f"draw(colors) must return its matplotlib figure, not {figure!r}")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        width = round(figure.get_figwidth() * 96)
        plt.close(figure)
    return buffer.getvalue(), width


def _marked_up(caption: str) -> str:
    """The caption as HTML."""
    escaped = html.escape(caption, quote=False)
    with_code = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", with_code)


def _base64(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")
