"""python -m reference fill."""

import json

import pytest

import reference
from reference.__main__ import main
from reference.checkpoint import SMALL_MODERNBERT

TEXTS = ["Return a [MASK] of the given array.", "[MASK] the [MASK]."]


@pytest.fixture(scope="module")
def found():
    return reference.load(SMALL_MODERNBERT, pipeline="masked-lm").fill(TEXTS)


def test_fill_prints_text(found, capfdbinary):
    assert main(["fill", *TEXTS]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[0] == TEXTS[0] and lines[6] == TEXTS[1] and len(lines) == 6 + 13
    assert lines[1].split() == [f"{found[0][0][0].probability:.4f}", "copy"]
    assert lines[7].strip() == "mask 1" and lines[13].strip() == "mask 2"


def test_fill_writes_json(found, tmp_path, backend):
    lines, out = tmp_path / "texts.txt", tmp_path / "out.jsonl"
    lines.write_text("\n".join(TEXTS))
    options = ["--file", str(lines), "--top-k", "2", "--backend", backend, "--output", str(out)]
    assert main(["fill", *options]) == 0
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record["text"] for record in records] == TEXTS
    assert [len(record["masks"]) for record in records] == [1, 2]
    assert [f["token"] for f in records[1]["masks"][1]] == [f.token for f in found[1][1][:2]]
    assert set(records[0]["masks"][0][0]) == {"token", "probability", "text"}


def test_fill_together(capfdbinary):
    assert main(["fill", TEXTS[1], "--joint", "--top-k", "3", "--format", "json"]) == 0
    (record,) = json.loads(capfdbinary.readouterr().out)
    assert [len(each["tokens"]) for each in record["filled"]] == [2, 2, 2]
    assert main(["fill", TEXTS[1], "--joint", "--top-k", "3"]) == 0
    assert len(capfdbinary.readouterr().out.splitlines()) == 4


def test_fill_with_targets(capfdbinary):
    assert main(["fill", TEXTS[0], "--targets", "stone", "copy", "numpy array"]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[1].split()[1] == "copy" and len(lines) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no mask"], r"texts[0], 'no mask', has no mask; this tokenizer writes it [MASK]"),
        ([TEXTS[0], "--top-k", "0"], "top_k is 0"),
        ([TEXTS[0], "--targets", ""], "targets[0] is ''"),
        ([TEXTS[0] + " word" * 600, "--truncation", "error"], "more than the 512"),
    ],
)
def test_bad_input_is_an_exit_status(arguments, message, capfd):
    assert main(["fill", *arguments]) == 2
    assert message in capfd.readouterr().err
