"""The recipe of the model that tells types of parameters, on a handful of docstrings."""

import json
from dataclasses import replace

import numpy as np
import pytest

import reference
from reference import declarations as source
from reference.__main__ import main
from reference.annotated import Annotated
from reference.training import declarations
from reference.training.declarations import Told
from reference.training.recipe import RECIPES
from reference.weights import read_tensors

WORDS = "array tensor graph file matrix string plot node path axis sample model".split()
KINDS = {"flag": " : bool, optional", "count": " : int", "values": " : array_like or int"}


def texts(modules=160):
    """One a module, with parameters whose names tell what they are."""
    generator = np.random.default_rng(0)
    for number in range(modules):
        names = generator.permutation([*KINDS, "other"])
        text, spans = f"Do number {number}. Parameters", []
        for name in names:
            start = len(text) + 1
            text += f" {name} {' '.join(generator.choice(WORDS, 6))}."
            spans.append((start, start + len(name), KINDS.get(name, "")))
        yield f"numpy.module{number}", Annotated(text, tuple(spans))


def told(modules=160):
    return ((module, found.text, Told.of(found)) for module, found in texts(modules))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder, lines = tmp_path_factory.mktemp("declarations") / "model", []
    recipe = replace(RECIPES["declarations"], epochs=2, learning_rate=1e-3)
    return folder, declarations.make(folder, recipe, lines.append, told()), lines


def test_it_trains_and_scores_what_it_writes(made):
    folder, facts, lines = made
    assert "held out" in lines[0]
    assert {*facts["scores"]["labels"]} == {
        "model",
        "model, one half",
        "window of words",
        "majority",
    }
    assert {*facts["scores"]["classes"]} == {"model", "window of words", "majority"}
    assert json.loads((folder / "recipe.json").read_text()) == facts
    assert {value.dtype for value in read_tensors(folder).values()} == {np.dtype("float16")}
    best = facts["scores"]["labels"]
    assert best["model"]["micro_f1"] > best["majority"]["micro_f1"]
    assert best["window of words"]["micro_f1"] == 1.0  # the name says it all
    model = reference.load(folder)
    assert model.name == "masked-sequence" and model.config.detections.thresholds
    assert {*model.config.id2label.values()} == {"bool", "int", "array-like", "optional"}


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(declarations, "declarations", texts)
    folder = tmp_path / "model"
    arguments = ["train", str(folder), "--task", "declarations", "--texts", "40"]
    assert main([*arguments, "--epochs", "1"]) == 0
    printed = capsys.readouterr().out
    assert "window of words" in printed and "calibration error" in printed
    assert json.loads((folder / "recipe.json").read_text())["recipe"]["texts"] == 40


def test_too_little_text_is_refused(tmp_path):
    with pytest.raises(reference.InputError, match="all are needed"):
        declarations.make(tmp_path / "m", RECIPES["declarations"], print, told(1))
    assert not (tmp_path / "m").exists()


def test_pieces_hold_every_parameter_once_with_what_is_written_of_it():
    ((_, found),) = texts(1)
    long = found.text + " much more" * 80
    parts = []
    start = 0
    for _ in range(6):
        parts.append(long)
        start += len(long) + 1
    text = " ".join(parts)
    spans = [
        (first + n * (len(long) + 1), last + n * (len(long) + 1))
        for n in range(6)
        for first, last, _ in found.spans
    ]
    told = Told(text, spans, [["int"]] * len(spans))
    pieces = list(told.pieces())
    assert len(pieces) > 3
    names = [piece.text[slice(*span)] for piece in pieces for span in piece.spans]
    assert names == [text[slice(*span)] for span in spans]
    assert all(len(piece.text) <= declarations.LONGEST for piece in pieces)
    assert list(Told("a b", [(0, 1)], [None]).pieces()) == [Told("a b", [(0, 1)], [None])]


def test_calibration_error():
    sure = np.array([[0.95], [0.95], [0.05], [0.05]])
    right = np.array([[1.0], [1.0], [0.0], [0.0]])
    assert declarations.calibration_error(sure, right) == pytest.approx(0.05)
    assert declarations.calibration_error(sure, 1 - right) == pytest.approx(0.95)
    assert (
        declarations.calibration_error(np.full((10, 1), 0.3), np.arange(10)[:, None] < 3) < 1e-9
    )


def test_the_labels_are_those_of_the_source():
    assert declarations.LABELS == source.LABELS
