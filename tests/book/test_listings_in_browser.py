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
# Reports of parity, open, with how far their tables are wider than the page lets them be.
REPORTS = """() => [...document.querySelectorAll("details.parity-report")].map(report => {
  report.open = true;
  return report.parentElement.scrollWidth - report.parentElement.clientWidth;
})"""
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
        assert not any(page.evaluate(REPORTS))


def test_a_folded_section_opens_for_links_and_for_print(page, tmp_path: Path):
    script = (ROOT / "book" / "_static" / "deeper.js").as_uri()
    path = tmp_path / "page.html"
    path.write_text(
        f"""<!doctype html><script src="{script}"></script><article class="bd-article">
        <a id="there" href="#deeper-why">why</a><a id="inside" href="#part">part</a>
        <section class="deeper" id="deeper-why"><details><summary><h2>Deeper: why</h2></summary>
        <section id="part"><h3>Part</h3></section></details></section></article>""",
        encoding="utf-8",
    )
    details = page.locator("details")

    def is_open() -> bool:
        return details.evaluate("details => details.open")

    page.goto(path.as_uri())
    assert not is_open()
    page.keyboard.press("Tab")  # to the links, and on to the heading
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert is_open()
    for link in ("there", "there", "inside"):
        details.evaluate("details => { details.open = false; }")
        page.locator(f"#{link}").click()
        page.wait_for_function("document.querySelector('details').open")
    page.goto("about:blank")
    page.goto(f"{path.as_uri()}#part")
    assert is_open()
    details.evaluate("details => { details.open = false; }")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert is_open()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not is_open()


@pytest.mark.parametrize("width", [1440, 390])
def test_what_is_folded_opens_by_itself_and_all_at_once(page, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((HTML / "chapters" / "28_characters.html").as_uri())
    listing = page.locator(".three-ways", has=page.locator("[id*=CharEncoderTower-rust]"))
    listing.locator("label", has_text="Rust").click()
    fields, new = (listing.get_by_role("button", name=what) for what in ("fields", "new"))
    rate, dropout = listing.get_by_text("rate: f64"), listing.get_by_text("config.dropout,")
    assert fields.get_attribute("aria-expanded") == "false" and not rate.is_visible()
    fields.press("Enter")
    assert fields.get_attribute("aria-expanded") == "true" and rate.is_visible()
    assert not dropout.is_visible()
    listing.get_by_role("button", name="Show all lines").click()
    assert dropout.is_visible()
    listing.get_by_role("button", name="Fold again").click()
    assert not rate.is_visible() and new.is_visible()
    page.emulate_media(media="print")
    assert rate.is_visible() and not new.is_visible()
    page.emulate_media(media="screen")


def test_a_call_shows_its_row_of_the_dictionary(page):
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto((HTML / "chapters" / "14_masking_strategy.html").as_uri())
    listing = page.locator(".three-ways", has=page.locator("[id*=masking-mask_tokens-rust]"))
    listing.locator("label", has_text="MLX").click()
    code = listing.locator("pre:visible")
    assert code.locator(".call[tabindex='0']").count() == 1 < code.locator(".call").count()
    card = page.get_by_role("dialog")
    code.locator(".call[tabindex='0']").focus()
    seen = []
    for _ in range(3):
        seen.append(page.evaluate("document.activeElement.textContent"))
        assert seen[-1] in card.inner_text()
        page.keyboard.press("ArrowRight")
    assert seen == ["array", "astype", "take_along_axis"]
    page.keyboard.press("Escape")
    assert not card.is_visible()
    code.get_by_text("take_along_axis").hover()
    assert "x.gather(1, ids)" in card.inner_text() and "x.gather(&ids, 1)?" in card.inner_text()
    card.hover()
    page.wait_for_timeout(400)
    assert card.is_visible()
    code.get_by_text("take_along_axis").press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "In the dictionary"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "take_along_axis"
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url("**/book/dictionary.html#row-x-gather-1-ids")
    assert page.locator("tr:target").inner_text().startswith("x.gather(1, ids)")


@pytest.mark.parametrize("width", [1440, 390])
def test_what_differs_is_shown_on_request(page, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((HTML / "chapters" / "02_mean_pooling.html").as_uri())
    listing = page.locator(".three-ways", has=page.locator("[id$=pooling-mean_pooling-rust]"))
    opener = listing.get_by_role("button", name="What differs")
    assert page.locator(".aligned-dialog").count() == 0
    opener.press("Enter")
    box = page.get_by_role("dialog", name="What differs")
    marked = box.locator("mark").all_inner_texts()
    assert {"clamp", "astype", "to_dtype"} <= set(marked) and "total" not in marked
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    row = box.locator(".aligned-row", has_text="clamp(").first
    tops = {round(cell.bounding_box()["y"]) for cell in row.locator(".aligned-cell").all()}
    assert len(tops) == (1 if width == 1440 else 3)
    page.keyboard.press("Escape")
    assert not box.is_visible()
    assert opener.evaluate("opener => opener === document.activeElement")
