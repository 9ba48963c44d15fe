"""Sections for a second reading: one whose heading begins with "Deeper: " is folded in the
page, with all that is below it, and opens by its heading.

In the notebook it is a section like any other. The page's script, book/_static/deeper.js, opens
those that a link or a search leads into, and all of them for print.
"""

from docutils import nodes
from sphinx.application import Sphinx

PREFIX = "Deeper: "


def fold(app: Sphinx, tree: nodes.document, name: str) -> None:
    if app.builder.format != "html":
        return
    for section in list(tree.findall(nodes.section)):
        title = section.next_node(nodes.title, descend=True)
        if title is None or title.parent is not section:
            continue
        if title.astext().startswith(PREFIX):
            section["classes"].append("deeper")
            at = section.index(title)
            section.insert(at + 1, html("</summary>"))
            section.insert(at, html("<details><summary>"))
            section.append(html("</details>"))


def html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
