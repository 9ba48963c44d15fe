"""The model of characters that comes with the package: it is what its recipe says, the ports
agree on it, and its scores say what the book says of them."""

import json

import numpy as np
import pytest

import reference
from reference import annotated, corpus
from reference.backend import BACKENDS
from reference.checkpoint import CHARACTER_CLASSIFIER, locate, read_checkpoint
from reference.parity import compare
from reference.training import packages, typos
from reference.training.masked_lm import is_held_out
from reference.training.recipe import RECIPES, Typos

SENTENCES = {
    "Retrun the shrotest path between two nodse of the graph.": "networkx",
    "Plot the y-valuse as lines and markres on teh axes.": "matplotlib",
}


@pytest.fixture(scope="module")
def facts():
    return json.loads((locate(CHARACTER_CLASSIFIER) / "recipe.json").read_text())


def test_it_is_what_its_recipe_says(facts):
    recipe = Typos(**facts["recipe"])
    assert recipe == RECIPES["typos"]
    folder = locate(CHARACTER_CLASSIFIER)
    assert max(path.stat().st_size for path in folder.iterdir()) <= 2 * 2**20
    checkpoint = read_checkpoint(folder)
    assert set(checkpoint.config.id2label.values()) == {*packages.LABELS}
    widths = [tower.n_conv_filters for tower in checkpoint.config.towers]
    assert widths == [recipe.n_conv_filters] * 2
    assert {tensor.dtype for tensor in checkpoint.tensors.values()} == {np.dtype("float16")}
    size = sum(tensor.size for tensor in checkpoint.tensors.values())
    assert size == facts["parameters"]["characters"]
    assert size == pytest.approx(facts["parameters"]["pieces"], rel=0.1)


def test_all_ports_pass():
    texts = typos.mistyped([*SENTENCES], typos.slips(0.1), seed=0)
    report = compare(CHARACTER_CLASSIFIER, texts=texts)
    assert report.passed, report


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_reads_what_is_mistyped(backend):
    model = reference.load(CHARACTER_CLASSIFIER, backend=backend)
    for text, found in zip(SENTENCES, model.classify([*SENTENCES]), strict=True):
        assert found.labels[0] == SENTENCES[text]


def test_its_scores_hold_on_a_part_of_what_was_held_out(facts):
    """All of it takes a minute to read."""
    recipe, model = RECIPES["typos"], reference.load(CHARACTER_CLASSIFIER)
    labelled = [
        (typos.beginning(text, recipe), package)
        for module, text, package in annotated.packages_of(corpus.texts(["networkx", "sympy"]))
        if is_held_out(module)
    ]
    right = {}
    for rate in (0.0, 0.1):
        texts = typos.mistyped([text for text, _ in labelled], typos.slips(rate), seed=0)
        found = model.classify(texts, top_k=1, truncation="ignore")
        pairs = zip(found, labelled, strict=True)
        right[rate] = np.mean([one.labels[0] == package for one, (_, package) in pairs])
    stored = facts["scores"]["slips"]["characters, mistyped"]
    assert right[0.0] > stored[0] - 0.1
    assert 0.05 < right[0.1] <= right[0.0]
