"""Listings and code cells as a reader sees them, in a browser: nothing is cut."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.book

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
PAGES = [
    path.relative_to(ROOT).with_suffix(".html")
    for path in sorted([*ROOT.glob("chapters/*.ipynb"), *ROOT.glob("book/*.ipynb")])
]
PORTS = ("torch", "mlx", "rust")
# The blocks of code that are cut at the right, with every tab open in turn.
CUT = """port => {
  document.querySelectorAll("details").forEach(details => { details.open = true; });
  for (const label of document.querySelectorAll(`.three-ways > label[data-sync-id=${port}]`))
    document.getElementById(label.htmlFor).checked = true;
  return [...document.querySelectorAll(".three-ways pre, .one-way pre, .cell_input pre")]
    .filter(block => block.scrollWidth > block.clientWidth)
    .map(block => block.textContent.slice(0, 80));
}"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def page() -> Iterator:
    """One page of a browser, which looks at one file after another."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing")
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("there is no program chromium, in which pages are looked at")
    if not (HTML / "index.html").is_file():
        pytest.fail("there is no rendered book in _build/html: run make book first")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_code_is_cut(page, path: Path):
    page.goto((HTML / path).as_uri())
    for width in (1440, 1024, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert [page.evaluate(CUT, port) for port in PORTS] == [[], [], []]
        assert page.evaluate(TOO_WIDE) <= 0
