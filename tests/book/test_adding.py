"""The guide to adding things names the real files, and every family is made of those that it
lists."""

import re
from pathlib import Path

import pytest

from reference.families import FAMILIES
from reference.parity.faults import FAULTS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "book/adding.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\(([^)#]+)\)")


def test_every_link_leads_somewhere():
    links = LINK.findall(GUIDE)
    assert len(links) > 20
    missing = [link for link in links if not (ROOT / "book" / link).exists()]
    assert not missing


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.room)
def test_every_family_has_the_files_of_the_guide(family):
    section = GUIDE.partition("## A family of models")[2].partition("\n## ")[0]
    named = [link for link in LINK.findall(section) if "/bert." in link]
    assert len(named) == 5, "the family's file, three ports, its faults"
    for link in named:
        path = ROOT / "book" / link.replace("/bert.", f"/{family.room}.")
        assert path.exists(), path


def test_faults_are_found_by_their_files_alone():
    rooms = ROOT / "reference/parity/faults/rooms"
    files = {path.stem for path in rooms.glob("*.py")} - {"__init__"}
    source = {path: (rooms / f"{path}.py").read_text(encoding="utf-8") for path in files}
    assert all(any(f'"{name}"' in text for text in source.values()) for name in FAULTS)
    assert all("FAULTS = (" in text for text in source.values())


def test_strategies_draw_every_family():
    strategies = (ROOT / "tests/parity/strategies.py").read_text(encoding="utf-8")
    for family in FAMILIES:
        assert re.search(rf"\b{family.room}\b", strategies), family.room
