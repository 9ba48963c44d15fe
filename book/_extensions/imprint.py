"""What the foot of every page says of the book: its version, the day of it, and the licence,
all from CITATION.cff."""

from datetime import date
from pathlib import Path

import yaml
from sphinx.application import Sphinx
from sphinx.config import Config

CITATION = Path(__file__).parents[2] / "CITATION.cff"


def footer(citation: dict[str, object]) -> str:
    released = date.fromisoformat(str(citation["date-released"]))
    day = f"{released.day} {released:%B %Y}"
    return f"<p>Version {citation['version']}, {day} · Licence: {citation['license']}</p>"


def read_citation(app: Sphinx, config: Config) -> None:
    citation = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
    config.version = config.release = str(citation["version"])
    config.html_theme_options["extra_footer"] = footer(citation)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", read_citation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
