"""The embedding model that comes with the package: it is what its recipe says, the ports agree
with Transformers and sentence-transformers on it, and it finds what its scores promise."""

import json

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

import reference
from reference import evaluation
from reference.backend import BACKENDS
from reference.checkpoint import SEARCH_MODEL, SMALL_MODERNBERT, locate, read_checkpoint
from reference.evaluation.docstrings import docstring_retrieval
from reference.parity import compare
from reference.text import TOKENIZER_FILES
from reference.training.recipe import RECIPES, Search
from reference.training.search import ALL, NEWS

DOCUMENTS = [
    "The nodes of the graph are visited in the order of their distance from the source.",
    "If the file cannot be opened, an OSError is raised.",
    "The curve is drawn with the given colour and line width on the current axes.",
]
QUESTIONS = [
    "Breadth-first search from a node.",
    "Open a file and read it.",
    "Plot a line.",
]


@pytest.fixture(scope="module")
def facts():
    return json.loads((locate(SEARCH_MODEL) / "recipe.json").read_text())


def test_it_is_small_and_beats_what_it_was_made_of_and_not_bm25(facts):
    assert sum(path.stat().st_size for path in locate(SEARCH_MODEL).iterdir()) <= 5.5 * 2**20
    for form in (ALL, NEWS):
        before, model, words, large = (
            facts["scores"][name + form]["nDCG@10"]
            for name in ("before", "model", "BM25", "MiniLM")
        )
        assert before + 0.15 < model < words < large


def test_it_is_what_its_recipe_says(facts):
    recipe = Search(**facts["recipe"])
    assert recipe == RECIPES["search"] and recipe.base == SMALL_MODERNBERT
    checkpoint, base = (
        read_checkpoint(locate(SEARCH_MODEL)),
        read_checkpoint(locate(recipe.base)),
    )
    assert {tensor.dtype for tensor in checkpoint.tensors.values()} == {np.dtype("float16")}
    for key in ("hidden_size", "layer_types", "vocab_size", "max_position_embeddings"):
        assert getattr(checkpoint.config, key) == getattr(base.config, key)
    for file in TOKENIZER_FILES:
        ours, theirs = locate(SEARCH_MODEL) / file, locate(recipe.base) / file
        assert ours.is_file() == theirs.is_file()
        assert not ours.is_file() or ours.read_bytes() == theirs.read_bytes()


def test_all_ports_pass():
    report = compare(SEARCH_MODEL)
    assert report.passed, report


@pytest.mark.parametrize("backend", BACKENDS)
def test_vectors_are_those_of_sentence_transformers(backend):
    model = reference.load(SEARCH_MODEL, backend=backend)
    official = SentenceTransformer(str(locate(SEARCH_MODEL)), device="cpu")
    vectors = model.encode(DOCUMENTS)
    np.testing.assert_allclose(vectors, official.encode(DOCUMENTS), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    found = [model.search(question, DOCUMENTS, top_k=1)[0].index for question in QUESTIONS]
    assert found == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:.*has no modules.json")
def test_the_scores_hold_on_a_part_of_what_was_held_out(facts):
    data = docstring_retrieval(packages=["numpy", "networkx"])
    scores = evaluation.evaluate(
        data,
        {
            "model": reference.load(SEARCH_MODEL),
            "before": reference.load(SMALL_MODERNBERT, pipeline="embeddings"),
        },
    )
    model, before = (row.scores["nDCG@10"] for row in scores)
    assert len(data.queries) > 20
    assert model > max(before + 0.1, facts["scores"]["model"]["nDCG@10"])
