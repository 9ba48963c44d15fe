"""The search: what is found, where a result leads, and what is said when there is none."""

import json
import re
from functools import cache

import pytest

from tests.book.browser import HTML, SCHEMES, WIDTHS, contrast, is_in_view

pytestmark = pytest.mark.book

SECTION, TERM, EXERCISE, REFERENCE = range(4)


@cache
def sections() -> dict:
    script = (HTML / "_static" / "search_index.js").read_text(encoding="utf-8")
    return json.loads(re.fullmatch(r".*\nEncodersBook\.sections = (.*);\n", script)[1])


@cache
def ids(page: str) -> set[str]:
    return set(re.findall(r'\sid="([^"]+)"', (HTML / page).read_text(encoding="utf-8")))


def search(open_page, query: str, **options):
    return open_page(f"search.html?q={query}", **options)


def test_every_anchor_is_in_its_page():
    pages = sections()["pages"]
    lost = [
        (pages[page][0], anchor)
        for page, anchor, *_ in sections()["entries"]
        if anchor not in ids(pages[page][0])
    ]
    assert lost == []


def test_all_that_can_be_found_is_in_the_index():
    found = sections()["entries"]
    pages = [page for page, _ in sections()["pages"]]
    text = {page: (HTML / page).read_text(encoding="utf-8") for page in pages}
    counts = [sum(entry[2] == kind for entry in found) for kind in range(4)]
    assert counts == [
        sum(len(re.findall(r"<section[^>]*\sid=", page)) for page in text.values()),
        text["book/glossary.html"].count('<dt id="term-'),
        sum(page.count('<p id="exercise-') for page in text.values()),
        text["book/bibliography.html"].count('<div class="citation" id='),
    ]
    assert all(title for _, _, _, title, _, _ in found)


def test_no_text_has_the_name_of_a_source_or_what_was_folded():
    for page, anchor, _, title, text, code in sections()["entries"]:
        place = (sections()["pages"][page][0], anchor)
        assert ".ipynb" not in title + text + code, place
        assert "Link to this heading" not in text and title[-1] != "#", place
        # of a page that does not write such a thing in words
        assert r"\(" not in text or "check_a_port" in place[0], place


def test_the_index_stays_lean():
    assert (HTML / "_static" / "search_index.js").stat().st_size <= 700_000


def test_only_the_page_that_searches_loads_the_index():
    loading = [
        str(page.relative_to(HTML))
        for page in HTML.rglob("*.html")
        if "search_index.js" in page.read_text(encoding="utf-8")
    ]
    assert loading == ["search.html"]
    assert "searchtools.js" not in (HTML / "search.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_rotary_finds_the_chapter_and_lands_in_it(open_page, width: int, scheme: str):
    page = search(open_page, "rotary", width=width, scheme=scheme)
    results = page.locator("li.search-result")
    links = results.locator("a.search-link")
    assert "Rotary positions" in links.first.inner_text()
    assert "rotary position embedding" in links.all_inner_texts()
    assert results.locator("mark", has_text="RoPE").count() > 0
    assert "places found" in page.locator("[role=status]").first.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # one that lies far down in its page
    links.get_by_text("8.9. Parity").click()
    page.wait_for_load_state()
    assert page.url.endswith("#parity")
    assert page.locator("#parity mark.search-mark").count() > 0
    assert is_in_view(page, "#parity > h2")
    page.keyboard.press("Escape")
    assert page.locator("mark.search-mark").count() == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_results_and_marks_can_be_read(open_page, scheme: str):
    page = search(open_page, "rotary", scheme=scheme)
    for part in ("link", "link mark", "where", "excerpt", "excerpt mark", "status"):
        assert contrast(page, f"#search-results .search-{part}") >= 4.5, part
    landed = open_page("chapters/08_rope.html?find=posit#rotary-positions", scheme=scheme)
    for part in ("p > mark.search-mark", "button.search-clear"):
        assert contrast(landed, part) >= 4.5, part


def test_no_excerpt_names_a_source(open_page):
    page = search(open_page, "model")
    page.get_by_role("button", name=re.compile("Show .* more")).click()
    excerpts = page.locator(".search-excerpt").all_inner_texts()
    assert len(excerpts) >= 30 and not any(".ipynb" in text for text in excerpts)


def test_nonsense_finds_nothing_and_is_told_what_to_try(open_page):
    page = search(open_page, "")
    page.keyboard.type("zxqwvv grmpf")
    page.get_by_text("Nothing found for “zxqwvv grmpf”.").wait_for()
    assert page.locator("li.search-result").count() == 0
    assert page.locator(".search-help").get_by_role("link", name="glossary").count() == 1


def test_a_slip_is_answered_with_the_word(open_page):
    page = search(open_page, "tokenizr")
    page.get_by_role("link", name="tokenizer").click()
    page.wait_for_function("document.querySelectorAll('li.search-result').length > 0")


def test_markup_in_a_query_stays_text(open_page):
    page = search(open_page, "%3Cimg src=x onerror=document.title='bad'%3E")
    assert "<img" in page.locator(".search-status").inner_text()
    assert page.locator("#search-results img").count() == 0


def test_the_search_goes_by_keyboard(open_page):
    page = open_page("chapters/08_rope.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("noise floor")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=noise*")
    page.locator("li.search-result").first.wait_for()
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/07_how_parity_is_measured.html*#the-oracle-and-the-noise-floor")
    assert is_in_view(page, "#the-oracle-and-the-noise-floor > h2")


def test_what_is_folded_opens_where_it_has_what_was_looked_for(open_page):
    folded = next(
        page.relative_to(HTML).as_posix()
        for page in sorted(HTML.glob("*/*.html"))
        if "dropdown admonition" in page.read_text(encoding="utf-8")
    )
    page = open_page(folded)
    anchor, word = page.locator(".dropdown.admonition").first.evaluate("""box => [
      box.closest("section").id,
      EncodersBook.search.stem(
        box.querySelector(":scope > p + p").textContent.match(/[a-z]{7,}/)[0],
      ),
    ]""")
    page = open_page(f"{folded}?find={word}#{anchor}")
    page.locator(".dropdown.admonition > p mark.search-mark").first.wait_for(state="visible")


def test_marks_leave_formulas_and_code_alone(open_page):
    page = open_page("chapters/08_rope.html?find=the|angl#turning-one-pair")
    assert page.locator("#turning-one-pair p mark.search-mark").count() > 3
    for untouched in ("pre", "mjx-container", ".math", ".headerlink"):
        assert page.locator(f"#turning-one-pair {untouched} mark").count() == 0
