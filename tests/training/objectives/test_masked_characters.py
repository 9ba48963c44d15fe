"""Characters that are hidden, through `fit` as any other objective."""

import json

import numpy as np
import pytest

import reference
from reference.char_encoder import MLMPreprocessor
from reference.errors import CheckpointError, InputError
from reference.masking import IGNORED
from reference.training import fit
from reference.training.fitting import prepare
from tests.training.conftest import SMALL, sentences

TEXTS = [f"{text} {n}" for n, text in enumerate(sentences(40))]
TOWERS = [
    {
        "downsample_factor": 4,
        "n_strided_convs": 2,
        "n_conv_filters": 16,
        "num_heads": 2,
        "hidden_dim": 24,
    }
]
SIZES = {"towers": TOWERS, "char_emb_size": 8, "n_filters": 32}


@pytest.fixture(scope="module")
def characters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("characters")
    MLMPreprocessor(300, 48).fit(TEXTS).save(folder)
    return folder


def begin(characters, **changes):
    how = {"objective": "masked-characters", "family": "char_encoder", "batch_size": 8}
    return how | {"tokenizer": characters, "model_config": SIZES, "epochs": 2} | changes


def test_a_family_is_begun_from_the_folder_of_a_preprocessor(characters, tmp_path):
    model = fit(TEXTS, tmp_path / "model", **begin(characters))
    assert type(model).__name__ == "MaskedCharacters"
    assert model.config.max_example_len == 48 and model.config.num_hashes == 0
    assert MLMPreprocessor.load(tmp_path / "model") == MLMPreprocessor.load(characters)
    recipe = json.loads((tmp_path / "model" / "recipe.json").read_text())
    assert recipe["objective"]["mlm_loss"] == "sampled-softmax"
    assert recipe["scores"]["perplexity"] == pytest.approx(np.exp(recipe["scores"]["loss"]))
    fit(TEXTS, tmp_path / "second", model=tmp_path / "model", objective="masked-characters")


def test_examples_ask_for_the_beginnings_of_spans(characters):
    run = prepare(TEXTS, **begin(characters, mlm_loss="softmax"))
    example = run.plan[0].batches[0]()
    ids, places = example.inputs.input_ids, example.inputs.places
    assert (ids[places] == 2).all() and len(places) == len(example.labels)
    begins = np.isin(places, example.inputs.cu_seqlens[:-1])
    assert (begins | (ids[places - 1] != 2)).all(), "the first of each"
    again = prepare(TEXTS, **begin(characters, mlm_loss="softmax")).plan[0].batches[0]()
    np.testing.assert_array_equal(again.inputs.input_ids, ids)


def test_each_loss_has_its_labels(characters):
    sampled, one_by_one = (
        prepare(TEXTS, **begin(characters, mlm_loss=loss, num_negatives=5)).plan[0].batches[0]()
        for loss in ("sampled-softmax", "negative-sampling")
    )
    inputs = sampled.inputs
    assert inputs.offsets.shape == (len(inputs.places), len(inputs.candidates))
    answers = inputs.candidates[sampled.labels]
    assert set(answers) <= set(inputs.candidates) and len(set(inputs.candidates)) == len(
        inputs.candidates
    )
    labels = one_by_one.labels
    assert one_by_one.inputs.offsets is None and labels.shape == inputs.offsets.shape
    assert ((labels == 1).sum(axis=1) == 1).all() and set(np.unique(labels)) <= {-100, 0, 1}
    assert one_by_one.count == (labels != IGNORED).sum()


def test_long_texts_become_several_rows(characters):
    run = prepare([TEXTS[0] * 5, *TEXTS[1:]], **begin(characters, validation_split=0))
    lengths = [len(row) for row in run.rows]
    assert max(lengths) <= 48 and sum(lengths) == len("".join(TEXTS)) + 4 * len(TEXTS[0])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"num_negatives": 10_000}, InputError, "num_negatives is 10000, but there are"),
        ({"mlm_loss": "nce"}, InputError, "mlm_loss 'nce'"),
        ({"objective": "masked-lm"}, InputError, "it learns masked-characters"),
        ({"model_config": {"towers": []}}, ValueError, "towers is empty"),
        ({"max_tokens": 60}, InputError, "max_tokens is 60, but this model takes 48"),
    ],
)
def test_what_does_not_fit_is_told(characters, tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        fit(TEXTS, tmp_path / "model", **begin(characters, **changes))
    assert not (tmp_path / "model").exists()


def test_words_and_characters_are_not_mixed_up(characters, tokenizers, tmp_path):
    of_words = {"tokenizer": tokenizers["bert"], "model_config": SMALL["bert"]}
    with pytest.raises(InputError, match="is for a model that reads characters"):
        fit(TEXTS, tmp_path / "model", **begin(characters, family="bert", **of_words))
    with pytest.raises(CheckpointError, match=r"no characters\.json"):
        fit(TEXTS, tmp_path / "model", **begin(characters, tokenizer=tokenizers["bert"]))


def test_texts_without_a_long_word_have_nothing_to_learn(tmp_path):
    texts = [f"a b {n % 7}" for n in range(40)]
    MLMPreprocessor(300, 48).fit(texts).save(tmp_path / "characters")
    with pytest.raises(InputError, match="no span that is long enough"):
        fit(texts, tmp_path / "model", **begin(tmp_path / "characters", num_negatives=1))


def test_a_model_of_characters_embeds_and_compares(characters, tmp_path):
    pairs = [(text, text[4:]) for text in TEXTS]
    start = begin(characters, objective="contrastive", epochs=1)
    model = fit(pairs, tmp_path / "model", **start)
    vectors = reference.load(tmp_path / "model").encode(TEXTS[:2])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert type(model).__name__ == "Embeddings"
