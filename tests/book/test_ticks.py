"""The ticks for what was read and tried: kept, shown, counted, and forgotten."""

import re

import pytest

from tests.book.browser import HTML, SCHEMES, WIDTHS, contrast

pytestmark = pytest.mark.book

ROPE, LANDING = "chapters/08_rope.html", "book/intro.html"
SIDEBAR = 'nav.bd-links a[href*="08_rope"], nav.bd-links li.current.active > a'


def read_button(page):
    return page.get_by_role("button", name="Mark as read")


def tried_box(page, number: str):
    return page.get_by_role("checkbox", name=f"tried Exercise {number}")


def totals() -> tuple[int, int]:
    chapters = sorted((HTML / "chapters").glob("*.html"))
    exercises = sum(
        page.read_text(encoding="utf-8").count('<p id="exercise-') for page in chapters
    )
    return len(chapters), exercises


@pytest.mark.parametrize("width", WIDTHS)
def test_a_tick_survives_a_reload(open_page, width: int):
    page = open_page(ROPE, width=width)
    assert read_button(page).get_attribute("aria-pressed") == "false"
    read_button(page).focus()
    page.keyboard.press("Enter")
    tried_box(page, "8.2").focus()
    page.keyboard.press("Space")
    page.reload()
    assert read_button(page).get_attribute("aria-pressed") == "true"
    assert tried_box(page, "8.2").is_checked() and not tried_box(page, "8.1").is_checked()
    assert "(read)" in page.locator("nav.bd-links .current.active").last.text_content()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    read_button(page).click()
    page.reload()
    assert read_button(page).get_attribute("aria-pressed") == "false"
    assert page.locator(".tick-of-chapter").count() == 0


def test_the_landing_page_counts_and_forgets(open_page):
    landing = open_page(LANDING)
    line = landing.locator(".ticks-line")
    assert line.is_hidden()
    for chapter in (ROPE, "chapters/02_mean_pooling.html"):
        page = open_page(chapter)
        read_button(page).click()
        page.close()
    page = open_page(ROPE)
    tried_box(page, "8.1").check()
    chapters, exercises = totals()
    expected = f"read 2 of {chapters} chapters and tried 1 of {exercises} exercises."
    line.get_by_text(expected).wait_for()  # without a reload: another tab has changed it
    assert landing.locator("nav.bd-links .tick-of-chapter").count() == 2
    landing.get_by_role("button", name="Forget this").click()
    landing.get_by_role("button", name="Keep it").click()
    assert line.is_visible()
    landing.get_by_role("button", name="Forget this").click()
    landing.get_by_role("button", name="Yes, forget all of it").click()
    assert line.is_hidden() and landing.locator(".tick-of-chapter").count() == 0
    page.reload()
    assert not tried_box(page, "8.1").is_checked()


def test_nothing_shows_where_nothing_is_kept(open_page):
    for address in (ROPE, LANDING):
        page = open_page(address, keeps=False)
        assert page.locator("[class^=tick]").count() == 0


def test_what_someone_else_has_written_is_no_trouble(open_page):
    page = open_page(ROPE)
    page.evaluate("localStorage.setItem('encoders-three-ways.ticks.1', '{\"read\": 3}')")
    page.reload()
    assert read_button(page).get_attribute("aria-pressed") == "false"
    read_button(page).click()
    assert read_button(page).get_attribute("aria-pressed") == "true"


def test_only_chapters_are_read(open_page):
    assert read_button(open_page("book/glossary.html")).count() == 0
    links = open_page(LANDING).locator("nav.bd-links a.reference").count()
    assert links > totals()[0]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ticks_can_be_read_and_are_not_printed(open_page, scheme: str):
    page = open_page(ROPE, scheme=scheme)
    read_button(page).click()
    tried_box(page, "8.1").check()
    for part in (".ticks-read button", ".ticks-read p", ".tick-tried", ".tick-of-chapter"):
        assert contrast(page, part) >= 4.5, part
    unticked = page.locator(".tick-tried").last
    assert re.fullmatch(r"tried\s+Exercise [\d.]+", unticked.text_content().strip())
    landing = open_page(LANDING, scheme=scheme)
    assert contrast(landing, ".ticks-line p") >= 4.5
    page.emulate_media(media="print")
    assert unticked.is_hidden() and read_button(page).is_hidden()
