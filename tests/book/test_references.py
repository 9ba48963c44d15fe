"""What the text refers to can be followed: figures, exercises and chapters have targets, and a
reference to one is a link."""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
NOTEBOOKS = [*CHAPTERS, *sorted((ROOT / "book").glob("*.ipynb"))]
PAGES = [*NOTEBOOKS, *sorted((ROOT / "book").glob("*.md"))]

CODE = re.compile(r"^```.*?^```|(?<!\})`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
ROLE = re.compile(r"\{[a-z:]+\}`[^`]+`")
COUNTED = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
NOT_A_LINK = re.compile(
    r"\b(?:chapters?|exercises?|figures?)\s+\d"
    r"|\b(?:next|last|previous|\w+teenth|" + COUNTED.replace(" ", "|") + r")\s+chapters?\b",
    re.IGNORECASE,
)
EXERCISE = re.compile(r"^\*\*(Exercise )?(\d+)\.(\d+)\*\*", re.MULTILINE)


def cells(notebook: Path, kind: str) -> list[dict]:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def prose(page: Path) -> str:
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    return "\n\n".join("".join(cell["source"]) for cell in cells(page, "markdown"))


def calls_of_themed(cell: dict) -> list[dict[str, str]]:
    """The texts that a cell hands to `themed`: alt, caption and name."""
    source = "".join(cell["source"])
    return [
        {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
        for node in (ast.walk(ast.parse(source)) if "themed(" in source else ())
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "themed"
    ]


@cache
def figures() -> dict[str, dict]:
    """The cell of every figure, by the figure's name."""
    found = [
        (texts["name"], cell)
        for notebook in NOTEBOOKS
        for cell in cells(notebook, "code")
        for texts in calls_of_themed(cell)
    ]
    assert len(found) == len(dict(found)), "two figures have one name"
    return dict(found)


@cache
def exercises() -> dict[str, tuple[int, int]]:
    """The numbers of all exercises, by target."""
    return {
        f"exercise-{chapter}-{number}": (int(chapter), int(number))
        for notebook in CHAPTERS
        for _, chapter, number in EXERCISE.findall(prose(notebook))
    }


@pytest.mark.parametrize("name", figures())
def test_a_figure_is_stored_with_its_words_and_its_name(name: str):
    (texts,) = calls_of_themed(figures()[name])
    assert texts["alt"].strip() and texts["caption"].endswith(".")
    outputs = figures()[name]["outputs"]
    (shown,) = ["".join(output["data"]["text/html"]) for output in outputs]
    opening = rf'<figure class="themed-figure" id="{name}"( data-figure="[a-z0-9-]+")?>'
    assert re.match(opening, shown)
    assert re.search(r"<figcaption>.+\.</figcaption>\n</figure>$", shown)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_picture_is_a_figure(page: Path):
    assert not re.search(r"!\[|^:::+\{(?:figure|image)|^```\{(?:figure|image)", prose(page))
    if page.suffix == ".ipynb":
        stored = page.read_text(encoding="utf-8")
        shown = sum(bool(calls_of_themed(cell)) for cell in cells(page, "code"))
        assert stored.count('class=\\"only-light\\"') == shown


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_exercises_are_numbered_by_chapter(chapter: Path):
    found = EXERCISE.findall(prose(chapter))
    expected = [
        ("Exercise ", str(int(chapter.name[:2])), str(place))
        for place in range(1, len(found) + 1)
    ]
    assert found and found == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_references_are_links(page: Path):
    """No "chapter 7", "exercise 3.1" or "the next chapter" in plain words."""
    text = EXERCISE.sub("", prose(page))
    for markup in (CODE, LINK, ROLE):
        text = markup.sub("…", text)
    assert NOT_A_LINK.findall(text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_links_say_what_they_lead_to(page: Path):
    """A chapter's number and title, an exercise's number: an empty link is invisible in a
    notebook, and a wrong one leads astray."""
    for text, target in LINK.findall(prose(page)):
        assert text, f"{target} needs a text"
        if "#exercise-" in target:
            chapter, number = exercises()[target.partition("#")[2]]
            assert text.lower() == f"exercise {chapter}.{number}"
        if text.startswith("Chapter "):
            notebook = ROOT / "chapters" / Path(target).name
            title = re.match(r"# (.*)", prose(notebook))[1]
            number = int(notebook.name[:2])
            assert text in (f"Chapter {number}", f"Chapter {number}, *{title}*")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_numbers_of_figures_are_those_of_figures(page: Path):
    assert set(re.findall(r"\{numref\}`([^`]+)`", prose(page))) <= set(figures())
