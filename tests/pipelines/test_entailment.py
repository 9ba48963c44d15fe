"""Zero-shot classification by a model of entailment."""

import numpy as np
import pytest
import torch
import transformers

import reference
from reference.errors import ConfigError, InputError
from reference.pipelines.entailment import Verdicts, find_verdicts
from tests.pipelines.small_models import (
    Truth,
    as_batch,
    as_dict,
    labelled,
    random_model,
    softmax,
)

NAME = "zero-shot-classification"
TEXTS = ["Return a copy of the array, sorted.", "Open the file and read it."]
LABELS = ["array", "file", "network"]
NLI = {0: "contradiction", 1: "neutral", 2: "entailment"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("entailment")
    plain = random_model("bert", root / "plain", "ForSequenceClassification", id2label=NLI)
    return labelled(plain, root / "nli", NLI)


@pytest.fixture(scope="module")
def truth(folder):
    made = Truth(folder, "BertForSequenceClassification")
    for text in TEXTS:  # how large the noise is on what is asked below
        for label in LABELS:
            made.logits(**as_batch(made.tokenizer(text, f"This example is {label}.")))
    return made


@pytest.fixture
def nli(folder, backend):
    return reference.load(folder, backend=backend, pipeline=NAME)


def theirs(folder, text, labels, **options):
    pipeline = transformers.pipeline(NAME, str(folder), dtype=torch.float64)
    found = pipeline(text, labels, **options)
    return dict(zip(found["labels"], found["scores"], strict=True))


@pytest.mark.parametrize("multi", [False, True])
def test_as_transformers_asks_for_entailment(multi, nli, folder, truth):
    for text in TEXTS:
        expected = theirs(folder, text, LABELS, multi_label=multi)
        found = nli.classify(text, LABELS, multi_label=multi)
        assert found.mass is None and list(found.labels) == list(expected)
        np.testing.assert_allclose(
            found.probabilities, list(expected.values()), rtol=2 * truth.tolerance
        )


def test_contradiction_is_what_the_checkpoint_calls_so(folder, tmp_path, truth, backend):
    """Transformers takes the first label for it, or the last where entailment is the first."""
    names = {0: "Neutral", 1: "ENTAILMENT", 2: "Contradiction"}
    other = labelled(folder, tmp_path / "other", names)
    model = reference.load(other, backend=backend, pipeline=NAME)
    assert model.verdicts == Verdicts(1, 2)
    found = as_dict(model.classify(TEXTS[0], LABELS, multi_label=True))
    wrong = theirs(other, TEXTS[0], LABELS, multi_label=True)
    for label in LABELS:
        pair = truth.tokenizer(TEXTS[0], f"This example is {label}.")
        neutral, entails, against = truth.logits(**as_batch(pair))[0]
        right = 1 / (1 + np.exp(against - entails))
        assert found[label] == pytest.approx(right, abs=0, rel=2 * truth.tolerance)
        assert wrong[label] == pytest.approx(1 / (1 + np.exp(neutral - entails)))
    assert max(abs(wrong[label] - found[label]) for label in LABELS) > 0.05


def test_without_contradiction_against_all_others(folder, tmp_path, truth, backend):
    names = {0: "entails", 1: "neutral", 2: "unclear"}
    other = labelled(folder, tmp_path / "other", names)
    model = reference.load(other, backend=backend, pipeline=NAME)
    pair = truth.tokenizer(TEXTS[0], "This example is array.")
    expected = softmax(truth.logits(**as_batch(pair))[0])[0]
    (found,) = model.classify(TEXTS[0], ["array"], multi_label=True).probabilities
    assert found == pytest.approx(expected, abs=0, rel=2 * truth.tolerance)
    assert model.classify(TEXTS[0], ["array"]).probabilities == (1.0,)


def test_a_single_logit_goes_through_the_sigmoid(tmp_path, backend):
    other = random_model(
        "bert", tmp_path / "one", "ForSequenceClassification", id2label={0: "entailment"}
    )
    model = reference.load(other, backend=backend, pipeline=NAME)
    truth = Truth(other, "BertForSequenceClassification")
    pair = truth.tokenizer(TEXTS[0], "This example is array.")
    expected = 1 / (1 + np.exp(-truth.logits(**as_batch(pair))[0, 0]))
    (found,) = model.classify(TEXTS[0], ["array"], multi_label=True).probabilities
    assert found == pytest.approx(expected, abs=0, rel=2 * truth.tolerance)


def test_only_the_premise_is_cut(nli):
    limit = nli.tokenizer.max_length
    long, label = "stone " * limit, "river " * (limit // 2)
    with pytest.warns(UserWarning, match=f"1 of 1 texts were longer than {limit}") as told:
        found = nli.classify(long, [label, "file"])
    assert told[0].filename == __file__
    (hypothesis,) = nli.tokenizer([f"This example is {label}."])
    premise = "stone " * (limit - len(hypothesis) - 1)
    pair = nli.tokenizer([premise], [f"This example is {label}."])[0]
    assert len(pair) == limit and pair.cut == 0
    score = nli.forward([pair], token_type_ids=[pair.token_type_ids])["logits"][0, 2]
    other = "stone " * (limit - len(nli.tokenizer(["This example is file."])[0]) - 1)
    pair = nli.tokenizer([other], ["This example is file."])[0]
    second = nli.forward([pair], token_type_ids=[pair.token_type_ids])["logits"][0, 2]
    expected = 1 / (1 + np.exp(second - score))
    assert as_dict(found)[label] == pytest.approx(float(expected), abs=0, rel=1e-4)
    with pytest.raises(InputError, match=r"leaves no room for texts\[0\]"):
        nli.classify(long, ["river " * limit])


def test_a_description_stands_in_the_hypothesis(nli):
    found = nli.classify(TEXTS[0], {"a": "about arrays", "b": "about files"})
    other = nli.classify(TEXTS[0], ["about arrays", "about files"])
    assert sorted(found.labels) == ["a", "b"]
    np.testing.assert_allclose(found.probabilities, other.probabilities, rtol=1e-6)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["contradiction", "neutral", "entailment"], Verdicts(2, 0)),
        (["ENTAILMENT", "NEUTRAL", "CONTRADICTION"], Verdicts(0, 2)),
        (["entailment", "not_entailment"], Verdicts(0, 1)),
        (["not_entailment", "entailment"], Verdicts(1, 0)),
        (["neutral", "Entails"], Verdicts(1, None)),
        (["LABEL_0", "LABEL_1", "LABEL_2"], None),
        (["positive", "negative"], None),
        (["not_entailment", "neutral"], None),
        (["entailment", "entailed"], None),
    ],
)
def test_the_labels_name_entailment(names, expected):
    id2label = dict(enumerate(names))
    if expected is not None:
        assert find_verdicts(id2label, "model") == expected
        return
    with pytest.raises(ConfigError, match=f"model: zero-shot .* id2label has '{names[0]}'"):
        find_verdicts(id2label, "model")


def test_a_checkpoint_of_no_entailment_is_refused(folder, tmp_path, backend):
    other = labelled(folder, tmp_path / "other", {0: "a", 1: "b", 2: "c"})
    with pytest.raises(ConfigError, match="asks for entailment"):
        reference.load(other, backend=backend, pipeline=NAME)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": "This is {}."}, r"has no \{label\}; it must have \{label\} once"),
        ({"template": "{text} is {label}"}, r"has \{text\}"),
        ({"template": "{label} is {label}"}, r"has \{label\} twice"),
        ({"letters": True}, "leave letters=False"),
    ],
)
def test_bad_questions_to_a_model_of_entailment(nli, options, message):
    with pytest.raises(InputError, match=message):
        nli.classify(**{"texts": TEXTS, "labels": LABELS} | options)
