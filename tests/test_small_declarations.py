"""The model that comes with the package and tells what docstrings leave unsaid: it is what its
recipe says, the ports agree with Transformers on it, and it does on text that was held out what
its scores promise."""

import json
from dataclasses import replace

import numpy as np
import pytest

import reference
from reference.backend import BACKENDS
from reference.checkpoint import DECLARATIONS, SMALL_MODERNBERT, locate, read_checkpoint
from reference.parity import compare
from reference.text import TOKENIZER_FILES
from reference.torch.masked_sequence import AutoModelForMaskedSeqModeling
from reference.training import declarations
from reference.training.fine_tuning import split
from reference.training.recipe import RECIPES, Declarations

FOLDER = locate(DECLARATIONS)
TOLD = (
    "Rotate the image. Args: [[angle]] : By how many degrees. [[resample]] : If True, pixels "
    "are taken anew. [[fill]] : What the corners are filled with, None by default."
)


@pytest.fixture(scope="module")
def facts():
    return json.loads((FOLDER / "recipe.json").read_text())


def test_it_is_what_its_recipe_says(facts):
    assert Declarations(**facts["recipe"]) == RECIPES["declarations"]
    assert facts["recipe"]["base"] == SMALL_MODERNBERT
    checkpoint = read_checkpoint(FOLDER)
    assert {*checkpoint.config.id2label.values()} == {*declarations.LABELS}
    assert checkpoint.config.detections.span_pooling == facts["recipe"]["span_pooling"]
    assert {array.dtype for array in checkpoint.tensors.values()} == {np.dtype("float16")}
    base = locate(SMALL_MODERNBERT)
    for name in {*TOKENIZER_FILES} & {path.name for path in base.iterdir()}:
        assert (FOLDER / name).read_bytes() == (base / name).read_bytes()


def test_ports_agree_with_transformers():
    report = compare(DECLARATIONS, BACKENDS)
    assert report.passed, report.table()


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_tells_types_that_nobody_declared(backend):
    model = reference.load(DECLARATIONS, backend=backend)
    angle, resample, _ = model.predict(TOLD)
    assert "float" in angle.given and "bool" in resample.given
    wrapper = AutoModelForMaskedSeqModeling.from_pretrained(FOLDER)
    assert tuple(wrapper.config.thresholds) == model.config.detections.thresholds


def test_it_finds_on_text_that_was_held_out_what_its_scores_promise(facts):
    """On every third piece, so within what chance does to a share of so many."""
    own = replace(RECIPES["declarations"], texts=1)
    (_, _), (_, held_out), _ = split(declarations.read(), own)
    pieces = [piece for one in held_out for piece in one.pieces() if piece.counted][::3]
    model = reference.load(DECLARATIONS)
    names = tuple(model.config.id2label.values())
    shares = declarations.asked(model, pieces)
    right = declarations.answers(pieces, names) > 0.5
    given = shares >= np.array(model.config.detections.thresholds)
    hits = (given & right).sum()
    found = 2 * hits / (given.sum() + right.sum())
    promised = facts["scores"]["labels"]["model"]["micro_f1"]
    assert found == pytest.approx(promised, abs=4 * np.sqrt(0.25 / right.sum()))
    assert promised > facts["scores"]["labels"]["window of words"]["micro_f1"] + 0.05
