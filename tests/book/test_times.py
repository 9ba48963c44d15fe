"""The status page's table of times: made by a command, whole, and of a day and a machine."""

import importlib.util
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from reference.bench import Timing
from reference.bench.growth import Growth
from reference.bench.tasks import OURS, TASKS

BOOK = Path(__file__).parents[2] / "book"
FOUND = json.loads((BOOK / "times.json").read_text())


@pytest.fixture(scope="module")
def times():
    spec = importlib.util.spec_from_file_location("times", BOOK / "times.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_is_there_that_is_measured(times):
    assert list(FOUND) == list(times.MEASURED)
    for measured in FOUND.values():
        assert date.fromisoformat(measured["day"]) and measured["processor"]
        assert measured["cores"] >= 1 and measured["found"]


def test_all_who_are_asked_are_there(times):
    names = lambda kind: [one["name"] for one in FOUND[kind]["found"]]
    assert names("minilm") == [*times.FULL, *times.FEWER]
    assert {*times.FULL, *times.FEWER} <= {*TASKS["embed"].all_peers(), *OURS}
    for kind in ("minilm", "one_core", "modernbert", "training"):
        fields = Timing.__dataclass_fields__.keys()
        assert all(one.keys() == {*fields, "version"} for one in FOUND[kind]["found"])
    for one in FOUND["scaling"]["found"]:
        sizes, ms = tuple(one["sizes"]), tuple(one["ms"])
        assert Growth(one["name"], sizes, ms).exponent == pytest.approx(one["exponent"])


def test_the_command_measures_and_stores(tmp_path):
    path = tmp_path / "times.json"
    command = [sys.executable, BOOK / "times.py", "--rounds", "1", "--only", "limits", "--to"]
    subprocess.run([*command, path], check=True)
    (limits,) = json.loads(path.read_text())["limits"]["found"]
    stored = FOUND["limits"]["found"][0]
    assert (limits["one"], limits["many"]) == (stored["one"], stored["many"])
    assert all(one["operations_a_second"] > 0 for one in limits["products"])
