"""Towers on a base: each is trained by itself, through the common loop, alike in three
frameworks, and the base by the first of them."""

import datasets
import numpy as np
import pytest

import reference
from reference.backend import BACKENDS
from reference.char_encoder import (
    Augmentation,
    CCLMModelBase,
    MaskedLanguagePretrainer,
    MLMPreprocessor,
    TaggingPretrainer,
)
from reference.errors import CheckpointError, ConfigError, InputError
from reference.training.checkpoints import FOLDER
from tests.char_encoder.conftest import FOUR, TAGGED, TEXTS, THREE

QUICK = {"batch_size": 8, "learning_rate": 3e-3}


def base_on(preprocessor, **settings):
    return CCLMModelBase(preprocessor, 8, 32, **settings)


def same(first, second) -> bool:
    return all(np.array_equal(own, second[key]) for key, own in first.items())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_tower_learns_what_was_hidden(preprocessor, tmp_path, backend):
    """By the loop with all that it has: held-out scores, logs, a folder."""
    words = MaskedLanguagePretrainer(base_on(preprocessor), **FOUR, backend=backend)
    words.fit(TEXTS * 3, epochs=8, output=tmp_path / "model", **QUICK)
    model = reference.load(tmp_path / "model", backend=backend)
    assert type(model).__name__ == "MaskedCharacters"
    recipe = reference.files.read_json(tmp_path / "model" / "recipe.json", CheckpointError)
    losses = [loss for _, loss in recipe["losses"]]
    assert recipe["scores"]["loss"] < np.log(preprocessor.num_outputs) - 0.3, losses
    hidden = "The" + "[MASK]" * 7 + " is red."
    (best,) = model.fill(hidden, top_k=30)
    assert {"garden", "window", "letter", "market"} <= {filled.token for filled in best}
    assert sum(filled.probability for filled in best) == pytest.approx(1, abs=1e-3)


def test_three_frameworks_learn_alike(preprocessor):
    found = {}
    for backend in BACKENDS:
        words = MaskedLanguagePretrainer(base_on(preprocessor), **FOUR, backend=backend)
        found[backend] = words.fit(TEXTS, epochs=2, **QUICK).model.tensors
    for backend in BACKENDS[1:]:
        for key, tensor in found["torch"].items():
            np.testing.assert_allclose(found[backend][key], tensor, atol=2e-3, err_msg=key)


@pytest.mark.parametrize("loss", ["sampled-softmax", "negative-sampling", "softmax"])
def test_every_loss_is_learned_by(preprocessor, loss, tmp_path):
    words = MaskedLanguagePretrainer(base_on(preprocessor), **FOUR, loss=loss)
    how = {"epochs": 12, "batch_size": 8, "learning_rate": 1e-2}
    words.fit(TEXTS * 3, output=tmp_path / "model", **how)
    recipe = reference.files.read_json(tmp_path / "model" / "recipe.json", CheckpointError)
    assert recipe["scores"]["accuracy"] > 2 / preprocessor.num_outputs


def test_the_first_training_fits_the_base_and_the_next_leaves_it(preprocessor):
    base = base_on(preprocessor)
    first = dict(base.tensors)
    words = MaskedLanguagePretrainer(base, **FOUR)
    assert not base.frozen
    words.fit(TEXTS, epochs=1, **QUICK)
    assert base.fitted and base.frozen and not same(first, base.tensors)
    fitted = dict(base.tensors)
    spans = TaggingPretrainer(base, **THREE).fit(TAGGED, epochs=1, **QUICK)
    assert same(fitted, base.tensors) and same(fitted, spans.model.tensors)
    spans.fit(TAGGED, epochs=1, freeze_base=False, **QUICK)
    assert not same(fitted, base.tensors)
    base.unfreeze()
    moved = dict(base.tensors)
    words.fit(TEXTS, epochs=1, **QUICK)
    assert not same(moved, base.tensors)


def test_a_base_can_be_frozen_from_the_start(preprocessor):
    base = base_on(preprocessor)
    base.freeze()
    first = dict(base.tensors)
    MaskedLanguagePretrainer(base, **FOUR).fit(TEXTS, epochs=1, **QUICK)
    assert same(first, base.tensors)


@pytest.mark.parametrize("backend", BACKENDS)
def test_its_model_gives_a_vector_for_each_character(preprocessor, backend):
    words = MaskedLanguagePretrainer(base_on(preprocessor), **FOUR, backend=backend)
    ids = preprocessor.string_to_array(TEXTS[0], preprocessor.max_example_len)
    found = words.model(ids)
    assert found.shape == (1, 32, 16) and found.dtype == np.float32
    assert not found[0, len(TEXTS[0]) :].any(), "zeros at pads"
    np.testing.assert_allclose(
        words.model(preprocessor.string_to_array(TEXTS[0], 24))[0, :18],
        found[0, :18],
        atol=1e-5,
    )
    np.testing.assert_array_equal(words.model(ids[0]), found)
    np.testing.assert_array_equal(words.model(ids.tolist()), found)


def test_every_form_of_data_is_the_same_data(preprocessor):
    forms = (TEXTS, iter(TEXTS), datasets.Dataset.from_dict({"text": TEXTS}))
    trained = [
        MaskedLanguagePretrainer(base_on(preprocessor), **FOUR).fit(data, epochs=1, **QUICK)
        for data in forms
    ]
    assert same(trained[0].tensors, trained[1].tensors)
    assert same(trained[0].tensors, trained[2].tensors)


class StopError(Exception):
    pass


@pytest.mark.parametrize("backend", ["torch", "candle"])
def test_a_run_that_was_ended_goes_on_as_if_nothing_had_been(
    preprocessor, tmp_path, monkeypatch, backend
):
    def begin():
        return MaskedLanguagePretrainer(base_on(preprocessor), **FOUR, backend=backend)

    how = {"epochs": 2, "checkpoint_steps": 2, **QUICK}
    whole = begin().fit(TEXTS, **how)
    room = getattr(reference, backend).training
    plain, steps = room.Learner.step, []

    def stopping(self, *args):
        if len(steps) == 4:
            raise StopError
        steps.append(1)
        return plain(self, *args)

    if backend == "torch":
        monkeypatch.setattr(room.Learner, "step", stopping)
    else:
        monkeypatch.setattr(reference.training.loop, "take", _stopping(4))
    with pytest.raises(StopError):
        begin().fit(TEXTS, output=tmp_path / "model", **how)
    monkeypatch.undo()
    assert (tmp_path / "model" / FOLDER).is_dir()
    again = begin().fit(TEXTS, output=tmp_path / "model", resume=True, **how)
    assert same(whole.tensors, again.tensors)


def _stopping(most):
    from reference.training.loop import take

    taken = []

    def stopping(*args, **options):
        if len(taken) == most:
            raise StopError
        taken.append(1)
        return take(*args, **options)

    return stopping


@pytest.mark.parametrize("kind", [MaskedLanguagePretrainer, TaggingPretrainer])
def test_it_is_saved_and_loaded_whole(preprocessor, tmp_path, kind):
    tower = kind(base_on(preprocessor), **FOUR)
    if kind is TaggingPretrainer:
        tower.fit(TAGGED, epochs=1, **QUICK)
    tower.save(tmp_path / "tower")
    again = kind.load(tmp_path / "tower")
    assert again.preprocessor == tower.preprocessor
    assert again.config == tower.config and same(tower.tensors, again.tensors)
    assert again.base.fitted and same(
        again.base.tensors, tower.base.tensors | again.base.tensors
    )
    other = TaggingPretrainer if kind is MaskedLanguagePretrainer else MaskedLanguagePretrainer
    with pytest.raises(CheckpointError, match=f"{other.__name__} is one tower"):
        other.load(tmp_path / "tower")


def test_characters_that_nobody_has_seen_are_hashed():
    preprocessor = MLMPreprocessor(200, 32, hashed=True).fit(TEXTS)
    words = MaskedLanguagePretrainer(base_on(preprocessor, num_hash_buckets=50), **FOUR)
    assert words.config.num_hashes == 8 and words.config.vocab_size == 0x110000 + 3
    words.fit(TEXTS, epochs=1, **QUICK)
    ids = preprocessor.string_to_array("Ἑλλάς 😀")
    first, second = words.model(ids), words.model(preprocessor.string_to_array("Ἑλλάς 😃"))
    assert np.abs(first - second).max() > 1e-3


def test_more_can_be_frozen_by_name(preprocessor):
    words = MaskedLanguagePretrainer(base_on(preprocessor), **FOUR)
    before = {key: own.copy() for key, own in words.tensors.items()}
    words.fit(TEXTS, epochs=1, freeze="decoder, model.towers.0.merge", **QUICK)
    for key, own in before.items():
        still = key.startswith(("decoder.", "model.towers.0.merge."))
        assert np.array_equal(words.tensors[key], own) == still, key


def test_what_was_learned_is_not_altered(preprocessor):
    with pytest.raises(InputError, match="max_example_len decides what is learned"):
        preprocessor.altered(max_example_len=8)


def test_noise_is_learned_from(preprocessor):
    noisy = preprocessor.altered(augmentation=Augmentation(swap=0.2, drop=0.1, case=0.3))
    clean, worse = (
        MaskedLanguagePretrainer(base_on(one), **FOUR).fit(TEXTS, epochs=1, **QUICK)
        for one in (preprocessor, noisy)
    )
    assert not same(clean.tensors, worse.tensors)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: CCLMModelBase(MLMPreprocessor()), InputError, "call fit first"),
        (lambda p: CCLMModelBase("texts"), InputError, "preprocessor is 'texts'"),
        (lambda p: base_on(p, colour=3), ConfigError, "a base has no 'colour'; it has activ"),
        (lambda p: base_on(p, dropout=2.0), ConfigError, "dropout is 2.0"),
        (lambda p: CCLMModelBase(p, n_filters=0), ConfigError, "n_filters is 0"),
        (lambda p: MaskedLanguagePretrainer(p), InputError, "base is <MLMPreprocessor"),
        (
            lambda p: MaskedLanguagePretrainer(base_on(p), 8),
            ConfigError,
            r"stride_len 2 \*\* n_strided_convs 4 is 16; it must be downsample_factor 8",
        ),
        (
            lambda p: MaskedLanguagePretrainer(base_on(p), **FOUR, loss="hinge"),
            InputError,
            "mlm_loss 'hinge'",
        ),
        (
            lambda p: MaskedLanguagePretrainer(base_on(p), **FOUR, num_negatives=0),
            InputError,
            "num_negatives is 0",
        ),
        (
            lambda p: MaskedLanguagePretrainer(base_on(p), **FOUR, backend="jax"),
            InputError,
            "backend 'jax'",
        ),
    ],
)
def test_bad_parts_are_refused(preprocessor, make, error, message):
    with pytest.raises(error, match=message):
        make(preprocessor)


def test_bad_data_is_refused_before_anything_is_written(preprocessor, tmp_path):
    words = MaskedLanguagePretrainer(base_on(preprocessor), **FOUR)
    first = dict(words.tensors)
    for data, message in (([], "0 samples"), ([3], r"texts\[0\] is int"), (5, "texts must be")):
        with pytest.raises(InputError, match=message):
            words.fit(data, output=tmp_path / "model")
    many = MaskedLanguagePretrainer(base_on(preprocessor), **FOUR, num_negatives=5000)
    with pytest.raises(InputError, match="num_negatives is 5000, but there are"):
        many.fit(TEXTS, output=tmp_path / "model")
    with pytest.raises(InputError, match="no 'epoch'"):
        words.fit(TEXTS, output=tmp_path / "model", epoch=3)
    spans = TaggingPretrainer(base_on(preprocessor), **THREE)
    with pytest.raises(InputError, match="does not lie in a text of 3 characters"):
        spans.fit([("abc", [(0, 9, "x")])], output=tmp_path / "model")
    assert not (tmp_path / "model").exists() and same(first, words.tensors)
    assert not words.base.fitted
