"""fill, beside Transformers' fill-mask where that is right, and beside the rule where not."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from reference.inputs import Inputs, pack
from reference.pipelines.masked_lm import Filled
from tests.pipelines.small_models import (
    KINDS,
    MODERNBERT,
    Truth,
    loader_of_masked_models,
    masked_model,
)

TEXTS = [
    "the river {} beside a stone",
    "{} river",
    "the {} stands{} beside {}",
    "and a stone {}",
]
COPY = "Return a [MASK] of the given array."


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("masked")
    return {kind: masked_model(kind, root / kind) for kind in KINDS}


@pytest.fixture(scope="module")
def truths(folders):
    return {
        kind: Truth(folder, f"{_prefix(kind)}ForMaskedLM") for kind, folder in folders.items()
    }


@pytest.fixture(scope="module")
def load(folders):
    return loader_of_masked_models(folders)


@pytest.fixture
def trained(load, backend):
    """The small ModernBERT that comes with the package."""
    return load(MODERNBERT, backend)


def _prefix(kind):
    names = {"bert": "Bert", "modernbert": "ModernBert", "roberta": "Roberta"}
    return names.get(kind, "XLMRoberta")


def texts_for(truth):
    return [text.replace("{}", truth.tokenizer.mask_token) for text in TEXTS]


@pytest.mark.parametrize("kind", KINDS)
def test_as_transformers_fills_one_mask_at_a_time(kind, backend, load, folders, truths):
    truth = truths[kind]
    texts = texts_for(truth)
    theirs = transformers.pipeline("fill-mask", str(folders[kind]), dtype=torch.float64)
    for text in texts:
        truth.logits(input_ids=[truth.tokenizer(text)["input_ids"]])
    for text, ours in zip(texts, load(kind, backend).fill(texts, top_k=9), strict=True):
        expected = theirs(text, top_k=9)
        expected = [expected] if text.count(truth.tokenizer.mask_token) == 1 else expected
        assert len(ours) == len(expected)
        for found, of_mask in zip(ours, expected, strict=True):
            assert [f.token for f in found] == [
                e["token_str"].removeprefix(" ") for e in of_mask
            ]
            np.testing.assert_allclose(
                [f.probability for f in found],
                [e["score"] for e in of_mask],
                rtol=truth.tolerance,
            )


@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_some_places_are_those_of_all(kind, backend, load):
    model = load(kind, backend)
    ids, ends = pack([[5, 6, 7, 8], [9, 10, 11]])
    inputs = Inputs(ids, cu_seqlens=ends)
    places = np.array([1, 4, 6])
    asked = model.model.forward(replace(inputs, places=places))["logits"]
    every = model.model.forward(inputs)["logits"]
    assert asked.shape == (3, every.shape[1])
    np.testing.assert_allclose(asked, every[places], rtol=1e-4, atol=1e-5)


def test_only_masks_are_scored(trained, monkeypatch):
    rows, forward = [], trained.model.forward

    def seen(inputs):
        rows.append(forward(inputs))
        return rows[-1]

    monkeypatch.setattr(trained.logger, "model", SimpleNamespace(forward=seen))
    trained.fill([COPY, f"{COPY} {COPY}"])
    trained.fill([COPY], joint=True)
    trained.fill([COPY], targets=["copy", "view"])
    assert [len(outputs["logits"]) for outputs in rows] == [3, 1, 1]


def test_the_words_are_shown_in_the_text(trained):
    (words,) = trained.fill(COPY, top_k=2)
    assert [f.text for f in words] == [COPY.replace("[MASK]", f.token) for f in words]
    assert words[0].token == "copy" and repr(words[0]).startswith("Filled(token='copy', prob")
    first, second = trained.fill("[MASK] the Number of [MASK].", top_k=1)
    assert first[0].text == f"{first[0].token} the Number of [MASK]."
    assert second[0].text == f"[MASK] the Number of {second[0].token}."
    ((going_on,),) = trained.fill("re[MASK] the array", top_k=1)
    assert going_on.text == f"re{going_on.token} the array"


def test_a_word_that_goes_on_is_joined(load):
    words = load("bert", "torch").fill("the river [MASK] a stone", top_k=3000)[0]
    inside = next(f for f in words if f.token.startswith("##"))
    assert inside.text == f"the river{inside.token[2:]} a stone"
    whole = next(f for f in words if f.token.isalpha())
    assert whole.text == f"the river {whole.token} a stone"
    glued = load("bert", "torch").fill("un[MASK]", targets=["##able", "able"])[0]
    assert [f.text for f in glued] == ["unable", "unable"]
    assert glued[0].probability == glued[1].probability


def test_one_string_gives_one_result(trained):
    texts = [COPY, "Open the [MASK]."]
    both = trained.fill(texts)
    assert [len(result) for result in both] == [1, 1] and len(both[0][0]) == 5
    assert trained.fill([]) == []
    single = trained.fill(COPY)
    assert [f.token for f in single[0]] == [f.token for f in both[0][0]]
    assert "<th>probability</th>" in both._repr_html_() and "copy" in single._repr_html_()
    assert set(single[0][0].to_dict()) == {"token", "probability", "text"}
    assert all(isinstance(f, Filled) for result in trained.fill(iter(texts)) for f in result[0])


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=6), st.integers(1, 6))
def test_the_batch_changes_nothing(load, truths, texts, batch_size):
    truth = truths["modernbert"]
    texts = [text.replace("{}", "[MASK]") for text in texts]
    for text in texts:
        truth.logits(input_ids=[truth.tokenizer(text)["input_ids"]])
    model = load("modernbert", "torch")
    for text, together in zip(texts, model.fill(texts, batch_size=batch_size), strict=True):
        for ours, alone in zip(together, model.fill(text), strict=True):
            assert [f.token for f in ours] == [f.token for f in alone]
            np.testing.assert_allclose(
                [f.probability for f in ours],
                [f.probability for f in alone],
                rtol=2 * truth.tolerance,
            )


def test_the_probabilities_of_all_tokens_sum_to_one(load, truths, backend):
    for found in load("roberta", backend).fill("the <mask> <mask>", top_k=10**6):
        assert len(found) == len(truths["roberta"].tokenizer)
        assert sum(f.probability for f in found) == pytest.approx(1, abs=1e-12)
        assert sorted(found, key=lambda f: -f.probability) == found


# Targets


@pytest.mark.parametrize("target", ["copy", "list"])
def test_a_target_has_the_space_that_its_place_needs(trained, target):
    """Transformers looks the word up as it is written, which is the spelling inside of a
    word."""
    (found,) = trained.fill(COPY, targets=[target])[0]
    best = {f.token: f.probability for f in trained.fill(COPY, top_k=20)[0]}
    assert (
        found.probability == pytest.approx(best[target], abs=0, rel=1e-4)
        and best[target] > 0.05
    )
    theirs = transformers.pipeline("fill-mask", str(trained.checkpoint.folder))
    (wrong,) = theirs(COPY, targets=[target])
    assert wrong["score"] < found.probability / 50
    (right,) = theirs(COPY, targets=[f"Ġ{target}"])
    assert right["score"] == pytest.approx(found.probability, abs=0, rel=1e-4)


def test_at_the_beginning_there_is_none(trained):
    text = COPY.replace("[MASK]", "copy").replace("Return", "[MASK]")
    ((begins,),) = trained.fill(text, targets="return")
    best = trained.fill(text, top_k=1)[0][0]
    assert begins.token == best.token == "return" and begins.text.startswith("return a copy")
    assert begins.probability == pytest.approx(best.probability, abs=0, rel=1e-4)


def test_a_space_that_is_a_token_already_is_not_asked_for_twice(load, truths):
    """This tokenizer's mask leaves the space before it alone."""
    tokenizer = truths["roberta"].tokenizer
    ids = tokenizer("the <mask>")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids)[-3:-1] == ["Ġ", "<mask>"]
    ((found,),) = load("roberta", "torch").fill("the <mask>", targets=["o"])
    place = ids.index(tokenizer.mask_token_id)
    expected = truths["roberta"].log_probabilities(ids, place)
    bare = tokenizer.convert_tokens_to_ids("o")
    assert found.probability == pytest.approx(
        np.exp(expected[bare]), abs=0, rel=truths["roberta"].tolerance
    )
    assert found.text == "the o"


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("bert", "New York"),
        ("modernbert", "stone wall"),
        ("roberta", "wall"),
        ("roberta", "qxz"),
    ],
)
def test_a_target_of_several_tokens_is_scored_as_such(kind, target, backend, load, truths):
    """One mask a token, from left to right; Transformers keeps the first token only."""
    truth, tokenizer = truths[kind], truths[kind].tokenizer
    mask = tokenizer.mask_token
    text = f"the river{mask} beside {mask}" if kind == "roberta" else f"the {mask} and {mask}"
    found = load(kind, backend).fill(text, targets=[target])
    spaced = "" if kind == "roberta" else " "
    for number in (0, 1):
        parts = text.split(mask)
        space = " " if number and kind == "roberta" else spaced
        answer = tokenizer(f"{space}{target}", add_special_tokens=False)["input_ids"]
        if kind == "roberta" and number:  # the space stands there as a token
            answer = tokenizer(target, add_special_tokens=False)["input_ids"]
        assert len(answer) > 1
        masks = [mask, mask]
        masks[number] = mask * len(answer)
        ids = tokenizer(parts[0] + masks[0] + parts[1] + masks[1])["input_ids"]
        places = [place for place, token in enumerate(ids) if token == tokenizer.mask_token_id]
        truth_here = np.exp(truth.chain(ids, places[number], answer))
        assert found[number][0].probability == pytest.approx(
            truth_here, abs=0, rel=len(answer) * truth.tolerance
        )
        assert found[number][0].token == target


def test_transformers_cuts_a_target_to_its_first_token(trained):
    theirs = transformers.pipeline("fill-mask", str(trained.checkpoint.folder))
    targets = ["standard deviation", "standard mistake"]
    ((first, second),) = trained.fill("The [MASK] of the samples.", targets=targets)
    assert first.token == targets[0] and first.probability > 50 * second.probability
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (wrong,) = theirs("The [MASK] of the samples.", targets=targets)  # one of two is left
    assert wrong["token_str"] not in targets


def test_top_k_of_the_targets(trained):
    targets = ["copy", "list", "view", "tuple", "stone", "river"]
    assert [f.token for f in trained.fill(COPY, 2, targets)[0]] == ["copy", "list"]
    assert len(trained.fill(COPY, 9, targets)[0]) == 6
    assert trained.fill(COPY, targets=[" copy "])[0][0].text == COPY.replace("[MASK]", "copy")


# Several masks together


def test_together_the_best_combinations_are_found(backend, load, truths):
    """Every pair of the whole vocabulary, by the rule: with a beam as wide as the vocabulary
    the search leaves out none."""
    truth = truths["roberta"]
    size, mask = len(truth.tokenizer), truth.tokenizer.mask_token_id
    text = "the <mask> stands<mask>"
    ids = truth.tokenizer(text)["input_ids"]
    first, second = (place for place, token in enumerate(ids) if token == mask)
    begun = truth.log_probabilities(ids, first)
    filled = np.array([ids] * size)
    filled[:, first] = np.arange(size)
    rows = truth.logits(input_ids=filled.tolist())[:, second]
    rows = rows - np.logaddexp.reduce(rows, axis=1)[:, None]
    pairs = np.exp(begun[:, None] + rows)
    best = np.argsort(-pairs, axis=None)[:size]
    found = load("roberta", backend).fill(text, top_k=size, joint=True)
    np.testing.assert_allclose(
        [f.probability for f in found], pairs.flat[best], rtol=2 * truth.tolerance
    )
    tokens = np.unravel_index(best[0], pairs.shape)
    shown = [truth.tokenizer.decode([token]).removeprefix(" ") for token in tokens]
    assert list(found[0].tokens) == shown


def test_words_by_themselves_need_not_fit_together(trained):
    text = "The [MASK] [MASK] of the samples."
    alone = tuple(of_mask[0].token for of_mask in trained.fill(text, top_k=1))
    together = trained.fill(text, top_k=300, joint=True)
    assert together[0].tokens != alone
    others = {f.tokens: f.probability for f in together}
    assert others.get(alone, 0) < together[0].probability
    assert together[0].text == "The {} {} of the samples.".format(*together[0].tokens)


def test_one_mask_together_is_one_mask(trained):
    together = trained.fill([COPY], top_k=3, joint=True)[0]
    alone = trained.fill(COPY, top_k=3)[0]
    assert [f.tokens for f in together] == [(f.token,) for f in alone]
    assert [f.text for f in together] == [f.text for f in alone]
