"""The parts of the pages' scripts that need no page, tested in Node; and what is written for
the scripts when the book is built."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.book.extensions import extension

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "book" / "_static"
SCRIPTS = sorted(
    script
    for folder in ("scripts", "figures")
    for script in (Path(__file__).parent / folder).glob("*.test.js")
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_in_node(script: Path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    command = [node, "--test", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_scripts_run_from_a_file_and_ask_for_nothing(script: Path):
    text = script.read_text(encoding="utf-8")
    for refused in ("fetch(", "XMLHttpRequest", "import(", "import ", "export ", "WebSocket"):
        assert f"\n{refused}" not in text and f" {refused}" not in text, refused
    assert "sendBeacon" not in text and "eval(" not in text


@pytest.fixture(scope="module")
def built_pages():
    pytest.importorskip("bs4", reason="the book's packages are not installed")
    return extension("built_pages")


@pytest.fixture(scope="module")
def cards(built_pages):
    return extension("cards")


@pytest.mark.parametrize(
    ("formula", "plain", "markup"),
    [
        (r"\(x \cdot \Phi(x)\)", "x · Φ(x)", "x · Φ(x)"),
        (r"\(\Phi\)", "Φ", "Φ"),
        (r"\(1 / (1 + e^{-x})\)", "1 / (1 + e^(−x))", "1 / (1 + e<sup>−x</sup>)"),
        (r"\(d_h\)", "d_h", "d<sub>h</sub>"),
        (r"\(a < b\)", "a < b", "a &lt; b"),
        (r"\(\begin{pmatrix} a \end{pmatrix}\)", None, None),
    ],
)
def test_short_formulas_in_ordinary_characters(built_pages, formula, plain, markup):
    assert built_pages.plain_math(formula) == plain
    assert built_pages.plain_math(formula, markup=True) == markup


def test_a_figure_of_another_page_becomes_files(cards, tmp_path: Path):
    from bs4 import BeautifulSoup

    pages = {
        "chapters/01": '<article><a href="02.html#fig-x">Figure 2.1</a></article>',
        "chapters/02": '<article><a href="#fig-y">Figure 2.2</a><figure id="fig-x">'
        '<img class="only-light" alt="An x" src="data:image/png;base64,QUJD">'
        '<img class="only-dark" alt="An x" hidden src="data:image/png;base64,REVG">'
        "<figcaption>An <em>x</em>.</figcaption></figure></article>",
    }
    soups = {name: BeautifulSoup(text, "html.parser") for name, text in pages.items()}
    assert cards.referred_to(soups) == {("chapters/02", "fig-x")}
    found = cards.figure(soups["chapters/02"].figure, tmp_path / "pictures")
    assert found == {
        "light": "pictures/fig-x-light.png",
        "dark": "pictures/fig-x-dark.png",
        "alt": "An x",
        "caption": "An <em>x</em>.",
    }
    assert (tmp_path / found["dark"]).read_bytes() == b"DEF"
