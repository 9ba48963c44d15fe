"""Every fault has a public case, or says that none is known, and the book's page shows it."""

import html
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from reference.parity.faults import (
    FAULTS,
    Fault,
    characters,
    known,
    masking,
    pipelines,
    rooms,
    training,
)
from reference.parity.faults.case import WAYS, Case, NoneKnown
from reference.parity.faults.cases import CASES, ROOMS
from reference.parity.faults.wild import NONE, gather

PAGE = Path(__file__).parents[2] / "book" / "faults_in_the_wild.ipynb"
FAMILIES = (known, masking, training, characters, pipelines)
EVERY = [fault for family in FAMILIES for fault in family.FAULTS.values()]
# owner/name, then a thread or a file.
ADDRESS = re.compile(
    r"https://github\.com/[\w.-]+/[\w.-]+/((issues|pull)/\d+|blob/[\w.-]+/[\w./-]+\.\w+)"
)


def test_names_are_unique():
    assert Counter(fault.name for fault in EVERY) == Counter({fault.name for fault in EVERY})
    assert len(CASES) == sum(len(room.CASES) for room in ROOMS)


def test_every_fault_has_a_case_or_says_that_none_is_known():
    assert set(CASES) == {fault.name for fault in EVERY}
    for fault in EVERY:
        assert fault.case is CASES[fault.name]


def test_a_fault_of_ones_own_has_none():
    assert Fault("nothing", "a fault that nobody has").case is None


def test_every_file_of_cases_is_entered():
    files = {path.stem for path in Path(known.__file__).with_name("cases").glob("*.py")}
    assert files - {"__init__"} == {room.__name__.rpartition(".")[2] for room in ROOMS}
    # A room of the ports has its cases in a file of its own name.
    for path in Path(rooms.__path__[0]).glob("[a-z]*.py"):
        stories = {name for name in FAULTS if f'"{name}"' in path.read_text()}
        (room,) = (room for room in ROOMS if room.__name__.endswith(f".{path.stem}"))
        assert set(room.CASES) == stories


@pytest.mark.parametrize("name", CASES)
def test_a_case_says_where_and_how(name):
    case = CASES[name]
    if isinstance(case, NoneKnown):
        assert case.note.strip()
        return
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", case.where)
    assert f"/{case.where}/" in case.address
    assert ADDRESS.fullmatch(case.address)
    assert case.by in WAYS
    for words in (case.what, case.how):
        assert words.strip() == words and not words.endswith(".")


def shown():
    outputs = [
        output["data"]
        for cell in json.loads(PAGE.read_text())["cells"]
        for output in cell.get("outputs", ())
    ]
    return ["".join(data["text/html"]) for data in outputs]


def test_the_page_shows_every_fault_and_every_address():
    counts, table = shown()
    rows = re.findall(r'<tr id="(\w+)">(.*?)</tr>', table)
    assert [name for name, _ in rows] == list(CASES)
    for name, row in rows:
        case = CASES[name]
        if isinstance(case, Case):
            assert f'<a href="{html.escape(case.address)}">' in row
            assert html.escape(case.how) in row
        else:
            assert NONE in row and html.escape(case.note) in row
    assert gather().counts.says in counts


def test_text_shows_what_the_tables_do():
    text = str(gather())
    for name, case in CASES.items():
        assert f"\n{name}\n" in text
        assert (case.address if isinstance(case, Case) else NONE) in text


def test_what_the_page_says_of_the_counts_is_so():
    ways = gather().ways
    assert list(ways)[:3] == ["reading", "symptom", "comparison"]
    assert ways["NaN"] == 2
