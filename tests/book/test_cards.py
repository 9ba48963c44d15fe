"""The cards at links: they open by pointer, key and finger, say what the link leads to, cover
no link, and close."""

import json
import re
from functools import cache

import pytest

from tests.book.browser import HTML, SCHEMES, WIDTHS, contrast, overlap

pytestmark = pytest.mark.book

ROPE = "chapters/08_rope.html"
TERM = 'article a[href$="#term-rotary-position-embedding"]'
CITATION = "article .bibtex-citation a"
FIGURE = 'article a.internal[href="#fig-dials"]'
EXERCISE = 'article a.internal[href="#exercise-8-3"]'
ELSEWHERE = 'article a.internal[href="08_rope.html#exercise-8-2"]'
CARD = ".card-of-link"
SAYS = {
    TERM: "pairs of features of queries and keys are turned",
    CITATION: "RoFormer: enhanced transformer with rotary position embedding",
    FIGURE: "Figure 8.1 Pairs of a head",
    EXERCISE: "Exercise 8.3 Convert a checkpoint from half-split to interleaved pairs",
}


@cache
def cards() -> dict:
    script = (HTML / "_static" / "cards_data.js").read_text(encoding="utf-8")
    return json.loads(re.fullmatch(r".*\nEncodersBook\.cards = (.*);\n", script)[1])


def focus(page, selector: str):
    """Put the focus on a link, as by the keyboard."""
    page.keyboard.press("Tab")  # from now on the browser shows where the focus is
    page.locator(selector).first.focus()
    return page.locator(CARD)


def test_every_term_and_reference_has_a_card():
    glossary = (HTML / "book" / "glossary.html").read_text(encoding="utf-8")
    bibliography = (HTML / "book" / "bibliography.html").read_text(encoding="utf-8")
    assert set(cards()["terms"]) == set(re.findall(r'<dt id="(term-[^"]+)"', glossary))
    entries = re.findall(r'<div class="citation" id="([^"]+)"', bibliography)
    assert set(cards()["references"]) == set(entries)
    assert all(name and text for name, text in cards()["terms"].values())
    assert (HTML / "_static" / "cards_data.js").stat().st_size < 150_000


def test_cards_are_made_of_plain_markup():
    texts = [
        *(text for term in cards()["terms"].values() for text in term),
        *cards()["references"].values(),
        *cards()["exercises"].values(),
    ]
    kinds = {tag for text in texts for tag in re.findall(r"<(\w+)", text)}
    assert kinds <= {"code", "em", "strong", "span", "sub", "sup"}


@pytest.mark.parametrize("selector", SAYS)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_card_opens_by_keyboard_and_closes_by_escape(open_page, selector: str, width: int):
    page = open_page(ROPE, width=width)
    card = focus(page, selector)
    assert card.is_visible()
    said = card.get_by_role("tooltip")
    assert SAYS[selector] in re.sub(r"\s+", " ", said.inner_text())
    link = page.locator(selector).first
    assert link.get_attribute("aria-describedby") == said.get_attribute("id")
    box = card.bounding_box()
    assert not overlap(box, link.bounding_box())
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert card.locator("a:visible, button:visible, [tabindex]").count() == 0
    page.keyboard.press("Escape")
    assert card.is_hidden() and link.get_attribute("aria-describedby") is None
    assert page.evaluate("document.activeElement.matches('a')")


def test_a_figures_card_has_the_picture_of_the_theme(open_page):
    for scheme in SCHEMES:
        card = focus(open_page(ROPE, scheme=scheme), FIGURE)
        shown = [image for image in card.locator("img").all() if image.is_visible()]
        assert len(shown) == 1 and f"only-{scheme}" in shown[0].get_attribute("class")


def test_an_exercise_of_another_page_has_a_card(open_page):
    source = next(
        page.relative_to(HTML).as_posix()
        for page in sorted((HTML / "chapters").glob("*.html"))
        if 'href="08_rope.html#exercise-8-2"' in page.read_text(encoding="utf-8")
    )
    assert "In a packed row" in focus(open_page(source), ELSEWHERE).inner_text()


def test_the_focus_goes_through_links_and_not_into_cards(open_page):
    page = open_page(ROPE)
    card = focus(page, TERM)
    page.keyboard.press("Tab")
    assert "RoFormer" in card.inner_text()  # the next link's own
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('article') !== null")


def test_a_card_opens_under_the_pointer_and_stays_there(open_page):
    page = open_page(ROPE)
    page.locator(TERM).first.hover()
    card = page.locator(CARD)
    card.wait_for()
    card.hover()  # the pointer may go to it
    assert card.is_visible() and card.locator("a.card-go").is_hidden()
    page.locator("article h1").hover()
    card.wait_for(state="hidden")
    page.locator(TERM).first.click()
    page.wait_for_url("**/glossary.html#term-rotary-position-embedding")


def test_the_first_tap_opens_and_the_card_leads_there(open_page):
    page = open_page(ROPE, width=390, touch=True)
    page.locator(CITATION).first.tap()
    card = page.locator(CARD)
    card.wait_for()
    assert page.url.endswith(ROPE)
    page.locator("article h1").tap()
    card.wait_for(state="hidden")
    page.locator(CITATION).first.tap()
    card.get_by_role("link", name="Go there").tap()
    page.wait_for_url("**/bibliography.html#*")


def test_no_tooltip_of_the_browsers_own_stands_beside_a_card(open_page):
    assert open_page(ROPE).locator(f"{CITATION}[title]").count() == 0


def test_cards_are_not_printed(open_page):
    page = open_page(ROPE)
    card = focus(page, TERM)
    page.emulate_media(media="print")
    assert card.is_hidden()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_cards_can_be_read(open_page, scheme: str):
    page = open_page(ROPE, scheme=scheme)
    focus(page, EXERCISE)
    assert contrast(page, ".card-said") >= 4.5
    assert contrast(page, ".card-said code") >= 4.5
