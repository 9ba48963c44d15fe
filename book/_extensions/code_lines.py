"""Each line of code in a page becomes an element of its own, which knows how far it is
indented: where a line has to be broken, its rest is set deeper than its beginning, so that
nobody takes it for the next line.

What notebooks store stays as it is: this is done to the page, after everything else.
"""

import html
import re
from collections.abc import Iterator

from dictionary_calls import mark
from docutils import nodes
from folding import folds
from sphinx.application import Sphinx
from steps import circled, steps

# Code as Pygments marks it up, not what a cell has printed: a table there must not be broken.
CODE = re.compile(
    r'(?P<before>(?:<p class="listing-path"><code>(?P<path>[^<]*)</code>'
    r"(?: in <code>[^<]*</code>)?</p>\n)?"
    r'<div class="highlight-(?P<language>python|ipython3|rust|sh|default) notranslate">'
    r'<div class="highlight"><pre>(?:<span></span>)?)(?P<code>.*?)(?P<after></pre>)',
    re.DOTALL,
)
TAG = re.compile(r"<(/?)span([^>]*)>")
# Names, brackets and spaces have the colour of plain text in both styles: marked, they would
# make up a third of a page.
UNMARKED = re.compile(r'<span class="(?:n|p|w)">([^<]*)</span>')


def split(code: str) -> Iterator[str]:
    """The lines of highlighted code, each well-formed: what is open at a line's end is closed
    there and opened again."""
    opened: list[str] = []
    for line in code.removesuffix("\n").split("\n"):
        before = "".join(f"<span{attributes}>" for attributes in opened)
        for closing, attributes in TAG.findall(line):
            if closing:
                opened.pop()
            else:
                opened.append(attributes)
        yield f"{before}{line}{'</span>' * len(opened)}"


def light(code: str) -> str:
    """The same without what makes no difference to a reader."""
    return UNMARKED.sub(r"\1", code)


def plain(line: str) -> str:
    """The text of a highlighted line."""
    return html.unescape(TAG.sub("", line))


def element(line: str, classes: str = "line") -> str:
    text = plain(line)
    indent = len(text) - len(text.lstrip())
    style = f' style="--indent: {indent}"' if indent else ""
    return f'<span class="{classes}"{style}>{line}\n</span>'


def lines(body: str) -> str:
    """A page with its code in lines."""

    def in_lines(found: re.Match[str]) -> str:
        code = found["code"]
        if found["path"]:
            elements = of_listing(code, html.unescape(found["path"]), found["language"])
        else:
            elements = [element(line) for line in split(light(code))]
        return found["before"] + "".join(elements) + found["after"]

    return CODE.sub(in_lines, body)


def of_listing(code: str, path: str, language: str) -> list[str]:
    """The lines of a listing, with calls and steps marked, in folds; the page's script puts a
    button before each fold."""
    numbers = steps(plain(code))
    elements = [
        element(circled(line), "line step" if number else "line")
        for line, number in zip(split(light(mark(code, path))), numbers, strict=True)
    ]
    for fold in folds(plain(code), language):
        opening = f'<span class="fold" data-what="{fold.what}">'
        elements[fold.first] = opening + elements[fold.first]
        elements[fold.last] += "</span>"
    return elements


def change_page(
    app: Sphinx,
    name: str,
    template: str,
    context: dict[str, object],
    tree: nodes.document | None,
) -> None:
    if isinstance(context.get("body"), str):
        context["body"] = lines(context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", change_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
