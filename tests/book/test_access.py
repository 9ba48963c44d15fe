"""No page keeps a reader out, as far as axe-core can tell: in both themes on a wide screen, and
on a phone. `make test` installs axe-core where npm is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.book.browser import HTML
from tests.book.test_pages import pages_of_the_toc

pytestmark = pytest.mark.book

ROOT = HTML.parents[1]
AXE = Path(
    os.environ.get("AXE", ROOT / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js")
)
PAGES = [*pages_of_the_toc(), "search", "genindex"]
ON_A_PHONE = ["chapters/04_tokens_padding_truncation", "chapters/08_rope", "book/status"]
CASES = [
    *((page, scheme, 1440) for page in PAGES for scheme in ("light", "dark")),
    *((page, "light", 390) for page in ON_A_PHONE),
]
# A page has thousands of coloured words of code. Two of a kind in a listing of a kind look as
# all others do; those become plain text, and the check takes a tenth of the time.
FEWER_WORDS = """() => {
  const seen = new Map();
  for (const word of document.querySelectorAll(".highlight pre span[class]")) {
    const kind = [word, word.closest("pre").parentElement.parentElement.parentElement]
      .map((element) => element.className).join(" in ");
    seen.set(kind, (seen.get(kind) || 0) + 1);
    if (seen.get(kind) > 2) word.replaceWith(...word.childNodes);
  }
}"""
CHECK = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map(
  (found) => [found.id, found.help, found.nodes.map((node) => node.html.slice(0, 200))]
)"""


@pytest.fixture(scope="module")
def check(browser) -> Iterator[object]:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed, for there is no npm: see the Makefile")
    program = AXE.read_text(encoding="utf-8")
    contexts = {}

    def run(name: str, scheme: str, width: int) -> list[object]:
        if (scheme, width) not in contexts:
            contexts[scheme, width] = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme=scheme,
                reduced_motion="reduce",
            )
        page = contexts[scheme, width].new_page()
        page.goto(f"{HTML.as_uri()}/{name}.html")
        page.evaluate(FEWER_WORDS)
        page.evaluate(program)
        found = page.evaluate(CHECK)
        page.close()
        return found

    yield run
    for context in contexts.values():
        context.close()


@pytest.mark.parametrize(("name", "scheme", "width"), CASES)
def test_nobody_is_kept_out(check, name: str, scheme: str, width: int):
    assert check(name, scheme, width) == []


def test_pictures_can_be_read_on_a_phone(browser):
    """Whatever the screen, a picture is shown at 0.85 of its size at least; it scrolls by
    itself, and the page does not."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    for name in ON_A_PHONE[:2]:
        page.goto(f"{HTML.as_uri()}/{name}.html")
        scales = page.evaluate(
            """[...document.querySelectorAll(".themed-figure img.only-light")]
            .filter((image) => image.offsetParent)
            .map((image) => image.offsetWidth / image.getAttribute("width"))"""
        )
        assert scales and min(scales) >= 0.84
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
