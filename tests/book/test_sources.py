"""What chapters promise before they are rendered."""

import ast
import json
import re
from pathlib import Path

import pytest

from tests.book.listings import CALLS, NOTEBOOKS, ROOT, renew


def cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def listings() -> list[tuple[str, str]]:
    """Every call of show and show_shared, with the notebook that it stands in."""
    found = []
    for notebook in NOTEBOOKS:
        for cell in cells(notebook):
            source = "".join(cell["source"])
            if cell["cell_type"] == "code" and not source.startswith("%"):
                for node in ast.walk(ast.parse(source)):
                    if (
                        isinstance(node, ast.Call)
                        and isinstance(node.func, ast.Name)
                        and node.func.id in CALLS
                    ):
                        found.append((notebook.stem, ast.unparse(node)))
    return found


@pytest.mark.parametrize(("notebook", "call"), listings())
def test_every_listing_of_the_chapters_is_found(notebook: str, call: str):
    assert str(eval(call, dict(CALLS)))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_listings_are_stored_as_the_source_is_now(notebook: Path):
    changed = renew(json.loads(notebook.read_text(encoding="utf-8")))
    assert not changed, "the package has changed since: python -m tests.book.listings"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stored_and_hold_no_error(notebook: Path):
    code = [
        cell
        for cell in cells(notebook)
        if cell["cell_type"] == "code" and "".join(cell["source"]).strip()
    ]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1)), (
        "run the notebook from the top"
    )
    assert not [
        output
        for cell in code
        for output in cell["outputs"]
        if output["output_type"] == "error"
    ]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_figures_are_made_for_both_themes(notebook: Path):
    """A bare picture has no alternative text and a white background: themed() gives both."""
    kinds = {
        kind
        for cell in cells(notebook)
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    }
    assert not kinds & {"image/png", "image/jpeg", "image/svg+xml"}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_when_a_cell_was_run_is_not_stored(notebook: Path):
    assert not [cell["id"] for cell in cells(notebook) if "execution" in cell["metadata"]]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_place_on_a_disk_is_stored(notebook: Path):
    """A picture is left out: its letters may spell anything."""
    for cell in cells(notebook):
        outputs = re.sub(r"base64,[\w+/=]+", "", json.dumps(cell.get("outputs", [])))
        assert not re.findall(
            r"(?<![\w.])/(?:root|home|Users|work|tmp|var)/[^\"\s]*", outputs
        ), cell["id"]


def test_every_axis_name_of_the_code_is_in_the_notation():
    known = set(
        re.findall(r"`([a-z_]+)`", (ROOT / "book" / "notation.md").read_text(encoding="utf-8"))
    ) | {"shape"}
    annotation = re.compile(
        r'\b(?:Float|Int|Bool|Shaped|Num|Real|Integer)\[[^,\[\]]+, "([^"]*)"\]'
    )
    for file in sorted((ROOT / "reference").rglob("*.py")):
        for axes in annotation.findall(file.read_text(encoding="utf-8")):
            names = set(re.findall(r"[a-z_]+", axes))
            assert names <= known, f"{file.relative_to(ROOT)}: {names - known} in {axes!r}"


def test_every_cited_key_is_in_the_bibliography():
    keys = set(
        re.findall(
            r"^@\w+\{(\w+),",
            (ROOT / "book" / "references.bib").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*.md")]
    texts += ["".join(cell["source"]) for notebook in NOTEBOOKS for cell in cells(notebook)]
    cited = {
        key
        for text in texts
        for group in re.findall(r"\{cite:\w+\}`([^`]+)`", text)
        for key in group.split(",")
    }
    assert cited and cited <= keys
