"""Zero-shot classification by a masked language model; and what both ways of asking share."""

import json
import math
import shutil
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference.errors import CheckpointError, InputError
from reference.pipelines.entailment import ZeroShotEntailment
from reference.pipelines.results import Classification
from reference.pipelines.zero_shot import EACH, LISTING, TEMPLATE, ZeroShot
from tests.pipelines.small_models import (
    MODERNBERT,
    Truth,
    as_batch,
    as_dict,
    labelled,
    masked_model,
    random_model,
    softmax,
)

NAME = "zero-shot-classification"
TEXTS = ["Return a copy of the array, sorted.", "Open the file and read it.", ""]
LABELS = ["array", "file", "network"]
NLI = {0: "contradiction", 1: "neutral", 2: "entailment"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("zero-shot")
    made = {kind: masked_model(kind, root / kind) for kind in ("bert", "modernbert", "roberta")}
    plain = random_model("bert", root / "plain", "ForSequenceClassification", id2label=NLI)
    made["nli"] = labelled(plain, root / "nli", NLI)
    return made


@pytest.fixture(scope="module")
def truths(folders):
    heads = {"bert": "Bert", "modernbert": "ModernBert", "roberta": "Roberta"}
    made = {kind: Truth(folders[kind], f"{head}ForMaskedLM") for kind, head in heads.items()}
    made["nli"] = Truth(folders["nli"], "BertForSequenceClassification")
    for text in TEXTS:  # how large the noise is on what is asked below
        for kind in heads:
            prompt = TEMPLATE.format(text=text, mask=made[kind].tokenizer.mask_token)
            made[kind].logits(**as_batch(made[kind].tokenizer(prompt)))
        for label in LABELS:
            pair = made["nli"].tokenizer(text, f"This example is {label}.")
            made["nli"].logits(**as_batch(pair))
    return made


@pytest.fixture(scope="module")
def load(folders):
    made = {}

    def loaded(kind, backend):
        if (kind, backend) not in made:
            folder = folders.get(kind, kind)
            made[kind, backend] = reference.load(folder, backend=backend, pipeline=NAME)
        return made[kind, backend]

    return loaded


@pytest.fixture
def trained(load, backend):
    """The small ModernBERT that comes with the package."""
    return load(MODERNBERT, backend)


@pytest.fixture
def nli(load, backend):
    return load("nli", backend)


# The masked language model


def by_hand(truth, prompt, answers, text_masks=0):
    """Of each answer, a list of spellings, the log-probability at the last mask of a prompt."""
    tokenizer, totals = truth.tokenizer, []
    for spellings in answers:
        found = []
        for spelling in spellings:
            mask = tokenizer.mask_token
            head, tail = prompt.rsplit(mask, 1)
            ids = tokenizer(head + mask * len(spelling) + tail)["input_ids"]
            place = [n for n, token in enumerate(ids) if token == tokenizer.mask_token_id]
            found.append(truth.chain(ids, place[text_masks], spelling))
        totals.append(np.logaddexp.reduce(found))
    return np.array(totals)


def spellings(truth, word):
    both = [truth.tokenizer(f"{s}{word}", add_special_tokens=False)["input_ids"] for s in " "]
    both.append(truth.tokenizer(word, add_special_tokens=False)["input_ids"])
    return [list(ids) for ids in dict.fromkeys(map(tuple, both))]


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
@pytest.mark.parametrize("labels", [["array", "file"], ["array", "neural network", "qxzw"]])
def test_as_the_rule_is_written(kind, labels, backend, load, truths):
    """Both spellings of each label, one mask a token from left to right, and a softmax over
    the labels."""
    truth = truths[kind]
    for text, found in zip(TEXTS, load(kind, backend).classify(TEXTS, labels), strict=True):
        prompt = TEMPLATE.format(text=text, mask="[MASK]")
        scores = by_hand(truth, prompt, [spellings(truth, label) for label in labels])
        order = np.argsort(-scores)
        assert found.labels == tuple(labels[place] for place in order)
        rtol = 6 * truth.tolerance
        np.testing.assert_allclose(found.probabilities, softmax(scores)[order], rtol=rtol)
        assert found.mass == pytest.approx(np.exp(scores).sum(), abs=0, rel=rtol)


def test_the_mass_says_whether_the_question_was_answered(trained):
    asked = "Return the [MASK] {text} {mask} of the given array."
    answered = trained.classify(
        "", ["copy", "list"], "{text}Return a {mask} of the given array."
    )
    missed = trained.classify("", ["river", "castle"], asked)
    assert answered.labels == ("copy", "list") and answered.mass > 0.3
    assert missed.mass < 0.01 and sum(missed.probabilities) == pytest.approx(1)


def test_a_mask_that_the_text_holds_does_not_count(load, truths, backend):
    truth = truths["modernbert"]
    text = "[MASK] is the array [MASK]"
    (found,) = load("modernbert", backend).classify([text], LABELS)
    answers = [spellings(truth, label) for label in LABELS]
    scores = by_hand(truth, TEMPLATE.format(text=text, mask="[MASK]"), answers, text_masks=2)
    np.testing.assert_allclose(
        found.probabilities, sorted(softmax(scores), reverse=True), rtol=6 * truth.tolerance
    )
    wrong = softmax(by_hand(truth, TEMPLATE.format(text=text, mask="[MASK]"), answers))
    assert np.abs(wrong - softmax(scores)).max() > 100 * truth.tolerance  # of the first mask


def test_the_text_is_cut_and_never_the_template(trained):
    """Cutting the prompt as a whole takes its mask away, and a search for it that finds none
    points at [CLS]."""
    long = TEXTS[1] + " word" * 600
    prompt = TEMPLATE.format(text=long, mask="[MASK]")
    (ids,) = trained.tokenizer([prompt])
    assert len(ids) == 512 and np.argmax(np.array(ids) == trained.tokenizer.mask_token_id) == 0
    with pytest.warns(UserWarning, match="1 of 2 texts were longer than 512") as told:
        found, short = trained.classify([long, TEXTS[1]], LABELS)
    assert len(told) == 1 and told[0].filename == __file__
    question = len(trained.tokenizer([TEMPLATE.format(text="", mask="[MASK]")])[0])
    kept = trained.tokenizer([long])[0][1 : 512 - question + 1]
    by_hand = trained.classify(trained.tokenizer.decode(kept), LABELS, truncation="error")
    assert found.labels == by_hand.labels and short.probabilities != found.probabilities
    np.testing.assert_allclose(found.probabilities, by_hand.probabilities, rtol=1e-4)
    with pytest.raises(InputError, match=r"texts\[0\] has \d+ tokens more than the 512"):
        trained.classify(long, LABELS, truncation="error")


def test_room_is_left_for_the_longest_label(trained):
    question = len(trained.tokenizer([TEMPLATE.format(text="", mask="[MASK]")])[0])
    fits = "word" + " word" * (511 - question)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained.classify(fits, ["array", "file"])
    with pytest.warns(UserWarning, match=r"1 of 1 texts .*, 2 tokens in all"):
        trained.classify(fits, ["array", "file or array"])


def test_labels_with_descriptions_are_listed(load, truths, backend):
    truth = truths["modernbert"]
    labels = {"array": "numbers in a row", "file": "data on disk"}
    found = load("modernbert", backend).classify(TEXTS[0], labels)
    listed = "- array: numbers in a row\n- file: data on disk"
    prompt = LISTING.format(text=TEXTS[0], labels=listed, mask="[MASK]")
    scores = by_hand(truth, prompt, [spellings(truth, label) for label in labels])
    expected = dict(zip(labels, softmax(scores), strict=True))
    for label, probability in zip(found.labels, found.probabilities, strict=True):
        assert probability == pytest.approx(expected[label], abs=0, rel=6 * truth.tolerance)


def test_letters_stand_for_the_labels(load, truths, backend):
    truth = truths["modernbert"]
    found = load("modernbert", backend).classify(TEXTS[0], ["array", "a file"], letters=True)
    prompt = LISTING.format(text=TEXTS[0], labels="- A: array\n- B: a file", mask="[MASK]")
    scores = by_hand(truth, prompt, [spellings(truth, letter) for letter in "AB"])
    expected = dict(zip(["array", "a file"], softmax(scores), strict=True))
    for label, probability in zip(found.labels, found.probabilities, strict=True):
        assert probability == pytest.approx(expected[label], abs=0, rel=6 * truth.tolerance)


def test_each_label_by_itself(load, truths, backend):
    """Yes against no, in a question a label, which the other labels do not change."""
    truth, model = truths["modernbert"], load("modernbert", backend)
    found = model.classify(TEXTS[0], LABELS, multi_label=True)
    answers = [spellings(truth, word) for word in ("yes", "no")]
    expected, masses = {}, []
    for label in LABELS:
        prompt = EACH.format(text=TEXTS[0], label=label, mask="[MASK]")
        scores = by_hand(truth, prompt, answers)
        expected[label], _ = softmax(scores)
        masses.append(np.exp(scores).sum())
    rtol = 6 * truth.tolerance
    assert found.mass == pytest.approx(min(masses), abs=0, rel=rtol)
    for label, probability in zip(found.labels, found.probabilities, strict=True):
        assert probability == pytest.approx(expected[label], abs=0, rel=rtol)
        alone = model.classify(TEXTS[0], [label], multi_label=True)
        assert alone.probabilities[0] == pytest.approx(expected[label], abs=0, rel=rtol)
    assert list(found.probabilities) == sorted(found.probabilities, reverse=True)


@pytest.mark.parametrize("kind", ["modernbert", "nli"])
def test_calibrated_by_an_empty_text(kind, backend, load, truths):
    model, rtol = load(kind, backend), 8 * truths[kind].tolerance
    prior = as_dict(model.classify("", LABELS))
    plain = as_dict(model.classify(TEXTS[0], LABELS))
    shares = {label: plain[label] / prior[label] for label in LABELS}
    found = model.classify(TEXTS[0], LABELS, calibrate=True)
    for label, probability in as_dict(found).items():
        assert probability == pytest.approx(
            shares[label] / sum(shares.values()), abs=0, rel=rtol
        )
    assert found.mass == model.classify(TEXTS[0], LABELS).mass
    empty = model.classify("", LABELS, calibrate=True)
    np.testing.assert_allclose(empty.probabilities, 1 / 3, rtol=rtol)
    each = model.classify("", LABELS, calibrate=True, multi_label=True)
    np.testing.assert_allclose(each.probabilities, 1 / 2, rtol=rtol)


words = st.lists(
    st.sampled_from(["array", "file", "neural network", "stone", "river"]),
    min_size=1,
    unique=True,
)


@given(words, st.randoms(use_true_random=False), st.integers(1, 5))
@pytest.mark.parametrize("kind", ["modernbert", "nli"])
def test_what_always_holds(kind, load, truths, labels, random, batch_size):
    """The probabilities sum to one; neither the order of the labels nor the batch counts."""
    model, rtol = load(kind, "torch"), 8 * truths[kind].tolerance
    found = model.classify(TEXTS, labels, batch_size=batch_size)
    shuffled = random.sample(labels, len(labels))
    for text, one in zip(TEXTS, found, strict=True):
        assert math.fsum(one.probabilities) == pytest.approx(1, abs=1e-12)
        assert list(one.probabilities) == sorted(one.probabilities, reverse=True)
        other = as_dict(model.classify(text, shuffled))
        for label, probability in as_dict(one).items():
            assert probability == pytest.approx(other[label], abs=0, rel=rtol)


def test_one_string_gives_one_result(trained):
    found = trained.classify(TEXTS, LABELS)
    assert [type(one) for one in found] == [Classification] * 3
    assert trained.classify(TEXTS[0], LABELS).labels == found[0].labels
    assert trained.classify([], LABELS) == []
    assert len(trained.classify(iter(TEXTS), LABELS)) == 3


@pytest.mark.parametrize("options", [{}, {"multi_label": True}, {"calibrate": True}])
@pytest.mark.parametrize("kind", [MODERNBERT, "nli"])
def test_the_best_labels_are_those_of_all(kind, options, backend, load):
    model = load(kind, backend)
    found = model.classify(TEXTS, LABELS, top_k=2, **options)
    whole = model.classify(TEXTS, LABELS, **options)
    assert [one.labels for one in found] == [one.labels[:2] for one in whole]
    assert [one.probabilities for one in found] == [one.probabilities[:2] for one in whole]
    assert [one.mass for one in found] == [one.mass for one in whole]
    assert model.classify(TEXTS, LABELS, top_k=99, **options) == whole


def test_labels_from_the_checkpoint(folders, tmp_path, backend):
    folder = shutil.copytree(folders["modernbert"], tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"label_candidates": LABELS}))
    model = reference.load(folder, backend=backend, pipeline=NAME)
    assert sorted(model.classify(TEXTS[0]).labels) == LABELS
    assert set(model.classify(TEXTS[0], ["a", "b"]).labels) == {"a", "b"}
    for wrong in ("array, file", {"array": 1}, [["array"]], 5):
        (folder / "config.json").write_text(json.dumps(config | {"label_candidates": wrong}))
        model = reference.load(folder, backend=backend, pipeline=NAME)
        with pytest.raises(InputError, match="label_candidates"):
            model.classify(TEXTS[0])


def test_the_folder_decides_the_way(folders, load, minilm):
    assert type(load("nli", "torch")) is ZeroShotEntailment
    assert type(load("bert", "torch")) is ZeroShot
    for kind in ("nli", "bert"):
        again, _ = load(kind, "torch").__reduce__()
        assert type(again()) is type(load(kind, "torch"))
    with pytest.raises(CheckpointError, match="without the head of BertForMaskedLM"):
        reference.load(minilm, pipeline=NAME)


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": None}, "labels is None, and .* has no label_candidates"),
        ({"labels": []}, "labels is empty"),
        ({"labels": {}}, "labels is empty"),
        ({"labels": "array, file"}, "labels is 'array, file'; it must be a list"),
        ({"labels": ["array", ""]}, "labels has '' for a label"),
        ({"labels": ["array", " "]}, "labels has ' ' for a label"),
        ({"labels": ["array", "file", "array "]}, "labels has 'array' twice"),
        ({"labels": {"array": ""}}, "labels has '' for a description"),
        ({"labels": ["array", 5]}, r"labels\[1\] is int"),
        ({"labels": {"array": 5}}, r"labels\[0\] is int"),
        ({"template": 5}, "template is 5; it must be a string"),
        ({"template": "{text"}, "template '{text' cannot be read"),
        ({"texts": [TEXTS[0], 5]}, r"texts\[1\] is int"),
        ({"texts": 5}, "texts must be a list of strings"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_k": 1.0}, "top_k is 1.0"),
        ({"multi_label": "no"}, "multi_label is 'no'"),
        ({"calibrate": 1}, "calibrate is 1"),
        ({"letters": None}, "letters is None"),
        ({"truncation": "cut"}, "truncation 'cut' is unknown"),
        ({"letters": True, "multi_label": True}, "letters "),
    ],
)
def test_bad_input_is_refused(trained, nli, options, message):
    for model in (trained, nli):
        with pytest.raises(InputError, match=message):
            model.classify(**{"texts": TEXTS, "labels": LABELS} | options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": "{text}"}, r"has no \{mask\}; it must have \{text\} and \{mask\} once"),
        ({"template": "about {mask}"}, r"has no \{text\}"),
        ({"template": ""}, r"template '' has no \{mask\}"),
        ({"template": "{text} [MASK]"}, r"has no \{mask\}"),
        ({"template": "{text} {mask} {mask}"}, r"has \{mask\} twice"),
        ({"template": "{text} {mask} {label}"}, r"has \{label\}; it must have"),
        ({"template": "{text} {mask} {}"}, r"has \{\}; it must have"),
        ({"template": "{text!r} {mask}"}, r"formats its \{text\}"),
        ({"template": "{text} {mask:>5}"}, r"formats its \{mask\}"),
        ({"template": "{text} {mask}", "letters": True}, "letters need a place where"),
        ({"template": "{text} {mask}", "labels": {"a": "b"}}, "descriptions need a place"),
        ({"template": "{text} {mask}", "multi_label": True}, r"has no \{label\}"),
        ({"labels": [f"label {n}" for n in range(27)], "letters": True}, "has 27 .* may be 26"),
        ({"labels": ["Array", "array"]}, "'Array' and 'array', which are the same tokens"),
        ({"labels": ["a [MASK]"]}, r"the label 'a \[MASK\]', .*, holds the mask"),
        ({"template": "{text} {mask} " + "word " * 512}, r"leaves no room for texts\[0\]"),
    ],
)
def test_bad_questions_to_a_masked_model(trained, options, message):
    with pytest.raises(InputError, match=message):
        trained.classify(**{"texts": TEXTS, "labels": LABELS} | options)


def test_a_label_that_no_vocabulary_has(load, backend):
    with pytest.raises(InputError, match="'snow☃', is not in this model's vocabulary"):
        load("bert", backend).classify(TEXTS[0], ["river", "snow☃"])


def test_twenty_six_letters(trained):
    labels = [f"label {number}" for number in range(26)]
    assert len(trained.classify(TEXTS[0], labels, letters=True).labels) == 26


def test_a_tokenizer_that_does_not_know_a_typed_mask(folders, tmp_path, backend):
    """Nothing is read at the place of another token instead."""
    folder = shutil.copytree(folders["modernbert"], tmp_path / "plain")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["split_special_tokens"] = True
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    model = reference.load(folder, backend=backend, pipeline=NAME)
    with pytest.raises(InputError, match="the template's mask is not among the tokens"):
        model.classify(TEXTS[0], LABELS)
