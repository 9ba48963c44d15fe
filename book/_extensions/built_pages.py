"""The pages as they were built, read back for what helps to find one's way in them: the search
by section, the cards and the ticks.

What is read is the HTML and not the documents behind it, for there the numbers, the anchors and
the listings are what a reader meets. And what is written is JavaScript that sets one property
of one global, `EncodersBook`, for a page that is opened from a file may load a script but must
not fetch anything.
"""

import html
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag
from sphinx.application import Sphinx

PREFORMATTED = re.compile(r"<pre>(.*?)</pre>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
BLOCKS = "p li dt dd td th tr div figure figcaption section".split()
# What a formula is made of that needs no setting.
SYMBOLS = {
    r"\alpha": "α", r"\beta": "β", r"\gamma": "γ", r"\epsilon": "ε", r"\theta": "θ",
    r"\lambda": "λ", r"\mu": "μ", r"\pi": "π", r"\sigma": "σ", r"\tau": "τ", r"\omega": "ω",
    r"\Phi": "Φ", r"\Delta": "Δ", r"\cdot": "·", r"\times": "×", r"\le": "≤", r"\ge": "≥",
    r"\leq": "≤", r"\geq": "≥", r"\neq": "≠", r"\approx": "≈", r"\infty": "∞", r"\dots": "…",
    r"\ldots": "…", r"\in": "∈", r"\log": "log", r"\exp": "exp", r"\sin": "sin",
    r"\cos": "cos", r"\max": "max", r"\min": "min", r"\,": " ", r"\;": " ", r"\ ": " ",
    r"\{": "{", r"\}": "}", "-": "−", "'": "′",
}  # fmt: skip
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[-']")
RAISED = re.compile(r"([\^_])(?:\{([^{}]*)\}|([^\s{}\\]))")


@cache
def _article(path: Path, changed: int) -> Tag:
    text = path.read_text(encoding="utf-8")
    # Without the colours of its code a page is read in a fraction of the time.
    text = PREFORMATTED.sub(lambda found: f"<pre>{TAG.sub('', found[1])}</pre>", text)
    article = BeautifulSoup(text, "html.parser").find("article")
    assert isinstance(article, Tag), path
    return article


def articles(app: Sphinx) -> dict[str, Tag]:
    """The article of every page, by the page's name; not to be changed, for all share it."""
    found = {}
    for name in sorted(app.env.found_docs):
        path = Path(app.builder.get_outfilename(name))
        found[name] = _article(path, path.stat().st_mtime_ns)
    return found


def is_html(app: Sphinx, exception: Exception | None) -> bool:
    return exception is None and app.builder.name == "html"


def write_data(app: Sphinx, file: str, name: str, data: object) -> None:
    """Write `EncodersBook.<name> = data;` into a script under _static."""
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # these two end a line in old JavaScript, even inside a string
    written = written.replace("\u2028", r"\u2028").replace("\u2029", r"\u2029")
    script = (
        f"var EncodersBook = window.EncodersBook || {{}};\nEncodersBook.{name} = {written};\n"
    )
    (Path(app.outdir) / "_static" / file).write_text(script, encoding="utf-8")


def plain_math(formula: str, markup: bool = False) -> str | None:
    r"""A short formula in ordinary characters, x · Φ(x) for \(x \cdot \Phi(x)\): None where it
    takes more. With markup, powers and indices are raised and lowered."""
    formula = re.sub(r"^\s*\\\(|\\\)\s*$", "", formula)
    formula = re.sub(r"\\(?:mathrm|text|mathbf)\{([^{}\\]*)\}", r"\1", formula)
    tokens = TOKEN.findall(formula)
    if any(token not in SYMBOLS for token in tokens):
        return None
    text = TOKEN.sub(lambda found: SYMBOLS[found[0]], formula)
    if markup:
        text = html.escape(text, quote=False)
    text = RAISED.sub(raised if markup else in_a_line, text)
    return re.sub(r"\s+", " ", text).strip()


def raised(found: re.Match[str]) -> str:
    name = {"^": "sup", "_": "sub"}[found[1]]
    return f"<{name}>{found[2] or found[3]}</{name}>"


def in_a_line(found: re.Match[str]) -> str:
    return (
        f"{found[1]}({found[2]})"
        if len(found[2] or "") > 1
        else found[1] + found[0].strip("^_{}")
    )


def words(node: Tag, skipped: Callable[[Tag], bool] = lambda tag: False) -> str:
    """The text of an element in one line, without what `skipped` says to leave out."""

    def pieces(inside: Tag) -> Iterator[str]:
        for child in inside.children:
            if isinstance(child, Tag):
                if skipped(child) or child.name in ("script", "style"):
                    continue
                if "math" in classes(child):
                    yield formula(child)
                    continue
                block = child.name in BLOCKS
                yield " " if block else ""
                yield from pieces(child)
                yield " " if block else ""
            elif type(child) is NavigableString:  # and not a comment
                yield str(child)

    return re.sub(r"\s+", " ", "".join(pieces(node))).strip()


def formula(node: Tag) -> str:
    """A formula among words; one that stands by itself is left out."""
    if node.name == "div":
        return " "
    return plain_math(node.get_text()) or "…"


def without_address(reference: str) -> str:
    """A reference less the address at its end, which can be neither read nor followed in a card
    or an excerpt; and no script is to name a server."""
    return re.sub(r"\s*URL: \S+", "", reference)


def classes(node: Tag) -> list[str]:
    return node.get("class") or []
