"""Formulas as MathML, which browsers set by themselves: no page loads a script for them, and
they can be read aloud, copied, and printed like text.

Pages are written with TeX in them, and `typeset` turns it into MathML when they are finished:
what else reads the written pages is spared the markup.
"""

import html
import re
from functools import cache
from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

FORMULA = re.compile(
    r'(<(span|div) class="math notranslate nohighlight"[^>]*>)\s*'
    r"\\([(\[])(.*?)\\[)\]]\s*(</\2>)",
    re.DOTALL,
)
# What docutils does not know, in words that it knows.
KNOWN = (
    (re.compile(r"\\(?:begin|end)\{split\}"), ""),
    (re.compile(r"\\dots\b"), r"\\ldots"),
    (re.compile(r"\\([dt]?frac)(\d)(\d)"), r"\\\1{\2}{\3}"),
    (re.compile(r"\\([Bb]igg?)(?=\s*[(\[])"), r"\\\1l"),
    (re.compile(r"\\([Bb]igg?)(?=\s*[)\]])"), r"\\\1r"),
)
SPACE = "http://www.w3.org/1998/Math/MathML"
HATS = {"ˆ", "˜", "¯", "_", "→"}
SIZES = ("displaystyle", "scriptlevel")
LINES = {"¯", "_"}
BRACES = {"⏟", "⏞"}
OPENING = {"(", "[", "{"}
APPLIED = "\u2061"  # stands between a function and its argument, unseen
SPACER = ElementTree.Element("mspace", width="0.17em")


def typeset(body: str) -> str:
    """The HTML with every formula in it as MathML."""
    return FORMULA.sub(
        lambda found: (
            f"{found[1]}{mathml(html.unescape(found[4]).strip(), found[3] == '[')}{found[5]}"
        ),
        body,
    )


@cache
def mathml(tex: str, block: bool = False) -> str:
    """One formula; its TeX stays with it, for those who copy it."""
    known = tex
    for pattern, replacement in KNOWN:
        known = pattern.sub(replacement, known)
    try:
        written = latex2mathml.tex2mathml(known, as_block=block)
    except MathError as problem:
        raise ExtensionError(f"the formula {tex}: {problem}") from problem
    written = written.replace("&ApplyFunction;", APPLIED)
    math = ElementTree.fromstring(written)
    for element in math.iter():
        element.tag = element.tag.removeprefix(f"{{{SPACE}}}")
        element.text = (element.text or "").strip() if len(element) else element.text
        element.tail = None
    for element in list(math.iter()):
        mend(element)
        style(element)
    parts = list(math)
    for part in parts:
        math.remove(part)
    semantics = ElementTree.SubElement(math, "semantics")
    # annotated is one element, not several
    row = parts[0] if len(parts) == 1 else ElementTree.Element("mrow")
    row.extend(parts if len(parts) > 1 else [])
    semantics.append(row)
    ElementTree.SubElement(semantics, "annotation", encoding="application/x-tex").text = tex
    math.set("xmlns", SPACE)
    return ElementTree.tostring(math, encoding="unicode")


def mend(element: ElementTree.Element) -> None:
    """What docutils puts in the wrong place."""
    space_functions(element)
    parts = list(element)
    mark = (parts[-1].text or "") if parts else ""
    if element.tag == "munderover" and mark in HATS:
        # an index of what has a hat, which it set below
        base, index, hat = parts
        element.tag = "msub"
        element[:] = [ElementTree.Element("mover", accent="true"), index]
        element[0].extend([base, hat])
        mend(element[0])
    elif element.tag == "mover" and mark in LINES:
        # a line as long as what is below it, which fonts without the means to stretch it lack
        element.tag = "mrow"
        element.attrib = {"class": "overlined"}
        element[:] = parts[:1]
    elif element.tag == "msub" and parts[0].tag == "munder" and parts[0][-1].text in BRACES:
        # what is written under a brace, which it set beside it
        element.tag = "munder"


def style(element: ElementTree.Element) -> None:
    """The size of what is in an element, which docutils notes on any, and which belongs to one
    of its own."""
    sizes = {key: element.attrib.pop(key) for key in SIZES if key in element.attrib}
    if not sizes or element.tag == "mstyle":
        element.attrib.update(sizes)
        return
    if element.tag == "mfrac":
        fraction = ElementTree.Element("mfrac", element.attrib)
        fraction.extend(element)
        element.tag, element.attrib = "mstyle", sizes
        element[:] = [fraction]
        return
    for part in element if element.tag == "mtr" else [element]:
        styled = ElementTree.Element("mstyle", sizes)
        styled.extend(part)
        part[:] = [styled]


def space_functions(element: ElementTree.Element) -> None:
    """A little space after log and cos, where no parenthesis follows."""
    for applied, argument in zip(list(element), list(element)[1:], strict=False):
        if applied.text == APPLIED and first_text(argument) not in OPENING:
            element.insert(list(element).index(argument), SPACER)


def first_text(element: ElementTree.Element) -> str:
    return next((part.text for part in element.iter() if part.text), "")


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    start = translator.starttag(node, "span", "", CLASS="math notranslate nohighlight")
    translator.body.append(f"{start}\\({translator.encode(node.astext())}\\)</span>")
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    start = translator.starttag(node, "div", CLASS="math notranslate nohighlight")
    translator.body.append(f"{start}\\[{translator.encode(node.astext())}\\]</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
