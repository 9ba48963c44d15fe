"""What the guide shows of two ports by others is what was found of the pinned ones."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from reference.parity import Report

ROOT = Path(__file__).parents[2]
STRANGERS = ROOT / "book" / "strangers"
FOUND = json.loads((STRANGERS / "results.json").read_text())


def locked() -> dict[str, str]:
    lock = tomllib.loads((STRANGERS / "candle_transformers" / "Cargo.lock").read_text())
    crates = {package["name"]: package["version"] for package in lock["package"]}
    peers = (ROOT / "requirements-peers.txt").read_text()
    return {
        "candle-transformers": crates["candle-transformers"],
        "mlx-embeddings": re.search(r"^mlx-embeddings==([\d.]+)", peers, re.MULTILINE)[1],
    }


def test_they_are_the_pinned_ones():
    assert dict(map(str.split, FOUND)) == locked()


def test_they_are_not_installed_with_the_book():
    assert "mlx-embeddings" not in (ROOT / "requirements.txt").read_text()


@pytest.mark.parametrize("port", FOUND)
def test_every_report_is_whole(port):
    for model, values in FOUND[port].items():
        report = Report.from_dict(values)
        assert report.model == model and report.backends == ("port",) and report.rows
        assert report.passed == values["passed"] == (report.first_divergence["port"] is None)


@pytest.mark.parametrize("port", FOUND)
def test_each_met_a_trained_checkpoint_a_random_one_and_odd_ones(port):
    trained, random, *odd = FOUND[port]
    assert "/" in trained and random.startswith("random-") and len(odd) >= 2
