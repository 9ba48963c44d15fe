"""Numbers and targets for what the text of a chapter refers to: figures and exercises.

A figure comes out of a code cell as a piece of HTML with its caption and its name
(reference/display/figure.py). Here it becomes a figure of Sphinx's, which numbers it by chapter
and resolves {numref}`its name`. An exercise is a paragraph that begins with its number in bold,
and a page links to it as [Exercise 3.1](#exercise-3-1). So a notebook needs neither directives
nor labels, which JupyterLab would show as they are.
"""

import html
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

FIGURE = re.compile(
    r'<figure class="themed-figure" id="(?P<name>[^"]+)"(?P<script>[^>]*)>(?P<pictures>.*)'
    r"<figcaption>(?P<caption>.*)</figcaption>\n</figure>",
    re.DOTALL,
)
EXERCISE = re.compile(r"Exercise (\d+)\.(\d+)")
MARKED_UP = {"code": nodes.literal, "em": nodes.emphasis}


class Figures(SphinxTransform):
    """Wrap the outputs of `themed` in figures with a caption and a target."""

    default_priority = 800  # before Sphinx collects targets, which it does at 850

    def apply(self, **kwargs: object) -> None:
        for raw in list(self.document.findall(nodes.raw)):
            found = FIGURE.fullmatch(raw.astext().strip())
            output = raw
            while found and output.get("nb_element") != "mime_bundle":
                output = output.parent
            if found:
                self.wrap(output, raw, **found.groupdict())

    def wrap(
        self,
        output: nodes.Element,
        raw: nodes.raw,
        name: str,
        script: str,
        pictures: str,
        caption: str,
    ) -> None:
        figure = nodes.figure(names=[name])
        figure.source, figure.line = output.source, output.line
        self.document.note_explicit_target(figure, figure)
        output.replace_self(figure)
        raw.children = [nodes.Text(f'<div class="themed-figure"{script}>{pictures}</div>')]
        raw.rawsource = raw.astext()
        figure += [output, nodes.caption("", "", *inline(caption))]


class Exercises(SphinxTransform):
    """Make each exercise a target whose title is "Exercise" and its number."""

    default_priority = 800

    def apply(self, **kwargs: object) -> None:
        standard = self.env.get_domain("std")
        for strong in self.document.findall(nodes.strong):
            title, paragraph = strong.astext(), strong.parent
            found = EXERCISE.fullmatch(title)
            if found and paragraph.astext().startswith(title):
                target = "exercise-{}-{}".format(*found.groups())
                paragraph["ids"].append(target)
                standard.note_hyperlink_target(target, self.env.docname, target, title)


def inline(caption: str) -> list[nodes.Node]:
    """The nodes of a caption, which is text with <code> and <em> in it."""
    parts = re.split(r"<(code|em)>(.*?)</\1>", caption)
    found: list[nodes.Node] = [nodes.Text(html.unescape(parts[0]))]
    for tag, marked, plain in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        text = html.unescape(marked)
        found += [MARKED_UP[tag](text, text), nodes.Text(html.unescape(plain))]
    return found


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(Figures)
    app.add_transform(Exercises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
