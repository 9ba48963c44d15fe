"""Figures to move, in a browser: each comes to life, answers to every key, and is a picture on
paper; and the models that run in a page."""

import json
import re
from pathlib import Path

import pytest

from tests.book.browser import HTML

pytestmark = pytest.mark.book

ROOT = Path(__file__).parents[2]
MODELS = ("model-that-embeds", "model-that-fills")
LIVE = 'document.querySelector(\'[data-figure="NAME"]\').classList.contains("is-live")'
# What an attribute of a drawing is where a number was wanted and none came out.
DRAWN_WITH_NO_NUMBER = """box => [...box.querySelectorAll("svg, svg *")].flatMap(
    (node) => [...node.attributes].filter(({ value }) => /NaN|undefined/.test(value))
        .map(({ name, value }) => `${node.tagName} ${name}=${value}`))"""
LONG = 180_000  # milliseconds until a model must be there, on a machine with other work


def pages_with_figures() -> list[str]:
    found = []
    for notebook in sorted((ROOT / "chapters").glob("*.ipynb")):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if any("data-figure=" in json.dumps(cell.get("outputs", "")) for cell in cells):
            found.append(f"chapters/{notebook.stem}.html")
    return found


def test_most_chapters_have_a_figure_to_move():
    assert len(pages_with_figures()) >= 15


@pytest.mark.parametrize("address", pages_with_figures())
def test_every_control_answers(open_page, address):
    """With no error in a script, which the fixture asks for."""
    page = open_page(address)
    figures = page.locator("[data-figure]")
    assert figures.count()
    for figure in figures.all():
        if figure.get_attribute("data-figure") in MODELS:
            continue
        assert "is-live" in figure.get_attribute("class").split()
        assert figure.locator("img:visible").count() == 0
        controls = figure.locator("input, select, button, .figure-handle")
        assert controls.count()
        for control in controls.all():
            if control.is_visible() and control.is_enabled():
                press(control)
        assert figure.evaluate(DRAWN_WITH_NO_NUMBER) == []
        assert figure.evaluate("box => box.scrollWidth <= box.clientWidth + 1")


def press(control) -> None:
    tag, kind = control.evaluate("element => [element.tagName, element.type]")
    if tag == "SELECT":
        control.select_option(index=control.locator("option").count() - 1)
    elif kind == "range":
        control.press("End")
        control.press("ArrowLeft")
    elif kind == "checkbox":
        control.set_checked(not control.is_checked())
    elif tag in ("BUTTON", "INPUT"):
        control.click() if tag == "BUTTON" else control.press("End")
    else:
        control.press("ArrowRight")
        control.press("ArrowUp")


@pytest.mark.parametrize("address", pages_with_figures()[:3])
def test_on_paper_the_picture_is_there(open_page, address):
    page = open_page(address, scheme="dark")
    page.emulate_media(media="print")
    for figure in page.locator("[data-figure]").all():
        assert figure.locator("img.only-light").is_visible()
        assert not figure.locator(".figure-live").is_visible()


def started(page, name: str):
    """The figure, once its model answers."""
    figure = page.locator(f'[data-figure="{name}"]')
    figure.locator(".figure-loader button:enabled").click(timeout=LONG)
    page.wait_for_function(LIVE.replace("NAME", name), timeout=LONG)
    return figure


def test_sentences_are_embedded_as_transformers_does(open_page):
    figure = started(open_page("index.html"), MODELS[0])
    text = figure.inner_text()
    agreement = [float(c) for c in re.findall(r"Transformers gave: (0\.\d+|1\.0+)", text)]
    assert len(agreement) == 3
    assert min(agreement) > 0.999
    figure.locator("textarea").fill("A dog barks.\nA hound is loud.")
    figure.get_by_text("hound").first.wait_for(timeout=LONG)
    assert figure.locator("svg rect").count() == 4


def test_a_fault_leaves_the_answers_and_moves_the_meter(open_page):
    page = open_page("chapters/15_a_small_modernbert.html", width=390)
    figure = started(page, MODELS[1])
    figure.get_by_text("within the gate of 2").wait_for(timeout=LONG)
    before = figure.locator(".figure-answers").inner_text()
    assert "matrix" in before
    figure.locator(".figure-faults input").first.check()
    figure.get_by_text("outside the gate of 2").wait_for(timeout=LONG)
    after = figure.locator(".figure-answers").inner_text()
    first = [text.splitlines()[1].split("\t")[0] for text in (before, after)]
    assert first[0] == first[1]
    floors = re.search(r"([\d,]+) noise floors", figure.inner_text())[1]
    assert int(floors.replace(",", "")) > 500
    figure.locator("textarea").fill("no gap here")
    figure.get_by_text("There is no [MASK]").wait_for(timeout=LONG)
    figure.locator("textarea").fill("[MASK] " * 600)
    figure.get_by_text("512").first.wait_for(timeout=LONG)


def test_a_model_is_kept_in_the_browser(open_page):
    page = open_page("chapters/15_a_small_modernbert.html")
    started(page, MODELS[1])
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    started(page, MODELS[1])
    assert not [url for url in asked if re.search(r"/(small|wasm)-\d+\.js", url)]
    assert [url for url in asked if url.endswith("manifest.js")]


def test_every_script_of_a_figure_is_used():
    scripts = {path.stem for path in (HTML / "_static" / "figures").glob("*.js")}
    used = set()
    for page in HTML.rglob("*.html"):
        used |= set(re.findall(r'data-figure="([^"]+)"', page.read_text(encoding="utf-8")))
    assert scripts == used
