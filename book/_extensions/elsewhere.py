"""Buttons that open a chapter on Binder and on Colab, which fetch it from where the repository
is published: without an address in _config.yml (repository: url) there are none."""

from sphinx.application import Sphinx
from sphinx.config import Config

PLACES = {
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}


def add_places(app: Sphinx, config: Config) -> None:
    theme = config.html_theme_options
    if theme.get("repository_url"):
        theme["launch_buttons"] = {**theme.get("launch_buttons", {}), **PLACES}


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", add_places)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
