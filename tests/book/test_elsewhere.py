"""Buttons that open a chapter elsewhere: once there is an address, and not before."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.book.extensions import FOLDER

ADDRESS = "https://github.com/someone/encoders"
CONFIGURATION = f"""
import sys
sys.path.insert(0, {str(FOLDER)!r})
extensions = ["myst_nb", "sphinx_book_theme", "elsewhere"]
html_theme = "sphinx_book_theme"
nb_execution_mode = "off"
html_theme_options = {{options}}
"""
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
HEADING = {"cell_type": "markdown", "id": "top", "metadata": {}, "source": "# A chapter"}


def built(folder: Path, **options: object) -> str:
    configuration = CONFIGURATION.format(options=options)
    (folder / "conf.py").write_text(configuration, encoding="utf-8")
    (folder / "index.ipynb").write_text(json.dumps(NOTEBOOK | {"cells": [HEADING]}))
    command = [sys.executable, "-m", "sphinx", "-q", str(folder), str(folder / "out")]
    subprocess.run(command, check=True, timeout=300)
    return (folder / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("published", [True, False])
def test_buttons_come_with_an_address(tmp_path, published: bool):
    options = {"repository_url": ADDRESS, "path_to_docs": ""} if published else {}
    page = built(tmp_path, **options)
    assert ("https://mybinder.org/v2/gh/someone/encoders/" in page) is published
    assert ("https://colab.research.google.com/github/someone/encoders/" in page) is published
