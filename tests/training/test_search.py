"""The recipe of the model for search, on a handful of docstrings."""

import json
from dataclasses import replace

import numpy as np
import pytest

import reference
from reference import corpus
from reference.__main__ import main
from reference.evaluation.docstrings import docstring_retrieval
from reference.evaluation.reading import pairs_to_retrieval
from reference.training import search
from reference.training.masked_lm import is_held_out
from reference.training.recipe import RECIPES
from reference.weights import read_tensors

WORDS = "array tensor graph file matrix string plot node path axis sample model".split()


def docstrings(modules=200):
    """One a module, a pair each, of words that chance decides."""
    generator = np.random.default_rng(0)
    for number in range(modules):
        package = ("numpy", "scipy")[number % 2]
        module = f"{package}.module{number}"
        first, second = (" ".join(generator.choice(WORDS, count)) for count in (3, 12))
        yield corpus.Docstring(package, module, f"{module}.f", f"Do {first}.\n\nAs {second}.")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder, lines = tmp_path_factory.mktemp("search") / "model", []
    recipe = replace(RECIPES["search"], epochs=2, batch_size=64, max_tokens=32)
    return folder, search.make(folder, recipe, lines.append, docstrings()), lines


def test_it_trains_and_scores_what_it_writes(made):
    folder, facts, lines = made
    assert facts["run"]["steps"] == 2 * 3 and "held out" in lines[0]
    assert {"model", "before", "BM25", "MiniLM"} < {*facts["scores"]}
    assert json.loads((folder / "recipe.json").read_text()) == facts
    assert {value.dtype for value in read_tensors(folder).values()} == {np.dtype("float16")}
    model = reference.load(folder)
    assert model.name == "embeddings" and model.settings.normalize
    _, held_out = search.split(list(docstrings()), RECIPES["search"])
    data = pairs_to_retrieval(held_out)
    (row,) = reference.evaluation.evaluate(data, {"model": model})
    assert row.scores["nDCG@10"] == pytest.approx(facts["scores"]["model"]["nDCG@10"])


def test_what_is_trained_on_and_what_is_held_out(monkeypatch):
    found = list(docstrings())
    repeated = replace(found[0], text="Sort the list.\n\nTo sort the list takes a while.")
    training, held_out = search.split([*found, *found[:50], repeated], RECIPES["search"])
    bodies = {docstring.body: docstring.module for docstring in found}
    assert len(training) + len(held_out) == len(found)  # each once, and not what repeats
    assert not any(is_held_out(bodies[body]) for _, body in training)
    monkeypatch.setattr(corpus, "docstrings", lambda packages=None: iter(found))
    asked = docstring_retrieval()
    same = pairs_to_retrieval(held_out)
    assert (asked.queries, asked.documents) == (same.queries, same.documents)
    few, _ = search.split(found, replace(RECIPES["search"], texts=7))
    assert len(few) == 14 and {*few} < {*training}


def test_near_copies_are_told_apart():
    """A body that was trained on but for a word at its end is no news."""
    recipe = replace(RECIPES["search"], epochs=1, batch_size=64)
    long = "The nodes are visited one by one, in the order of their distance from the first"
    held = next(n for n in range(200) if is_held_out(f"numpy.held{n}"))
    copy = [
        corpus.Docstring("numpy", module, f"{module}.f", f"Visit nodes.\n\n{long} {end}.")
        for module, end in ((f"numpy.held{held}", "node"), ("numpy.module0", "one"))
    ]
    given = [*docstrings(), *copy]
    training, held_out = search.split(given, recipe)
    data = pairs_to_retrieval(held_out)
    assert search.near_copies(training, data) == {
        n for n, text in enumerate(data.documents.values()) if text.startswith(long)
    }


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(corpus, "docstrings", lambda packages=None: docstrings())
    folder = tmp_path / "model"
    arguments = ["train", str(folder), "--task", "search", "--texts", "60", "--epochs", "1"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "120 pairs to train on" in printed and "BM25" in printed and "nDCG@10" in printed
    recipe = json.loads((folder / "recipe.json").read_text())["recipe"]
    assert (recipe["task"], recipe["texts"], recipe["epochs"]) == ("search", 60, 1)


def test_too_little_text_is_refused(tmp_path):
    seen = [one for one in docstrings(9) if not is_held_out(one.module)]
    with pytest.raises(reference.InputError, match="0 are held out"):
        search.make(tmp_path / "m", RECIPES["search"], lambda line: None, seen)
    assert not (tmp_path / "m").exists()
