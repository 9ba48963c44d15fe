"""python -m reference: every way in, every way out, and what bad input says."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest

import reference
from reference.__main__ import main

TEXTS = ["a first sentence", "a second one"]


@pytest.fixture(scope="module")
def vectors(minilm):
    return reference.load(minilm).encode(TEXTS)


@pytest.fixture
def texts_file(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS) + "\n")
    return path


def run(*arguments, stdin: str | None = None, monkeypatch=None):
    if stdin is not None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
    return main([str(argument) for argument in arguments])


def test_embed_prints_text(vectors, capfdbinary):
    assert run("embed", *TEXTS) == 0
    rows = [line.split() for line in capfdbinary.readouterr().out.decode().splitlines()]
    np.testing.assert_allclose(np.array(rows, float), vectors, atol=1e-6)


@pytest.mark.parametrize("source", ["file", "stdin", "dash"])
def test_embed_reads_lines(vectors, texts_file, source, tmp_path, monkeypatch):
    out = tmp_path / "out.npy"
    where = {"file": ["--file", texts_file], "stdin": [], "dash": ["--file", "-"]}[source]
    stdin = None if source == "file" else texts_file.read_text()
    assert run("embed", *where, "--output", out, stdin=stdin, monkeypatch=monkeypatch) == 0
    np.testing.assert_allclose(np.load(out), vectors, atol=1e-6)


def test_embed_writes_json(vectors, capfdbinary, backend):
    assert run("embed", *TEXTS, "--backend", backend, "--format", "json") == 0
    records = json.loads(capfdbinary.readouterr().out)
    assert [record["text"] for record in records] == TEXTS
    np.testing.assert_allclose([record["embedding"] for record in records], vectors, atol=1e-6)


def test_embed_without_normalizing(tmp_path):
    assert run("embed", "a text", "--normalize", "no", "--batch-size", 1, "--output", tmp_path / "x.npy") == 0
    assert np.linalg.norm(np.load(tmp_path / "x.npy")) > 1.5


def test_similar_ranks(capfdbinary):
    assert run("similar", "a cat", "--to", "the moon", "a kitten") == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[0] == "a cat" and lines[1].endswith("a kitten") and lines[2].endswith("the moon")


def test_similar_writes(texts_file, tmp_path):
    assert run("similar", "--file", texts_file, "--to-file", texts_file, "--output", tmp_path / "s.json") == 0
    records = json.loads((tmp_path / "s.json").read_text())
    assert records[0]["scores"][TEXTS[0]] == pytest.approx(1, abs=1e-6)
    assert run("similar", *TEXTS, "--to", "x", "x", "--output", tmp_path / "s.npy") == 0
    assert np.load(tmp_path / "s.npy").shape == (2, 2)


def test_info(capfd, tiny):
    assert run("info") == 0
    assert "22,713,216" in capfd.readouterr().out
    folder = tiny("BertForSequenceClassification", id2label={0: "no", 1: "yes"})
    capfd.readouterr()
    assert run("info", folder, "--format", "json") == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts["labels"] == ["no", "yes"] and facts["pipeline"] == "text-classification"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed", "a", "--model", "./nowhere"], "no folder './nowhere'"),
        (["embed", "a", "--file", "b"], "not both"),
        (["embed", "--file", "./nowhere"], "./nowhere cannot be read: No such file or directory"),
        (["embed", "a", "--batch-size", "0"], "batch_size is 0"),
        (["embed", "a", "--dtype", "int8"], "dtype 'int8'"),
        (["embed", "a", "--output", "./nowhere/x.npy"], "cannot be written"),
        (["similar", "a"], "nothing to compare with"),
        (["bench", "--backends", "jax"], "backend 'jax' is unknown"),
        (["bench", "--peers", "none", "--backends", "none"], "at least one contestant"),
        (["bench", "--rounds", "0"], "at least 1"),
        (["bench", "--texts", "./nowhere"], "cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, capfd):
    assert main(arguments) == 2
    captured = capfd.readouterr()
    assert captured.err.startswith("error: ") and message in captured.err and captured.err.count("\n") == 1
    assert captured.out == ""


def test_input_that_is_no_text(tmp_path, capfd):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert run("embed", "--file", tmp_path / "bytes") == 2
    assert "not UTF-8" in capfd.readouterr().err


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m reference embed a b c | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == ""
