"""The rendered book in a browser, without a network: the fixtures of the tests that press keys.

Pages are opened from their files, as a reader may do who has no server. A request for anything
but a local file is blocked, and fails the test, and so does an error in a script.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HTML = Path(__file__).parents[2] / "_build" / "html"
NAMES = ("chromium", "chromium-browser", "google-chrome")
LOCAL = ("file:", "data:", "blob:", "about:")
WIDTHS = (1440, 1024, 390)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """A headless Chromium, the one of the machine."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    if not (HTML / "index.html").is_file():
        pytest.fail("there is no rendered book: run make book first")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser) -> Iterator[Callable]:
    """Open a page of the book: open_page("chapters/08_rope.html", width=390, scheme="dark").
    All pages of a test share one store, unless `keeps` is false: then there is none."""
    contexts: dict[tuple, object] = {}
    trouble: list[str] = []

    def context_for(width: int, scheme: str, touch: bool, keeps: bool):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            has_touch=touch,
            reduced_motion="reduce",
        )
        context.route(lambda url: not url.startswith(LOCAL), refuse)
        if not keeps:
            context.add_init_script(NO_STORE)
        return context

    def refuse(route) -> None:
        trouble.append(f"asked for {route.request.url}")
        route.abort()

    def open_it(
        address: str,
        width: int = 1440,
        scheme: str = "light",
        touch: bool = False,
        keeps: bool = True,
    ):
        kind = (width, scheme, touch, keeps)
        if kind not in contexts:
            contexts[kind] = context_for(*kind)
        page = contexts[kind].new_page()
        page.on("pageerror", lambda error: trouble.append(f"{address}: {error}"))
        page.goto(f"{HTML.as_uri()}/{address}")
        return page

    yield open_it
    for context in contexts.values():
        context.close()
    assert trouble == []


# What some private windows do. The theme's own scripts write without asking whether they may,
# and they are not what is tested: so it is ours alone that are refused.
NO_STORE = """
const write = Storage.prototype.setItem;
Storage.prototype.setItem = function (key, value) {
  if (key.startsWith("encoders-three-ways")) throw new DOMException("", "QuotaExceededError");
  write.call(this, key, value);
};
"""


def is_in_view(page, selector: str) -> bool:
    """Whether the top of an element can be seen."""
    box = page.locator(selector).first.bounding_box()
    return box is not None and -1 <= box["y"] < page.viewport_size["height"]


def overlap(one: dict, other: dict) -> bool:
    """Whether two boxes have more than an edge in common."""
    return all(
        one[start] + 0.5 < other[start] + other[size]
        and other[start] + 0.5 < one[start] + one[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


def contrast(page, selector: str) -> float:
    """The contrast between an element's text and what is behind it."""
    return page.locator(selector).first.evaluate(CONTRAST)


CONTRAST = """element => {
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const isClear = color => numbers(color).length === 4 && numbers(color)[3] === 0;
  let behind = element;
  while (behind.parentElement && isClear(getComputedStyle(behind).backgroundColor)) {
    behind = behind.parentElement;
  }
  const linear = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = color => {
    const [red, green, blue] = numbers(color).map(part => linear(part / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [darker, lighter] = [
    light(getComputedStyle(element).color),
    light(getComputedStyle(behind).backgroundColor),
  ].sort((one, other) => one - other);
  return (lighter + 0.05) / (darker + 0.05);
}"""
