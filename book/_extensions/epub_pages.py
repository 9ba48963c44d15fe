"""The e-book: its pages are still, and XHTML, which the HTML of notebooks is not; and its list
of files is put right."""

import posixpath
from pathlib import Path

from access import accessible
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.epub3 import Epub3Builder
from still_pages import still

# Styles of what is clicked, and one that is copied only after the e-book has been packed.
ON_SCREEN = ("mystnb", "togglebutton", "copybutton", "sphinx-design")
KINDS = {"mathml": "<math", "svg": "<svg"}
ITEM = 'href="{}" media-type="application/xhtml+xml"'


class EBook(Epub3Builder):
    def get_toc(self) -> None:
        """Chapters by their names, not by the way to them from the first page."""
        super().get_toc()
        for entry in self.refnodes:
            entry["refuri"] = posixpath.normpath(entry["refuri"])

    def build_content(self) -> None:
        """An e-book declares in which of its files formulas and drawings are."""
        super().build_content()
        path = Path(self.outdir) / "content.opf"
        listed = path.read_text(encoding="utf-8")
        for file in self.files:
            if not file.endswith(".xhtml"):
                continue
            text = (Path(self.outdir) / file).read_text(encoding="utf-8")
            kinds = [kind for kind, tag in KINDS.items() if tag in text]
            if kinds:
                item = ITEM.format(file)
                listed = listed.replace(item, f'{item} properties="{" ".join(kinds)}"')
        path.write_text(listed, encoding="utf-8")


def change_page(
    app: Sphinx, page: str, template: str, context: dict[str, object], tree: nodes.document
) -> None:
    if app.builder.name != "epub":
        return
    context["css_files"] = [
        file
        for file in context["css_files"]
        if not Path(str(getattr(file, "filename", file))).name.startswith(ON_SCREEN)
    ]
    if isinstance(context.get("body"), str):
        context["body"] = accessible(str(still(context["body"])))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_builder(EBook, override=True)
    app.connect("html-page-context", change_page, priority=850)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
