"""rank, and what sentence-transformers' CrossEncoder writes into a folder, beside it."""

import json
from functools import partial

import numpy as np
import pytest
import torch

import reference
from reference.errors import CheckpointError, ConfigError, InputError
from reference.parity import random_checkpoint
from reference.pipelines import batching
from tests.pipelines.cross_encoders import (
    IDENTITY,
    IN_CONFIG,
    MADE_WITH,
    NO_CLASSIFIER,
    REFUSED,
    SIGMOID,
    save_cross_encoder,
)
from tests.pipelines.small_models import add

QUERY = "who wrote it?"
DOCUMENTS = ["He did.", "It rains.", "", "A river stands beside a stone.", "He did."] * 2


def make(folder, minilm, labels=1, **config):
    return random_checkpoint(
        folder,
        "BertForSequenceClassification",
        tokenizer=minilm,
        id2label={number: f"L{number}" for number in range(labels)},
        **config,
    )


def cross_encoder(folder):
    from sentence_transformers import CrossEncoder

    return CrossEncoder(str(folder), device="cpu")


@pytest.fixture
def saved(tmp_path):
    """A folder as CrossEncoder.save_pretrained writes it: saved(labels, **its arguments)."""
    return partial(save_cross_encoder, tmp_path)


def assert_ranks_alike(folder, backend, kind):
    found = reference.load(folder, backend=backend).rank(QUERY, DOCUMENTS)
    expected = cross_encoder(folder).rank(QUERY, DOCUMENTS, return_documents=True)
    assert {ranked.kind for ranked in found} == {kind}
    np.testing.assert_allclose(
        [ranked.score for ranked in found], [one["score"] for one in expected], atol=2e-6
    )
    assert [ranked.text for ranked in found] == [one["text"] for one in expected]
    assert all(DOCUMENTS[ranked.index] == ranked.text for ranked in found)
    assert sorted(ranked.index for ranked in found) == list(range(len(DOCUMENTS)))


@pytest.mark.parametrize(("arguments", "kind"), MADE_WITH)
def test_a_saved_cross_encoder(saved, arguments, kind, backend):
    folder = saved(**arguments)
    assert type(reference.load(folder)).__name__ == "TextClassification"
    assert_ranks_alike(folder, backend, kind)


@pytest.mark.parametrize(("keys", "kind"), IN_CONFIG)
def test_older_folders_say_it_in_their_config(minilm, tmp_path, keys, kind, backend):
    folder = make(tmp_path / "model", minilm)
    add(folder / "config.json", **keys)
    assert_ranks_alike(folder, backend, kind)


def test_the_newer_file_goes_first(saved, backend):
    folder = saved(activation_fn=torch.nn.Sigmoid())
    add(folder / "config.json", sbert_ce_default_activation_function=IDENTITY)
    assert_ranks_alike(folder, backend, "probability")
    add(folder / "config_sentence_transformers.json", activation_fn=None)
    assert_ranks_alike(folder, backend, "logit")


def test_classify_equals_predict(saved, backend):
    pairs = [[QUERY, document] for document in DOCUMENTS]
    folder = saved()
    for name, kind in ((SIGMOID, "probability"), (IDENTITY, "value")):
        add(folder / "config_sentence_transformers.json", activation_fn=name)
        found = reference.load(folder, backend=backend).classify(
            [QUERY] * len(DOCUMENTS), DOCUMENTS
        )
        assert {one.kind for one in found} == {kind}
        np.testing.assert_allclose(
            [one.probabilities[0] for one in found],
            cross_encoder(folder).predict(pairs),
            atol=2e-6,
        )


@pytest.mark.parametrize(("name", "softmax"), [(SIGMOID, False), (IDENTITY, True)])
def test_several_labels(saved, name, softmax, backend):
    """Identity is what sentence-transformers writes of several labels that nobody chose an
    activation for; probabilities are what its predict gives with apply_softmax."""
    folder = saved(3)
    add(folder / "config_sentence_transformers.json", activation_fn=name)
    found = reference.load(folder, backend=backend).classify(
        [QUERY] * len(DOCUMENTS), DOCUMENTS
    )
    expected = cross_encoder(folder).predict(
        [[QUERY, document] for document in DOCUMENTS], apply_softmax=softmax
    )
    for one, row in zip(found, expected, strict=True):
        assert one.labels == tuple(f"L{n}" for n in np.argsort(-row, kind="stable"))
        np.testing.assert_allclose(one.probabilities, np.sort(row)[::-1], atol=2e-6)


def test_what_is_saved_ranks_as_before(saved, tmp_path, backend):
    folder = saved(
        activation_fn=torch.nn.Identity(),
        max_length=12,
        prompts={"ask": "Query: "},
        default_prompt_name="ask",
    )
    model = reference.load(folder, backend=backend)
    model.save(tmp_path / "again")
    assert_ranks_alike(tmp_path / "again", backend, "logit")
    again = reference.load(tmp_path / "again", backend=backend)
    assert again.rank(QUERY, DOCUMENTS) == model.rank(QUERY, DOCUMENTS)


def test_of_documents_alike_the_first_comes_first(saved, monkeypatch):
    model = reference.load(saved())
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 3)
    row = np.zeros(1, np.float32)
    monkeypatch.setattr(model, "_logits", lambda encodings, *_, **__: [row] * len(encodings))
    assert [ranked.index for ranked in model.rank(QUERY, DOCUMENTS)] == list(range(10))
    assert [ranked.index for ranked in model.rank(QUERY, DOCUMENTS, 4)] == [0, 1, 2, 3]


def test_the_best_of_many_in_their_order(saved, monkeypatch, backend):
    model = reference.load(saved(), backend=backend)
    whole = model.rank(QUERY, DOCUMENTS)
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 3)
    best = model.rank(QUERY, iter(DOCUMENTS), 4, batch_size=2)
    assert [ranked.text for ranked in best] == [ranked.text for ranked in whole[:4]]
    assert len(model.rank(QUERY, DOCUMENTS, top_k=99)) == len(DOCUMENTS)


def test_a_result_reads_well(saved):
    found = reference.load(saved()).rank(QUERY, DOCUMENTS[:2])
    assert found[0].to_dict().keys() == {"index", "score", "text", "kind"}
    assert "<th>kind</th>" in found._repr_html_() and "kind='probability'" in repr(found)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.rank(QUERY, []), "nothing to rank: documents is empty"),
        (lambda model: model.rank(QUERY, iter(())), "nothing to rank: documents is empty"),
        (lambda model: model.rank(QUERY, "a"), "documents must be a list of strings, not str"),
        (lambda model: model.rank(QUERY, None), "documents must be a list of strings"),
        (lambda model: model.rank(QUERY, ["a", 5]), r"documents\[1\] is int"),
        (lambda model: model.rank([QUERY], ["a"]), "query is list"),
        (lambda model: model.rank("\ud800", ["a"]), "surrogate"),
        (lambda model: model.rank(QUERY, ["a"], 0), "top_k is 0"),
        (lambda model: model.rank(QUERY, ["a"], batch_size=0), "batch_size is 0"),
        (lambda model: model.rank(QUERY, ["a"], truncation="x"), "truncation 'x' is unknown"),
        (
            lambda model: model.rank(QUERY, ["a", "b " * 200], truncation="error"),
            r"documents\[1\] has .* tokens more",
        ),
    ],
)
def test_bad_input(minilm, tmp_path, call, message, backend):
    with pytest.raises(InputError, match=message):
        call(reference.load(make(tmp_path / "model", minilm), backend=backend))


@pytest.mark.parametrize(("file", "keys", "message"), REFUSED)
def test_what_is_not_honoured_is_refused(saved, file, keys, message):
    folder = saved()
    add(folder / file, **keys)
    with pytest.raises(ConfigError, match=message):
        reference.load(folder)


@pytest.mark.parametrize(("file", "keys", "message"), NO_CLASSIFIER)
def test_the_transformer_has_the_head_of_a_classifier(saved, file, keys, message):
    folder = saved()
    add(folder / file, **keys)
    with pytest.raises(ConfigError, match=message):
        reference.load(folder).classify("a")


def test_only_a_cross_encoder_has_such_a_transformer(saved):
    folder = saved()
    (folder / "config_sentence_transformers.json").unlink()
    with pytest.raises(ConfigError, match="transformer_task is 'sequence-classification'"):
        reference.load(folder, pipeline="text-classification").classify("a")


def test_modules(saved):
    folder = saved()
    path = folder / "modules.json"
    modules = json.loads(path.read_text())
    dense = {"idx": 1, "name": "1", "path": "1_Dense", "type": "sentence_transformers.x.Dense"}
    path.write_text(json.dumps([*modules, dense]))
    with pytest.raises(ConfigError, match=r"lists the modules .*Dense; supported in a cross"):
        reference.load(folder)
    path.write_text(json.dumps([modules[0] | {"path": "0_Transformer"}]))
    (folder / "0_Transformer").mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).rename(folder / "0_Transformer" / name)
    with pytest.raises(ConfigError, match="in the folder itself"):
        reference.load(folder)
    for file in (folder / "0_Transformer").iterdir():
        file.rename(folder / file.name)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"no modules\.json, without which"):
        reference.load(folder)


def test_layers_that_stay_in_float32(saved):
    folder = saved()
    add(
        folder / "config_sentence_transformers.json",
        keep_in_fp32_modules=["0.model.classifier"],
    )
    assert reference.load(folder).rank(QUERY, DOCUMENTS)
    with pytest.raises(ConfigError, match=r"keep_in_fp32_modules is .* not implemented in bf"):
        reference.load(folder, dtype="bfloat16")
