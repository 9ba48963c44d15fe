"""What a page weighs: with everything that a browser loads for it, and what of that it waits
for before it shows anything. Bytes are counted as they lie in files, uncompressed."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.book.browser import HTML

pytestmark = pytest.mark.book

CHAPTERS = sorted(path.stem for path in (HTML.parents[1] / "chapters").glob("*.ipynb"))
KB = 1000
HEAVIEST = 900 * KB
WAITED_FOR = 300 * KB
# What is shown is loaded, as by one who scrolls through all of the page.
SHOWN = """() => Promise.all(
  [...document.images]
    .filter((image) => getComputedStyle(image).display !== "none")
    .map((image) => {
      image.loading = "eager";
      return image.decode();
    })
)"""

# A figure to move hides its pictures, which are then not asked for.
MOVED = re.compile(r'<div class="themed-figure" data-figure=.*?</script>', re.DOTALL)


def local(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


@pytest.fixture(scope="module")
def loaded(request, browser):
    """Opens a chapter in one theme, and says which files the browser has read for it."""
    context = browser.new_context(color_scheme=request.param)

    def load(name: str) -> tuple[str, set[Path]]:
        page = context.new_page()
        files = set()
        page.on("request", lambda asked: asked.url.startswith("file:") and files.add(asked.url))
        page.goto(f"{HTML.as_uri()}/chapters/{name}.html")
        page.evaluate(SHOWN)
        page.close()
        return request.param, {local(url) for url in files}

    yield load
    context.close()


@pytest.mark.parametrize(
    ("loaded", "name"),
    [*(("light", name) for name in CHAPTERS), *(("dark", name) for name in CHAPTERS[7:10])],
    indirect=["loaded"],
)
def test_a_chapter_is_light(loaded, name: str):
    theme, files = loaded(name)
    sizes = {str(path.relative_to(HTML)): path.stat().st_size for path in files}
    assert sum(sizes.values()) <= HEAVIEST, sorted(sizes.items(), key=lambda file: -file[1])
    # and each picture in one theme only
    text = (HTML / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    text = MOVED.sub("", text)
    wanted, other = (
        {
            Path(source).name
            for source in re.findall(rf'class="only-{kind}.*?src="([^"]+)"', text)
        }
        for kind in (theme, {"light": "dark", "dark": "light"}[theme])
    )
    pictures = {path.name for path in files if path.parent.name == "_images"}
    assert wanted <= pictures | {"logo-light.svg", "logo-dark.svg"}
    assert not (other - wanted) & pictures


@pytest.mark.parametrize("name", CHAPTERS)
def test_little_is_waited_for(name: str):
    """Style sheets and scripts in the head that are not deferred; the theme's own style sheets
    ask for one more."""
    page = HTML / "chapters" / f"{name}.html"
    if not page.is_file():
        pytest.fail("there is no rendered book: run make book first")
    head = page.read_text(encoding="utf-8").partition("</head>")[0]
    waited_for = re.findall(r'<link [^>]*href="([^"?]+)[^"]*"[^>]*rel="stylesheet"', head)
    waited_for += re.findall(r'rel="stylesheet"[^>]*href="([^"?]+)', head)
    waited_for += re.findall(r'<script (?!defer|async)[^>]*src="([^"?]+)', head)
    files = {(page.parent / file).resolve() for file in waited_for}
    for style in [file for file in files if file.suffix == ".css"]:
        imported = re.findall(r'@import ?(?:url\()?"?([^")?;]+)', style.read_text("utf-8"))
        files |= {(style.parent / file).resolve() for file in imported}
    assert len(files) >= 5
    assert sum(file.stat().st_size for file in files) <= WAITED_FOR


def test_every_inline_picture_has_become_a_file():
    for page in HTML.glob("chapters/*.html"):
        text = page.read_text(encoding="utf-8")
        assert "data:image/png" not in text, page.name
        for picture in re.findall(r'<img [^>]*src="\.\./_images/[^>]*>', text):
            assert re.search(r'width="\d+" height="\d+".* loading="lazy"', picture), picture
