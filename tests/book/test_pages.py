"""The rendered book: every page is there, nothing comes from elsewhere, figures have words,
links lead somewhere."""

import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

pytestmark = pytest.mark.book

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
# The attributes by which a page fetches something to show or to run; a link that a reader may
# follow is not one.
FETCHED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
ELSEWHERE = re.compile(r"^\s*(?:[a-z]+:)?//", re.IGNORECASE)
HOST = re.compile(r"""(?:https?:|["'(`])//([a-z0-9-]+(?:\.[a-z0-9-]+)+)""", re.IGNORECASE)
# Hosts that the theme's files name without fetching from them: XML namespaces,
# and in comments licences, documentation and credits. A host that is new here is to be looked
# at.
ONLY_NAMED = {
    *(
        "www.w3.org",
        "www.apache.org",
        "github.com",
        "fontawesome.com",
        "getbootstrap.com",
        "clipboardjs.com",
    ),
    *("pydata-sphinx-theme.readthedocs.io", "nbsphinx.readthedocs.io", "developer.mozilla.org"),
    *("m2.material.io", "sass-guidelin.es", "codepen.io"),
}


class Page(HTMLParser):
    """What the tests ask of a page: what it fetches, where it links to, its ids, its images,
    its own styles."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.ids: Counter[str] = Counter()
        self.images: list[dict[str, str]] = []
        self.inline = ""
        self.title = False
        self._inside: str | None = None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self._inside = tag if tag in ("script", "style") else None
        self.fetched += [values[name] for name in FETCHED.get(tag, ()) if name in values]
        self.inline += values.get("style", "") + "\n"
        self.ids.update([values["id"]] if values.get("id") else [])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "img":
            self.images.append(values)

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.inline += data + "\n"


@cache
def built() -> tuple[Page, ...]:
    if not (HTML / "index.html").is_file():
        pytest.fail(
            f"there is no rendered book in {HTML.relative_to(ROOT)}: run make book first"
        )
    return tuple(
        Page(path)
        for path in sorted(HTML.rglob("*.html"))
        if "_static" not in path.relative_to(HTML).parts
    )


def pages_of_the_toc() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"]] + [
        chapter["file"] for part in toc["parts"] for chapter in part["chapters"]
    ]


@pytest.mark.parametrize("name", pages_of_the_toc())
def test_every_page_of_the_toc_is_there(name: str):
    built()
    page = HTML / f"{name}.html"
    assert page.is_file()
    text = page.read_text(encoding="utf-8")
    assert '<html lang="en"' in text
    assert re.search(r"<h1>\s*\S", text)


def test_every_notebook_and_page_of_the_sources_is_in_the_toc():
    sources = [
        *(ROOT / "book").glob("*.md"),
        *(ROOT / "book").glob("*.ipynb"),
        *(ROOT / "chapters").glob("*.ipynb"),
    ]
    assert {str(path.relative_to(ROOT).with_suffix("")) for path in sources} == set(
        pages_of_the_toc()
    )


def test_pages_fetch_nothing_from_elsewhere():
    found = [
        (page.path.name, target)
        for page in built()
        for target in page.fetched
        if ELSEWHERE.match(target)
    ]
    assert found == []


def test_scripts_and_styles_name_no_server():
    """Neither those inside the pages nor those in files."""
    texts = {page.path: page.inline for page in built()}
    for kind in ("*.css", "*.js", "*.svg"):
        texts |= {
            path: path.read_text(encoding="utf-8") for path in (HTML / "_static").rglob(kind)
        }
    found = {
        (host, str(path.relative_to(HTML)))
        for path, text in texts.items()
        for host in HOST.findall(text)
    }
    assert {(host, path) for host, path in found if host not in ONLY_NAMED} == set()


def test_what_pages_fetch_is_there():
    missing = [
        (page.path.name, target)
        for page in built()
        for target in page.fetched
        if not target.startswith(("data:", "#")) and not resolve(page, target)[0].is_file()
    ]
    assert missing == []


def test_every_image_says_what_it_shows():
    """The logo's two pictures may be silent: the title stands beside them."""
    silent = [
        (page.path.name, image.get("src", "")[:60])
        for page in built()
        for image in page.images
        if not image.get("alt", "").strip() and "logo__image" not in image.get("class", "")
    ]
    assert silent == []


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_figures_and_exercises_are_numbered_and_targets(chapter: Path):
    built()
    number = int(chapter.name[:2])
    text = (HTML / "chapters" / f"{chapter.stem}.html").read_text(encoding="utf-8")
    captions = re.findall(
        r'<figure class="[^"]*" id="fig-[^"]+">(?:(?!</figure>).)*?class="themed-figure"'
        r'(?:(?!</figure>).)*?class="caption-number">Figure ([\d.]+) </span>',
        text,
        flags=re.DOTALL,
    )
    pictures = text.count('class="themed-figure"')
    assert captions == [f"{number}.{place}" for place in range(1, pictures + 1)]
    asked = re.findall(r'<p id="exercise-(\d+-\d+)">\s*<strong>Exercise ([\d.]+)', text)
    assert asked == [
        (f"{number}-{place}", f"{number}.{place}") for place in range(1, len(asked) + 1)
    ]
    assert len(asked) == text.count("<strong>Exercise ") > 0
    assert f'<span class="section-number">{number}. </span>' in text


def test_every_page_says_which_version_it_is():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    released = citation["date-released"]
    expected = f"Version {citation['version']}, {released.day} {released:%B %Y} · Licence: "
    for name in pages_of_the_toc():
        assert f"{expected}{citation['license']}<" in (HTML / f"{name}.html").read_text(
            encoding="utf-8"
        )


def test_links_inside_the_book_lead_somewhere():
    pages = {page.path: page for page in built()}
    broken = []
    for page in built():
        for link in page.links:
            if urlsplit(link).scheme or not link or link == "#":
                continue
            target, anchor = resolve(page, link)
            known = target.is_file() and (
                not anchor or target not in pages or anchor in pages[target].ids
            )
            if not known:
                broken.append((page.path.name, link))
    assert broken == []


def test_ids_are_unique_on_a_page():
    """Tabs find one another by their ids, so one page must not show one listing twice."""
    twice = [
        (page.path.name, name)
        for page in built()
        for name, count in page.ids.items()
        if count > 1 and name.startswith("listing-")
    ]
    assert twice == []


def resolve(page: Page, link: str) -> tuple[Path, str]:
    """The file that a relative link means, and the anchor in it."""
    parts = urlsplit(link)
    target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
    return target, unquote(parts.fragment)
