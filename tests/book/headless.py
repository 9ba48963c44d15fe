"""The Chromium that is installed, for tests that look at the rendered book as a reader does."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

HTML = Path(__file__).parents[2] / "_build" / "html"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    if not (HTML / "index.html").is_file():
        pytest.fail("there is no rendered book: run make book first")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
