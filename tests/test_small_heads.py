"""The heads that come with the package: each is what its recipe says, the ports agree with
Transformers on it, and it does on text that was held out what its scores promise."""

import json

import numpy as np
import pytest
import torch
import transformers

import reference
from reference import annotated, corpus
from reference.backend import BACKENDS
from reference.checkpoint import (
    PACKAGE_CLASSIFIER,
    PARAMETER_TAGGER,
    SMALL_MODERNBERT,
    locate,
    read_checkpoint,
)
from reference.parity import compare
from reference.text import TOKENIZER_FILES
from reference.training import packages, parameters
from reference.training.masked_lm import is_held_out
from reference.training.recipe import RECIPES, FineTuning
from reference.training.scores import label_scores, span_scores

ROOMS = {PACKAGE_CLASSIFIER: packages, PARAMETER_TAGGER: parameters}
TASKS = {PACKAGE_CLASSIFIER: "packages", PARAMETER_TAGGER: "parameters"}
SENTENCES = {
    "Return the shortest path between two nodes of the graph.": "networkx",
    "Plot the y-values as lines and markers on the axes.": "matplotlib",
    "The hidden states of the decoder, and the attention of every head.": "transformers",
}
ENTRIES = (
    "Add it up. Parameters ---------- axis : int or tuple, optional Along which. out : ndarray "
    "Where it goes."
)

GOOGLE = """Rotate the image.

Pixels that come from outside of it are black.

Args:
    angle (float): The angle in degrees.
    center (tuple of int, optional): About which point. The middle of
        the image if it is not given.
    expand (bool): Whether the result is as large as it takes.

Returns:
    Image: The image, rotated.
"""
NUMPY = """Return the weighted mean.

Parameters
----------
a, weights : array_like
    The values, and
    how much each counts.
axis : int or None, optional
    Along which axis.
keepdims : bool
    Whether the axis stays.

Returns
-------
mean : ndarray
    The weighted mean.
"""
TYPES = ["float", "tuple of int", "bool", "array_like", "int or None"]
DOCSTRINGS = {
    GOOGLE: ["angle", "float", "center", "tuple of int", "expand", "bool"],
    NUMPY: ["a", "weights", "array_like", "axis", "int or None", "keepdims", "bool"],
}

models = pytest.mark.parametrize("name", ROOMS)
backends = pytest.mark.parametrize("backend", BACKENDS)


def facts_of(name):
    return json.loads((locate(name) / "recipe.json").read_text())


@models
def test_it_is_small_and_beats_its_baselines(name):
    assert sum(path.stat().st_size for path in locate(name).iterdir()) <= 5.5 * 2**20
    scores = facts_of(name)["scores"]
    baseline = scores["bag of words" if name == PACKAGE_CLASSIFIER else "window of tokens"]
    for key in ("accuracy", "macro_f1"):
        assert scores["model"][key] > baseline[key] > scores["majority"][key]
    if name == PARAMETER_TAGGER:
        f1 = {key: score["spans"]["f1"] for key, score in scores.items()}
        for of in ("", ", whole"):
            order = [
                f1[key + of] for key in ("majority", "window of tokens", "model", "labels")
            ]
            assert order == sorted({*order})


def test_the_majority_is_one_answer_for_all():
    """The labels of all that was held out take minutes to read. But the share of one answer
    says what its scores are: it is right so often, and every other label has an F1 of 0."""
    facts = facts_of(PACKAGE_CLASSIFIER)
    number, majority = facts["text"]["held_out_texts"], facts["scores"]["majority"]
    right = round(majority["accuracy"] * number)
    commonest, *others = packages.LABELS
    answers = [commonest] * right
    answers += [others[place % len(others)] for place in range(number - right)]
    assert label_scores(answers, [commonest] * number) == pytest.approx(majority, abs=1e-12)


@models
def test_it_is_what_its_recipe_says(name):
    recipe, room = FineTuning(**facts_of(name)["recipe"]), ROOMS[name]
    assert recipe == RECIPES[TASKS[name]] and recipe.base == SMALL_MODERNBERT
    checkpoint, base = read_checkpoint(locate(name)), read_checkpoint(locate(recipe.base))
    assert tuple(checkpoint.config.id2label.values()) == room.LABELS
    assert {tensor.dtype for tensor in checkpoint.tensors.values()} == {np.dtype("float16")}
    for key in ("hidden_size", "layer_types", "vocab_size", "max_position_embeddings"):
        assert getattr(checkpoint.config, key) == getattr(base.config, key)
    for file in TOKENIZER_FILES:
        ours, theirs = locate(name) / file, locate(recipe.base) / file
        assert ours.is_file() == theirs.is_file()
        assert not ours.is_file() or ours.read_bytes() == theirs.read_bytes()


@models
def test_all_ports_pass(name):
    report = compare(name)
    assert report.passed, report


@backends
def test_texts_are_labelled_as_by_transformers(backend):
    model = reference.load(PACKAGE_CLASSIFIER, backend=backend)
    official = transformers.pipeline(
        "text-classification", str(locate(PACKAGE_CLASSIFIER)), top_k=None, device="cpu"
    )
    assert official.model.dtype == torch.float32
    texts = list(SENTENCES)
    for text, ours, theirs in zip(texts, model.classify(texts), official(texts), strict=True):
        assert ours.labels[0] == SENTENCES[text]
        their = {label["label"]: label["score"] for label in theirs}
        found = dict(zip(ours.labels, ours.probabilities, strict=True))
        assert found == pytest.approx(their, abs=1e-5)


@backends
def test_spans_are_found(backend):
    model = reference.load(PARAMETER_TAGGER, backend=backend)
    assert [(span.text, span.label) for span in model.tag(ENTRIES)] == [
        ("axis", "PARAMETER"),
        ("int or tuple", "TYPE"),
        ("out", "PARAMETER"),
        ("ndarray", "TYPE"),
    ]
    official = transformers.AutoModelForTokenClassification.from_pretrained(
        locate(PARAMETER_TAGGER)
    )
    ids = np.array(model.tokenizer([ENTRIES]))
    with torch.inference_mode():
        theirs = official(torch.from_numpy(ids)).logits.numpy()
    np.testing.assert_allclose(model.forward(ids)["logits"], theirs, atol=1e-4)


@backends
@pytest.mark.parametrize("viterbi", [False, True])
def test_the_parameters_of_a_whole_docstring_are_found(backend, viterbi):
    """And nothing else: no space beside them, no heading, none of what is returned."""
    model = reference.load(PARAMETER_TAGGER, backend=backend)
    for docstring, named in DOCSTRINGS.items():
        for text in (docstring, docstring.replace("\n", "\n    ")):  # as in the source
            found = model.tag(text, viterbi=viterbi)
            assert [span.text for span in found] == named
            types = [span.text for span in found if span.label == "TYPE"]
            assert types == [name for name in named if name in TYPES]


def test_the_scores_hold_on_a_part_of_what_was_held_out():
    some = ["networkx", "huggingface_hub", "hypothesis"]
    rows = [
        (packages.prepare(text), package)
        for module, text, package in annotated.packages_of(corpus.texts(some))
        if is_held_out(module)
    ]
    texts, answers = zip(*rows, strict=True)
    found = reference.load(PACKAGE_CLASSIFIER).classify(list(texts), top_k=1)
    right = [c.labels[0] == answer for c, answer in zip(found, answers, strict=True)]
    scores = facts_of(PACKAGE_CLASSIFIER)["scores"]
    assert len(right) > 50 and np.mean(right) > scores["bag of words"]["accuracy"]


@pytest.mark.parametrize(("form", "of_form"), [("line", ""), ("whole", ", whole")])
def test_the_spans_hold_on_a_part_of_what_was_held_out(form, of_form):
    rows = [
        getattr(found, form)
        for module, found in annotated.parameters(["networkx", "huggingface_hub"])
        if is_held_out(module)
    ]
    found = reference.load(PARAMETER_TAGGER).tag([read.text for read in rows])
    spans = [[(span.start, span.end, span.label) for span in own] for own in found]
    score = span_scores([read.spans for read in rows], spans)
    baseline = facts_of(PARAMETER_TAGGER)["scores"][f"window of tokens{of_form}"]
    assert len(rows) > 20 and score["f1"] > baseline["spans"]["f1"]
