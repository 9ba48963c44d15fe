"""Training a head on labels of docstrings: what is held out, what the tokens' labels are, the
baselines and scores, and that it learns."""

import json
from dataclasses import replace

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference.__main__ import main
from reference.annotated import PARAMETER, TYPE, parameters_of
from reference.checkpoint import SMALL_MODERNBERT, locate, read_checkpoint
from reference.corpus import PACKAGES
from reference.families import ARCHITECTURES
from reference.masking import IGNORED
from reference.text import read_tokenizer
from reference.training import fine_tuning, packages, parameters
from reference.training.logistic import Bags, Logistic
from reference.training.masked_lm import is_held_out
from reference.training.recipe import RECIPES
from reference.training.scores import label_scores, span_scores

WORDS = {"numpy": "array", "torch": "tensor", "networkx": "graph"}
NAMES = ["axis", "shape", "path", "callback", "encoding", "n_jobs"]
TYPES = ["int", "str or None", "tuple of ints", "dict[str, int]"]


@pytest.fixture(scope="module")
def tokenizer():
    folder = locate(SMALL_MODERNBERT)
    return read_tokenizer(folder, read_checkpoint(folder).config)


FILLERS = "the of all return value read write open new old large small first last name".split()


def package_texts(number):
    """Words at random, of which one tells the package; its name does not count."""
    generator = np.random.default_rng(0)
    for n in range(number):
        package = list(WORDS)[n % 3]
        words = generator.choice(FILLERS, 12).tolist()
        words[n % 12] = f"{WORDS[package]} of {package}"
        yield f"{package}.module{n}", " ".join(words), package


def parameter_texts(number):
    for n in range(number):
        about = np.random.default_rng(n).choice(FILLERS, (4, 8)).tolist()
        lines = "".join(
            f"\n{NAMES[(n + i) % 6]} : {TYPES[(n * i) % 4]}\n    {' '.join(about[i])}"
            for i in range(1, 4)
        )
        read = parameters_of(f"Do it.\n\nParameters\n----------{lines}\n")
        yield f"numpy.module{n}", read.line.text, read


TEXTS = {"packages": package_texts, "parameters": parameter_texts}


@pytest.fixture(scope="module", params=list(TEXTS))
def made(request, tmp_path_factory):
    task, lines = request.param, []
    folder = tmp_path_factory.mktemp(task) / "model"
    recipe = replace(RECIPES[task], epochs=3, texts=80, batch_tokens=512)
    facts = fine_tuning.make(folder, recipe, lines.append, TEXTS[task](400))
    return task, folder, facts, lines


def test_it_learns(made):
    task, _, facts, lines = made
    scores = facts["scores"]
    assert scores["model"]["accuracy"] > 0.95 > 0.9 > scores["majority"]["accuracy"]
    assert scores["model"]["macro_f1"] > 2 * scores["majority"]["macro_f1"]
    for form in ("", ", whole") if task == "parameters" else ():
        f1 = {name: scores[f"{name}{form}"]["spans"]["f1"] for name in ("model", "majority")}
        assert f1["model"] > 0.8 > f1["majority"] == 0
    assert "held out" in lines[0] and lines[-1].startswith("step ")


def test_what_the_configuration_says_is_dropped():
    base = read_checkpoint(locate(SMALL_MODERNBERT))
    recipe = replace(RECIPES["packages"], epochs=1, batch_tokens=128)
    labels = {"id2label": dict(enumerate(packages.LABELS))}
    training = tuple(zip(*[row[1:] for row in package_texts(12)], strict=True))
    family = ARCHITECTURES[packages.ARCHITECTURE].family
    trained = []
    for rate in (0.0, 0.2, 0.2):
        config = family.config_of(
            base.config, ARCHITECTURES[packages.ARCHITECTURE], **labels, mlp_dropout=rate
        )
        room = (config, packages, training, recipe, lambda progress: None)
        trained.append(fine_tuning.train(base, *room)["classifier.bias"])
    np.testing.assert_array_equal(trained[1], trained[2])
    assert np.abs(trained[0] - trained[1]).max() > 1e-5


def test_the_checkpoint_takes_half_the_space_and_computes_in_float32(made):
    task, folder, facts, _ = made
    assert (folder / "model.safetensors").stat().st_size < 5.2e6
    assert json.loads((folder / "recipe.json").read_text()) == facts
    ours = reference.load(folder)
    assert ours.name == {"packages": "text-classification"}.get(task, "token-classification")
    theirs = transformers.AutoModel.from_pretrained(folder)
    assert {parameter.dtype for parameter in theirs.parameters()} == {torch.float32}
    assert {tensor.dtype for tensor in ours.model.state().values()} == {np.dtype("float32")}


def test_modules_and_what_reads_the_same_are_held_apart():
    recipe = replace(RECIPES["packages"], texts=20)
    given = list(package_texts(400))
    copies = [(f"torch.copy{n}", given[n][1], "torch") for n in range(400)]
    training, held_out, dropped = fine_tuning.split(given, recipe)
    assert len(training[0]) == 60 and {*training[1]} == {*WORDS}
    modules = {text: module for module, text, _ in given}
    assert not any(is_held_out(modules[text]) for text in training[0])
    assert len(held_out[0]) > 3 and all(is_held_out(modules[text]) for text in held_out[0])
    again = fine_tuning.split([*given, *copies], replace(recipe, texts=400))
    assert not {*again[0][0]} & {*again[1][0]} and again[2] > dropped


def test_what_is_held_out_is_what_the_base_model_has_not_seen():
    given = [(f"numpy.m{n}", f"{n} " * 9, "numpy") for n in range(400)]  # nothing alike
    training, held_out, _ = fine_tuning.split(given, RECIPES["packages"])
    assert [int(text.split()[0]) for text in held_out[0]] == [
        n for n in range(400) if is_held_out(f"numpy.m{n}")
    ]
    assert len(training[0]) + len(held_out[0]) == 400


def test_labels_of_tokens(tokenizer):
    text = "axis : array_like"
    (encoding,) = tokenizer([text])
    spans = ((0, 4, PARAMETER), (7, 17, TYPE))
    labels = parameters.targets_of(text, encoding.offsets[1:-1], spans)
    named = [parameters.LABELS[label] for label in labels]
    assert named[0] == "B-PARAMETER" and named[1:3].count("O") == 1
    assert named.count("B-TYPE") == 1 and {*named[3:]} <= {"I-TYPE", "O"}
    assert parameters.spans_of(text, encoding.offsets[1:-1], labels) == spans


@given(
    words=st.lists(st.sampled_from(["axis", "x", "ndarray", "of", ",", "(n,)"]), max_size=12),
    picks=st.lists(st.integers(0, 12), max_size=6),
)
def test_spans_of_whole_words_survive_the_way_to_labels_and_back(tokenizer, words, picks):
    text, places = "", []
    for word in words:
        text += " " * bool(text)
        places.append((len(text), len(text) + len(word)))
        text += word
    spans = tuple(
        (*places[place], (PARAMETER, TYPE)[place % 2])
        for place in sorted({*picks})
        if place < len(places)
    )
    (encoding,) = tokenizer([text])
    offsets = encoding.offsets[1:-1]
    labels = parameters.targets_of(text, offsets, spans)
    assert parameters.spans_of(text, offsets, labels) == spans


def test_rows_of_tokens_hold_every_label_once(tokenizer):
    given = [read for *_, read in parameter_texts(7)]
    lines = [read.line.text for read in given]
    rows, labels = parameters.rows(tokenizer, lines, given, 12)
    assert len(rows) > 2 and all(len(row) <= 12 for row in rows)
    assert all(own[0] == own[-1] == IGNORED for own in labels)
    wholes = [given[0].whole, given[3].whole.indented(4), given[6].whole.indented(8)]
    texts = [*(read.line for read in given), *wholes]
    encodings = tokenizer([text.text for text in texts])
    inner = lambda given: [value for row in given for value in row[1:-1]]
    assert inner(rows) == inner(encoding.ids for encoding in encodings)
    assert inner(labels) == [
        label
        for text, encoding in zip(texts, encodings, strict=True)
        for label in parameters.targets_of(text.text, encoding.offsets[1:-1], text.spans)
    ]
    inputs, padded = parameters.batch([rows[0], rows[1][:4]], [labels[0], labels[1][:4]], 0)
    assert padded.shape == inputs.input_ids.shape and (padded[1, 4:] == IGNORED).all()


@pytest.mark.parametrize("viterbi", [False, True])
def test_what_is_scored_is_what_tag_gives(made, viterbi):
    """White space that is a token by itself has no say in either."""
    task, folder, *_ = made
    if task != "parameters":
        pytest.skip("no spans")
    model = reference.load(folder)
    given = list(parameter_texts(20))
    learned = [line for line, *_ in given], [read for *_, read in given]
    scores = parameters.scores(model, learned, learned)
    for of, texts in (
        ("", [read.line for read in learned[1]]),
        (", whole", [read.whole for read in learned[1]]),
    ):
        found = model.tag([text.text for text in texts], viterbi=viterbi)
        spans = [[(span.start, span.end, span.label) for span in own] for own in found]
        score = scores["model" + " with Viterbi" * viterbi + of]["spans"]
        assert score == span_scores([text.spans for text in texts], spans)


def test_logistic_regression_is_scikit_learns():
    generator = np.random.default_rng(0)
    table = generator.random((60, 8)) * (generator.random((60, 8)) < 0.5)
    labels = (table @ generator.normal(size=(8, 3))).argmax(axis=1)
    things, features = np.nonzero(table)
    counts = np.bincount(things, minlength=60)
    bags = Bags(features, table[things, features], np.cumsum([0, *counts[:-1]]))
    ours = Logistic(8, 3, ridge=0.05).fit(bags, labels, steps=500)
    theirs = sklearn.linear_model.LogisticRegression(C=10, tol=1e-8, max_iter=5000)
    theirs.fit(table, labels)
    np.testing.assert_allclose(ours.weight.detach().T, theirs.coef_, atol=0.02)
    np.testing.assert_array_equal(ours.predict(bags), theirs.predict(table))


def test_scores_are_scikit_learns():
    generator = np.random.default_rng(1)
    answers, found = generator.choice(list("abc"), 50), generator.choice(list("abcd"), 50)
    scores = label_scores(answers, found)
    assert scores["accuracy"] == sklearn.metrics.accuracy_score(answers, found)
    theirs = sklearn.metrics.f1_score(answers, found, average="macro", labels=list("abc"))
    assert scores["macro_f1"] == pytest.approx(theirs)


def test_a_span_is_right_where_both_ends_and_the_label_are():
    answers = [((0, 2, "A"), (4, 6, "B")), ()]
    found = [((0, 2, "A"), (4, 7, "B"), (9, 10, "A")), ((0, 2, "A"),)]
    scores = span_scores(answers, found)
    assert (scores["precision"], scores["recall"]) == (1 / 4, 1 / 2)
    assert scores["f1"] == pytest.approx(1 / 3)
    assert scores["f1_by_label"] == {"A": 2 / 4, "B": 0.0}
    assert span_scores(answers, answers)["f1"] == 1


def test_the_labels_are_those_that_the_corpus_has():
    assert packages.LABELS == PACKAGES
    assert parameters.LABELS[0] == "O" and len(parameters.LABELS) == 5


@pytest.mark.parametrize("task", TEXTS)
def test_the_command(task, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        {"packages": packages, "parameters": parameters}[task],
        "read",
        lambda: TEXTS[task](400),
    )
    arguments = ["train", str(tmp_path / "model"), "--task", task, "--texts", "20"]
    assert main([*arguments, "--epochs", "1"]) == 0
    printed = capsys.readouterr().out
    assert "majority" in printed and "macro F1" in printed
    assert ("span F1" in printed) == (task == "parameters")
    recipe = json.loads((tmp_path / "model" / "recipe.json").read_text())["recipe"]
    assert (recipe["task"], recipe["texts"], recipe["epochs"]) == (task, 20, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task", "packages", "--corpus", "text.txt"], "--corpus goes with --task masked-lm"),
        (["--task", "parameters", "--layers", "2"], "--layers goes with --task masked-lm"),
        (["--task", "packages", "--texts", "0"], "--texts"),
        (["--task", "search", "--layers", "2"], "--layers goes with --task masked-lm"),
        (
            ["--texts", "5"],
            "--texts goes with --task packages or parameters or search or typos",
        ),
    ],
)
def test_options_of_another_task_are_refused(arguments, words, tmp_path, capsys):
    assert main(["train", str(tmp_path / "model"), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_too_little_text_is_refused(tmp_path):
    for task, texts in TEXTS.items():
        seen = [row for row in texts(9) if not is_held_out(row[0])]
        with pytest.raises(reference.InputError, match="0 held out"):
            fine_tuning.make(tmp_path / "m", RECIPES[task], lambda line: None, seen)
