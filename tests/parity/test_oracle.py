"""The oracle itself: Transformers, in float64 all the way, on a batch that leaves nothing
out."""

import numpy as np
import pytest
import torch
import transformers

import reference
from reference.backend import BACKENDS, build
from reference.checkpoint import read_checkpoint
from reference.families import ARCHITECTURES
from reference.masking import IGNORED
from reference.parity import random_checkpoint
from reference.parity.batch import BATCHES, LENGTHS, make_batches
from reference.parity.oracle import oracle_for
from reference.parity.random_models import SWITCHES
from reference.parity.sentences import sentence_embeddings


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def checkpoint(request, tmp_path_factory):
    family = ARCHITECTURES[request.param].family
    layers = {"num_hidden_layers": 1} if "num_hidden_layers" in family.tiny else {}
    return read_checkpoint(
        random_checkpoint(tmp_path_factory.mktemp("any"), request.param, **layers)
    )


def places(checkpoint):
    return checkpoint.architecture.places(checkpoint.config)


def random_labels(checkpoint, batch):
    task, generator = checkpoint.architecture.task, np.random.default_rng(0)
    return task.make_labels(checkpoint.config, batch.padded, generator)


def test_everything_is_float64(checkpoint):
    """Some of Transformers' losses compute in float32 whatever they are given; the oracle would
    raise."""
    oracle, batch = oracle_for(checkpoint), make_batches(checkpoint)[0]
    loss, gradients = oracle.gradients(batch, random_labels(checkpoint, batch))
    measured = oracle.forward(batch) | oracle.trace(batch, places(checkpoint))
    arrays = [*gradients.values(), *(tensor.array for tensor in measured.values())]
    assert {array.dtype for array in arrays} == {np.dtype("float64")}
    assert float(np.float32(loss)) != loss


@pytest.mark.parametrize("backend", BACKENDS)
def test_ports_trace_every_operation_of_the_oracle_in_its_order(checkpoint, backend):
    batch = make_batches(checkpoint)[0]
    model = build(backend, checkpoint.config, checkpoint.architecture, checkpoint.tensors)
    operations = places(checkpoint)
    traced = oracle_for(checkpoint).trace(batch, operations)
    found = model.trace(batch.padded, operations)
    assert list(found) == [name for name in traced if name in found]
    # The module around RoBERTa's classifier gives once more what its last layer gave.
    assert set(traced) - set(found) <= {"classifier"}
    # Whatever a family says that its encoder does is done.
    inside = {name for name, place in operations.items() if place.layer is not None}
    assert len(inside) >= 7 and inside <= set(found)


def test_transformers_needs_every_tensor(checkpoint):
    parameters = oracle_for(checkpoint).model.named_parameters(remove_duplicate=False)
    assert set(checkpoint.tensors) <= {name for name, _ in parameters}


def test_random_batches_are_padded_on_both_sides_and_differ(random_folder):
    batches = make_batches(read_checkpoint(random_folder))
    assert len(batches) == BATCHES
    for batch in batches:
        assert batch.real.sum(axis=1).tolist() == list(LENGTHS)
        assert 0 < batch.real[:, 0].sum() < len(LENGTHS)
        assert 0 < batch.real[:, -1].sum() < len(LENGTHS)
        assert set(np.unique(batch.padded.token_type_ids[batch.real])) == {0, 1}
    assert not np.array_equal(batches[0].padded.input_ids, batches[1].padded.input_ids)


def test_texts_are_dealt_to_batches(minilm):
    checkpoint = read_checkpoint(minilm)
    assert [len(batch.real) for batch in make_batches(checkpoint, list("abcdefgh"))] == [4, 4]
    assert [len(batch.real) for batch in make_batches(checkpoint, ["a", "b"])] == [2]
    lengths = [batch.real.sum(axis=1) for batch in make_batches(checkpoint)]
    assert max(map(max, lengths)) > 64 and min(map(min, lengths)) == 3


def test_the_packed_row_holds_the_real_tokens(random_folder):
    batch = make_batches(read_checkpoint(random_folder))[0]
    packed, unpadded = batch.packed, batch.padded_on_the_right(0)
    assert np.array_equal(packed.input_ids, batch.padded.input_ids[batch.real])
    assert np.array_equal(packed.input_ids, unpadded.padded.input_ids[unpadded.real])
    assert np.array_equal(packed.token_type_ids, unpadded.padded.token_type_ids[unpadded.real])
    assert np.diff(packed.cu_seqlens).tolist() == list(LENGTHS)
    assert unpadded.real[:, 0].all()


def test_ignored_labels_stand_on_pads(random_folder, tmp_path):
    for architecture in ("BertForMaskedLM", "BertForTokenClassification"):
        checkpoint = read_checkpoint(random_checkpoint(tmp_path / architecture, architecture))
        batch = make_batches(checkpoint)[0]
        labels = random_labels(checkpoint, batch)
        assert (labels[~batch.real] == IGNORED).all()
        assert 0.1 < (labels != IGNORED).sum() / batch.real.sum() <= 1


@pytest.mark.parametrize("way", SWITCHES)
def test_sentence_embeddings_by_hand(tmp_path, way):
    checkpoint = read_checkpoint(random_checkpoint(tmp_path, pooling=way, normalize=True))
    hidden = np.array([[[3.0, 0.0], [3.0, 8.0], [100.0, -100.0]]])
    vectors = sentence_embeddings(checkpoint, hidden, np.array([[True, True, False]]))
    expected = {
        "cls": [1.0, 0.0],
        "max": [3 / 73**0.5, 8 / 73**0.5],
        "mean": [0.6, 0.8],
        "mean_sqrt_len_tokens": [0.6, 0.8],
        "weightedmean": [9 / 337**0.5, 16 / 337**0.5],
        "lasttoken": [3 / 73**0.5, 8 / 73**0.5],
    }[way]
    np.testing.assert_allclose(vectors, [expected], rtol=1e-15)


def test_embeddings_of_the_pipeline_are_the_oracles(minilm):
    """The same through the front door, with the tokenizer's own padding: text in, vectors
    out."""
    texts = ["a first sentence", "and a second, somewhat longer one"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    model = transformers.AutoModel.from_pretrained(minilm, dtype=torch.float64)
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state.numpy()
    expected = sentence_embeddings(
        read_checkpoint(minilm), hidden, batch["attention_mask"].numpy().astype(bool)
    )
    np.testing.assert_allclose(reference.load(minilm).encode(texts), expected, atol=5e-7)
