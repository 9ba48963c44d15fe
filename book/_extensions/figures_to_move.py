"""Give a page the scripts of its own figures to move, and no page those of others.

A figure names its script in data-figure (reference/display/interactive.py).
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

NAME = re.compile(r'<div class="themed-figure" data-figure="([^"]+)"')


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, object], tree: nodes.document
) -> None:
    names = list(dict.fromkeys(NAME.findall(str(context.get("body", "")))))
    if not names:
        return
    scripts = Path(app.srcdir) / "book" / "_static" / "figures"
    app.add_css_file("figures.css")
    app.add_js_file("figures.js", loading_method="defer")
    for name in names:
        if not (scripts / f"{name}.js").is_file():
            raise ExtensionError(
                f"{page} has a figure {name}, but there is no figures/{name}.js"
            )
        app.add_js_file(f"figures/{name}.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
