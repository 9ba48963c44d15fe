"""The recipe that holds characters, pieces and words against each other on mistyped texts."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import reference
from reference import annotated, corpus
from reference.__main__ import main
from reference.errors import InputError
from reference.training import packages, typos
from reference.training.characters import augmentation
from reference.training.fine_tuning import split
from reference.training.recipe import RECIPES
from reference.weights import read_tensors

WORDS = "array tensor graph file matrix string plot node path axis sample model".split()
RECIPE = replace(
    RECIPES["typos"],
    characters=64,
    pretraining_epochs=1,
    epochs=1,
    n_conv_filters=16,
    hidden_dim=16,
    pieces=80,
    hidden_size=16,
    num_hidden_layers=1,
    intermediate_size=16,
)
STEPS = {"characters": ["words", "parameters"], "pieces": ["tokenizer", "words"]}


def texts(modules=240):
    """One a module, of words that chance decides."""
    generator = np.random.default_rng(0)
    for number in range(modules):
        words = " ".join(generator.choice(WORDS, 9))
        yield f"{('numpy', 'scipy')[number % 2]}.module{number}", f"Do {words}."


def parameters():
    for number, word in enumerate(WORDS * 3):
        text = f"Do it. Parameters ---------- {word} : int"
        start = text.index(word)
        spans = ((start, start + len(word), "PARAMETER"), (len(text) - 3, len(text), "TYPE"))
        line = annotated.Annotated(text, spans)
        yield f"numpy.module{number}", annotated.Parameters(line, line, line)


def make(folder, report=lambda line: None, recipe=RECIPE):
    return typos.make(folder, recipe, report, texts(), parameters())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder, lines = tmp_path_factory.mktemp("typos") / "model", []
    return folder, make(folder, lines.append), lines


def test_it_writes_the_model_that_it_has_scored(made):
    folder, facts, lines = made
    assert json.loads((folder / "recipe.json").read_text()) == json.loads(json.dumps(facts))
    assert not (folder / "unfinished").exists()
    assert {value.dtype for value in read_tensors(folder).values()} == {np.dtype("float16")}
    model = reference.load(folder)
    assert len(model.config.towers) == 2 and model.name == "text-classification"
    (found,) = model.classify(["Do tensor graph."])
    assert set(found.labels) == {"numpy", "scipy"}
    text = facts["text"]
    assert lines[0] == f"{text['texts']} texts to learn from, {text['held_out_texts']} held out"
    rows = (
        (module, typos.beginning(text, RECIPE), package)
        for module, text, package in annotated.packages_of(texts())
    )
    _, held_out, _ = split(rows, RECIPE)
    again = typos.scores({"it": partial(packages.best, model)}, held_out, RECIPE, lines.append)
    for kind, own in facts["scores"].items():
        assert again[kind]["it"] == own["characters, mistyped"]


def test_each_is_scored_at_every_rate_and_on_clean_texts_twice_alike(made):
    _, facts, _ = made
    scores = facts["scores"]
    assert {*scores} == {"slips", "misspellings"}
    for kind, own in scores.items():
        assert len(own) == 6  # three, each learned from clean texts and from mistyped ones
        assert {len(shares) for shares in own.values()} == {len(typos.RATES[kind])}
    clean = [{name: shares[0] for name, shares in own.items()} for own in scores.values()]
    assert clean[0] == clean[1]
    assert facts["parameters"].keys() == {"characters", "pieces"}


def test_a_run_that_was_ended_is_gone_on_with(made, tmp_path):
    """What was finished is not done again, and what comes out is the same."""
    _, facts, _ = made

    def ended(line):
        if line == "pieces learn from mistyped texts":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "model", ended)
    room = tmp_path / "model" / "unfinished"
    done = [room / name / step for name, own in STEPS.items() for step in own]
    done += [room / "characters-mistyped", room / "pieces-clean"]
    assert not (room / "pieces-mistyped").exists()
    times = [path.stat().st_mtime_ns for path in done]
    with pytest.raises(InputError, match="other recipe; go on as it was begun"):
        make(tmp_path / "model", recipe=replace(RECIPE, epochs=2))

    def look(line):
        if line == "pieces learn from mistyped texts":
            assert [path.stat().st_mtime_ns for path in done] == times

    assert make(tmp_path / "model", look) == facts


def test_each_text_comes_twice_clean_or_once_with_slips():
    rows = ["Return the array of samples."] * 3, ["numpy"] * 3
    assert typos.with_slips(rows, RECIPE, typos.CLEAN) == (rows[0] * 2, rows[1] * 2)
    found, names = typos.with_slips(rows, replace(RECIPE, slips=0.5), typos.MISTYPED)
    assert found[:3] == rows[0] and not {*found[3:]} & {*rows[0]} and names == rows[1] * 2


def test_what_is_given_of_a_text():
    text = "NumPy sorts" + " and sorts" * 20
    assert typos.beginning(text, RECIPE) == ("package sorts" + " and sorts" * 20)[:64]
    spans = ((0, 5, "TYPE"), (60, 64, "TYPE"), (61, 65, "TYPE"))
    cut, kept = typos.within(annotated.Annotated(text, spans), RECIPE)
    assert len(cut) == 64 and kept == [*spans[:2]]


def test_nothing_that_judges_is_learned_from():
    rows = [f"text {n}" for n in range(40)], ["numpy", "scipy"] * 20
    learned, judges = typos.apart(rows, RECIPE)
    assert len(judges[0]) == 4 and sorted([*learned[0], *judges[0]]) == sorted(rows[0])
    assert all(int(t.split()[1]) % 2 == (p == "scipy") for t, p in zip(*learned, strict=True))


def test_the_command_prints_the_scores(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(corpus, "texts", texts)
    monkeypatch.setattr(annotated, "parameters", parameters)
    monkeypatch.setitem(RECIPES, "typos", RECIPE)
    assert main(["train", str(tmp_path / "model"), "--task", "typos"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "slips" in lines[-14] and lines[-14].split()[-1] == "30%"
    assert [line.split("  ")[0] for line in lines[-6:]] == [
        f"{name}, {state}"
        for state in ("clean", "mistyped")
        for name in ("words", "characters", "pieces")
    ]


def test_a_missing_dictionary_is_told_before_anything_is_trained(monkeypatch, tmp_path):
    def missing():
        raise InputError("codespell is not installed")

    monkeypatch.setattr(augmentation, "misspellings", missing)
    with pytest.raises(InputError, match="codespell"):
        make(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_too_few_texts_are_told(tmp_path):
    with pytest.raises(InputError, match="10 and 1 are the least"):
        typos.make(tmp_path / "model", RECIPE, print, [*texts(8)], parameters())
    assert not (tmp_path / "model").exists()
