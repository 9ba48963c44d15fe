"""What the fuzzer once found stays mended; and the fuzzer finds what there is to find."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import reference.checkpoint
from tests.fuzz.cases import judge
from tests.fuzz.workers import Worker

FOUND = sorted(Path(__file__).parent.glob("*.json"))


@pytest.fixture(scope="module")
def worker():
    with Worker() as worker:
        yield worker


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_it_is_mended(worker, path):
    assert worker.judge(json.loads(path.read_text(encoding="utf-8"))) == []


KILLS = "__import__('os').kill(__import__('os').getpid(), 9)"
SLEEPS = "__import__('time').sleep(600)"
FILLS = "len(b'x' * 3 * 2**29)"


@pytest.mark.parametrize(
    ("expression", "seconds", "trouble"),
    [
        (KILLS, 60, "it brings the process down: exit code -9"),
        (SLEEPS, 1, "it hangs"),
        (FILLS, 60, "it takes 1.5 GiB of memory"),
    ],
)
def test_a_process_that_falls_is_seen_and_replaced(
    worker, monkeypatch, expression, seconds, trouble
):
    arguments = {"texts": expression, "max_length": "None"}
    case = {"seed": "BertModel", "call": "tokenizer", "arguments": arguments}
    with monkeypatch.context() as patch:
        patch.setattr(worker, "seconds", seconds)
        (complaint,) = worker.judge(case)
    assert trouble in complaint
    assert worker.judge(case | {"arguments": {"texts": "['the cat']"}}) == []


def test_what_is_ignored_shows(monkeypatch):
    edit = {"file": "config.json", "at": ["layer_norm_eps"], "value": 0.5}
    case = {"seed": "BertForTokenClassification", "edits": [edit]}
    assert judge(case) == []
    read = reference.checkpoint.read_config
    deaf = lambda folder: replace(read(folder), layer_norm_eps=1e-12)
    monkeypatch.setattr(reference.checkpoint, "read_config", deaf)
    assert "Transformers gives another logits than torch" in judge(case)[0]


def test_a_foreign_error_shows(monkeypatch):
    def fails(folder):
        raise KeyError("layer_norm_eps")

    monkeypatch.setattr(reference.checkpoint, "read_config", fails)
    (complaint,) = judge({"seed": "BertForTokenClassification", "edits": []})
    assert complaint.startswith("KeyError at reference/checkpoint.py read_architecture")
