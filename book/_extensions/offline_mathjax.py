"""Bundle MathJax with the pages: the part of it that the book needs, from a package that
carries all of it.

The whole weighs 24 MB, most of it for speech in other languages, and its menu and its
ready-made combinations name servers elsewhere. Loaded piece by piece none of that is needed,
and no page can ask for it.
"""

import importlib.util
import shutil
from pathlib import Path

from sphinx.application import Sphinx

COMPONENTS = ("core", "input/tex", "output/chtml", "a11y/assistive-mml")
FOLDERS = ("input/tex/extensions", "output/chtml/fonts")


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    source = (
        Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
        / "static"
        / "mathjax"
    )
    target = Path(app.outdir) / "_static" / "mathjax"
    for component in ("startup", *COMPONENTS):
        (target / component).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / f"{component}.js", target / f"{component}.js")
    for folder in FOLDERS:
        shutil.copytree(source / folder, target / folder, dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.config.mathjax_path = "mathjax/startup.js"
    app.config.mathjax3_config = {"loader": {"load": list(COMPONENTS)}}
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
