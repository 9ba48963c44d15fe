"""What the cards say that open at a link: definitions, references, and the figures and
exercises of other pages.

Figures and exercises of the same page are read there by cards.js. Of those elsewhere only the
ones that some page refers to are written, and a figure's pictures become files of their own,
which a page loads when the card opens.
"""

import base64
import html
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import NavigableString, Tag
from built_pages import articles, classes, is_html, plain_math, without_address, write_data
from mathml import mathml
from sphinx.application import Sphinx

KEPT = {"code": "code", "em": "em", "strong": "strong", "i": "em", "b": "strong"}
LEFT_OUT = {"headerlink", "label", "bibtex-citation"}
PICTURE = re.compile(r"data:image/(?P<kind>[a-z]+)(?:\+xml)?;base64,(?P<data>.*)", re.DOTALL)
FOLDER = "card_figures"


def simple_html(node: Tag) -> str:
    """What an element says, with code and emphasis kept and everything else as plain text.
    Links go: a card is not a place to step into."""

    def pieces(inside: Tag) -> Iterator[str]:
        for child in inside.children:
            if isinstance(child, Tag):
                kinds = set(classes(child))
                if kinds & LEFT_OUT:
                    continue
                if "math" in kinds:
                    yield math(child)
                elif child.name in KEPT:
                    yield f"<{KEPT[child.name]}>{''.join(pieces(child))}</{KEPT[child.name]}>"
                else:
                    yield "".join(pieces(child)) + (" " if child.name == "p" else "")
            elif type(child) is NavigableString:
                yield html.escape(str(child), quote=False)

    text = re.sub(r"\s+", " ", "".join(pieces(node))).strip()
    return re.sub(r" (?=[.,;:])", "", text)  # before which a citation stood


def math(node: Tag) -> str:
    """A formula: as plain text where that will do, else as MathML."""
    plain = plain_math(node.get_text(), markup=True)
    if plain is not None:
        return f'<span class="card-math">{plain}</span>'
    return mathml(node.get_text().strip().strip("\\()[]"))


def definitions(article: Tag) -> dict[str, list[str]]:
    """Of each term of a glossary its name and what it says."""
    return {
        term["id"]: [simple_html(term), simple_html(term.find_next_sibling("dd"))]
        for term in article.select("dl.glossary > dt[id]")
    }


def references(article: Tag) -> dict[str, str]:
    entries = article.select("div.citation[id]")
    return {entry["id"]: without_address(simple_html(entry)) for entry in entries}


def referred_to(pages: dict[str, Tag]) -> set[tuple[str, str]]:
    """The figures and exercises that some other page links to: page and anchor."""
    found = set()
    for name, article in pages.items():
        for link in article.select('a[href*="#fig-"], a[href*="#exercise-"]'):
            parts = urlsplit(link["href"])
            if parts.path and not parts.scheme:
                target = (Path("/", name).parent / unquote(parts.path)).resolve()
                found.add(
                    (str(target.relative_to("/").with_suffix("")), unquote(parts.fragment))
                )
    return found


def exercise(node: Tag) -> str:
    """An exercise up to its solution, with its number."""
    parts = [simple_html(node)]
    for following in node.find_next_siblings():
        if following.name not in ("p", "ul", "ol") or following.get("id"):
            break
        parts.append(simple_html(following))
    return " ".join(parts)


def figure(node: Tag, pictures: Path) -> dict[str, object]:
    """The caption, and for light and dark the picture's file and words; writes the files."""
    shown = {}
    for theme in ("light", "dark"):
        image = node.select_one(f"img.only-{theme}")
        found = PICTURE.fullmatch(image["src"])
        file = pictures / f"{node['id']}-{theme}.{found['kind']}"
        pictures.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(found["data"]))
        shown[theme] = f"{pictures.name}/{file.name}"
        shown["alt"] = image.get("alt", "")
    return shown | {"caption": simple_html(node.figcaption)}


def write_cards(app: Sphinx, exception: Exception | None) -> None:
    if not is_html(app, exception):
        return
    pages = articles(app)
    data: dict[str, dict] = {"terms": {}, "references": {}, "exercises": {}, "figures": {}}
    for article in pages.values():
        data["terms"] |= definitions(article)
        data["references"] |= references(article)
    for page, anchor in sorted(referred_to(pages)):
        node = pages[page].find(id=anchor) if page in pages else None
        if node is not None and node.name == "figure":
            data["figures"][anchor] = figure(node, Path(app.outdir) / "_static" / FOLDER)
        elif node is not None:
            data["exercises"][anchor] = exercise(node)
    write_data(app, "cards_data.js", "cards", data)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write_cards)
    app.add_css_file("cards.css")
    app.add_js_file("cards_data.js", loading_method="defer")
    app.add_js_file("cards.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
