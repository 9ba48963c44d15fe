"""The book on paper and in an e-book: nothing is missing that was folded or in another tab."""

import importlib
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.book.browser import HTML

ROOT = Path(__file__).parents[2]
EXTENSIONS = ROOT / "book" / "_extensions"
ARTICLE = re.compile(r"<article class=.*?</article>", re.DOTALL)
PAGE = """<article><h1>A<a class="headerlink" href="#a">#</a></h1>
<div class="sd-tab-set three-ways">
<input checked id="x-torch" type="radio"><label data-sync-id="torch">PyTorch</label>
<div class="sd-tab-content" id="x-torch-content">one<hr></div>
<input id="x-mlx" type="radio"><label data-sync-id="mlx">MLX</label>
<div class="sd-tab-content" id="x-mlx-content">two<hr></div></div>
<details class="solution"><summary>Solution</summary><p>Three &amp; a half</p></details>
<div class="cell tag_hide-input"><details class="hide"><summary>Show the source</summary>
draw()</details><figure><div class="themed-figure"><img class="only-light" src="l.png" alt="L">
<img class="only-dark" src="d.png" alt="L" hidden></div></figure></div></article>"""


@pytest.fixture(scope="module")
def extension():
    """Load an extension of the book by its name."""
    sys.path.insert(0, str(EXTENSIONS))
    yield importlib.import_module
    sys.path.remove(str(EXTENSIONS))


def test_a_still_page_has_one_port_or_all(extension):
    still = extension("still_pages").still
    one, every = (still(PAGE, port).get_text(" ", strip=True) for port in ("mlx", None))
    assert one == "A MLX two Solution Three & a half"
    assert every == "A PyTorch one MLX two Solution Three & a half"
    page = ElementTree.fromstring(str(still(PAGE)))
    assert [image.get("src") for image in page.iter("img")] == ["l.png"]


def test_formulas_are_mathml(extension):
    mathml = extension("mathml").mathml
    for tex, expected in (
        (r"\hat{x}_i", "<msub><mover"),
        (r"\log p", '<mspace width="0.17em" />'),
        (r"x - \tfrac12", "<mn>1</mn><mn>2</mn></mfrac></mstyle>"),
        (r"\underbrace{a}_{\text{b}}", "</munder><mtext>b</mtext></munder>"),
        (r"\overline{z}", '<mrow class="overlined"><mi>z</mi></mrow>'),
    ):
        written = mathml(tex)
        assert expected in written, written
        assert ElementTree.fromstring(written) is not None
        assert f">{tex}</annotation>" in written


def test_style_sheets_lose_only_what_is_not_used(extension):
    thin = extension("stylesheets").without_unused
    css = (
        '/*! by A */ a{b:c} .x,.y:not(.z) {d:url("}.q{")} @media print{.z{e:f}.x .y{g:h}}'
        "@font-face{font-family:F} /* n */ .z{i:j}"
    )
    assert thin(css, {"x", "y"}).splitlines() == [
        'a{b:c}.x,.y:not(.z){d:url("}.q{")}@media print{.x .y{g:h}}@font-face{font-family:F}',
        "/*! by A */",
    ]


@pytest.mark.book
def test_a_page_is_printed_open_and_light(browser):
    page = browser.new_page(color_scheme="dark")
    count = "(s) => [...document.querySelectorAll(s)].filter((e) => e.offsetParent).length"
    for query, per_listing in (("", 1), ("?print=all", 3)):
        page.goto(f"{HTML.as_uri()}/chapters/08_rope.html{query}")
        listings = page.locator(".three-ways:has(> input:nth-of-type(3))").count()
        page.emulate_media(media="print", color_scheme="dark")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        tabs = ".three-ways:has(> input:nth-of-type(3)) > .sd-tab-content"
        assert page.evaluate(count, tabs) == per_listing * listings > 0
        assert page.locator("article details:not([open])").count() == 0
        assert page.evaluate(count, ".themed-figure img.only-light") > 0
        assert page.evaluate(count, ".themed-figure img.only-dark") == 0
        assert page.evaluate(count, ".bd-sidebar, .copybtn, .headerlink, button") == 0
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.emulate_media(media="screen", color_scheme="dark")
    page.close()


@pytest.mark.book
def test_pages_become_xhtml(extension):
    still = extension("still_pages").still
    for name in ("chapters/08_rope", "book/status", "book/bibliography"):
        text = (HTML / f"{name}.html").read_text(encoding="utf-8")
        assert ElementTree.fromstring(str(still(ARTICLE.search(text)[0]))) is not None
