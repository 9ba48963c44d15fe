"""Towers side by side: what each gives is what it gave alone, and a head on all of them
learns."""

import numpy as np
import pytest

import reference
from reference.backend import BACKENDS
from reference.char_encoder import (
    CCLMModelBase,
    ComposedModel,
    MaskedLanguagePretrainer,
    MLMPreprocessor,
    TaggingPretrainer,
)
from reference.errors import CheckpointError, InputError
from reference.parity import random_checkpoint
from tests.char_encoder.conftest import FOUR, LABELLED, TAGGED, TEXTS, THREE

QUICK = {"batch_size": 8, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def parts(preprocessor):
    base = CCLMModelBase(preprocessor, 8, 32)
    words = MaskedLanguagePretrainer(base, **FOUR).fit(TEXTS, epochs=1, **QUICK)
    wider = THREE | {"n_conv_filters": 24}
    spans = TaggingPretrainer(base, **wider, window=3).fit(TAGGED, epochs=1, **QUICK)
    return base, words, spans


@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_stand_side_by_side(preprocessor, parts, backend):
    base, words, spans = parts
    composed = ComposedModel(base, [words.model, spans.model], backend=backend)
    ids = preprocessor.string_to_array(TEXTS[0], preprocessor.max_example_len)
    found = composed.model(ids)
    assert found.shape == (1, preprocessor.max_example_len, 16 + 24)
    alone = np.concatenate([words.model(ids), spans.model(ids)], axis=-1)
    np.testing.assert_allclose(found, alone, atol=1e-5)
    thrice = ComposedModel(base, [composed.model, words.model], backend=backend)
    assert thrice.model(ids).shape == (1, preprocessor.max_example_len, 16 + 24 + 16)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_head_on_all_towers_learns(preprocessor, parts, tmp_path, backend):
    base, words, spans = parts
    composed = ComposedModel(base, [words.model, spans.model], backend=backend)
    before = {key: own.copy() for key, own in composed.tensors.items()}
    composed.freeze(1)
    composed.fit(LABELLED * 2, epochs=8, batch_size=8, learning_rate=1e-2)
    for key, own in before.items():
        still = not key.startswith("towers.0.")
        assert np.array_equal(composed.tensors[f"model.{key}"], own) == still, key
    composed.save(tmp_path / "model")
    model = reference.load(tmp_path / "model", backend=backend)
    assert type(model).__name__ == "TextClassification"
    found = [model.classify(text).labels[0] for text in TEXTS]
    right = np.mean([label == name for label, (_, name) in zip(found, LABELLED, strict=True)])
    assert right > 0.5, "of six names"
    again = ComposedModel.load(tmp_path / "model", backend=backend)
    assert again.preprocessor == preprocessor and again.task is composed.task
    ids = preprocessor.string_to_array(TEXTS[0])
    np.testing.assert_array_equal(again.model(ids), composed.model(ids))


def test_without_a_head_it_makes_embeddings(preprocessor, parts, tmp_path):
    base, words, spans = parts
    composed = ComposedModel(base, [words.model, spans.model])
    composed.save(tmp_path / "model")
    model = reference.load(tmp_path / "model")
    assert type(model).__name__ == "Embeddings"
    vectors = model.encode(TEXTS[:3])
    assert vectors.shape == (3, 40)
    hidden = composed.model(preprocessor.string_to_array(TEXTS[0]))[0, : len(TEXTS[0])]
    mean = hidden.mean(axis=0)
    np.testing.assert_allclose(vectors[0], mean / np.linalg.norm(mean), atol=1e-6)
    same = reference.parity.compare(tmp_path / "model")
    assert same.passed, same


def test_it_labels_characters_too(parts, tmp_path):
    base, words, spans = parts
    composed = ComposedModel(base, [words.model, spans.model])
    composed.fit(
        TAGGED * 3, 12, objective="token-classification", batch_size=8, learning_rate=1e-2
    )
    composed.save(tmp_path / "model")
    (span,) = reference.load(tmp_path / "model").tag("The garden is red.")
    assert (span.start, span.end, span.label) == (4, 10, "thing")


def test_parts_are_frozen_by_their_names(parts):
    base, words, spans = parts
    composed = ComposedModel(base, [words.model, spans.model])
    assert composed.frozen == {"base"}
    composed.freeze()
    assert composed.frozen == {"base", "towers.0", "towers.1"}
    composed.unfreeze("base", 1)
    assert composed.frozen == {"towers.0"}
    composed.unfreeze()
    assert not composed.frozen
    for part in (2, "head", True, -1):
        with pytest.raises(InputError, match="there is no part"):
            composed.freeze(part)


def test_towers_of_another_base_are_refused(preprocessor, parts):
    base, words, _ = parts
    other = MaskedLanguagePretrainer(CCLMModelBase(preprocessor, 8, 32, seed=1), **FOUR)
    with pytest.raises(
        InputError,
        match=r"towers\[1\] was trained on another base .*: embeddings\.\S+ and \d more",
    ):
        ComposedModel(base, [words.model, other.model])
    wider = MaskedLanguagePretrainer(CCLMModelBase(preprocessor, 8, 48), **FOUR)
    with pytest.raises(
        InputError, match=r"towers\[0\] is of another base: n_filters is 48, not"
    ):
        ComposedModel(base, [wider.model])
    texts = [text.replace("r", "ř") for text in TEXTS]
    characters = MLMPreprocessor(200, 32).fit(texts)
    foreign = MaskedLanguagePretrainer(CCLMModelBase(characters, 8, 32), **FOUR)
    with pytest.raises(InputError, match=r"towers\[0\] (is of|was trained|reads other)"):
        ComposedModel(base, [foreign.model])


def test_a_base_that_went_on_learning_is_another(preprocessor):
    base = CCLMModelBase(preprocessor, 8, 32)
    words = MaskedLanguagePretrainer(base, **FOUR).fit(TEXTS, epochs=1, **QUICK)
    early = words.model
    base.unfreeze()
    spans = TaggingPretrainer(base, **THREE).fit(TAGGED, epochs=1, **QUICK)
    with pytest.raises(InputError, match=r"towers\[0\] was trained on another base than"):
        ComposedModel(base, [early, spans.model])


@pytest.mark.parametrize(
    ("towers", "message"),
    [
        ([], "at least one model"),
        (None, "towers is None"),
        (["words"], r"towers\[0\] is 'words'; it must be the `model` of a pretrainer"),
    ],
)
def test_what_is_no_tower_is_refused(parts, towers, message):
    with pytest.raises(InputError, match=message):
        ComposedModel(parts[0], towers)
    with pytest.raises(InputError, match="it must be the `model`"):
        ComposedModel(parts[0], [parts[1]])


def test_other_folders_are_refused(tmp_path):
    folder = random_checkpoint(tmp_path, "BertModel")
    with pytest.raises(CheckpointError, match="holds a bert; a model of characters"):
        ComposedModel.load(folder)
