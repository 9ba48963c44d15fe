"""Eight bits: rounded as Transformers' weights are with the same rounding, for every family."""

import numpy as np
import pytest

import reference
from reference.backend import DTYPES, build, learner
from reference.checkpoint import read_checkpoint
from reference.errors import InputError
from reference.families import ARCHITECTURES
from reference.learning import AdamW
from reference.parity import random_checkpoint
from reference.parity.batch import make_batches
from reference.parity.int8 import rounded
from reference.parity.subject import Subject

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


def mean_difference(found, expected):
    return float(np.abs(found - expected).mean())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_rounded_is_what_the_oracle_rounds(tmp_path, architecture):
    """Within the gate, and much nearer to Transformers in int8 than that is to the truth: they
    differ only where a number lies so near the middle between two that float32 decides."""
    checkpoint = read_checkpoint(random_checkpoint(tmp_path / "model", architecture))
    subject = Subject(checkpoint, make_batches(checkpoint), "int8", keep=True)
    model = subject.build("candle")
    rows = subject.measure({"candle": lambda sample: sample.run(model)})["candle"]
    assert rows and all(row.passed for row in rows)
    own = theirs = 0.0
    for sample in subject:
        found, noisy = sample.run(model), sample.noisy.forward(sample.batch)
        for name, tensor in noisy.items():
            if np.issubdtype(tensor.array.dtype, np.floating) and name in found:
                own += mean_difference(found[name], tensor.truth)
                theirs += mean_difference(tensor.truth, sample.truth[name])
    assert 0 < own < 0.2 * theirs


def test_a_row_of_whole_numbers_and_its_scale():
    import torch

    row = torch.tensor([[-254.0, 127.0, 3.0, 5.0, 0.9], [0.0] * 5])
    assert rounded(row).tolist() == [[-254.0, 128.0, 4.0, 4.0, 0.0], [0.0] * 5]
    wide = torch.randn(3, 70, dtype=torch.float64)
    parts = [rounded(wide[:, first : first + 32]) for first in (0, 32, 64)]
    assert torch.equal(rounded(wide), torch.cat(parts, dim=1))


def test_it_is_saved_as_it_was_loaded(tmp_path):
    """Nothing is lost: the weights are rounded where they are multiplied."""
    model = reference.load(MINILM, backend="candle", dtype="int8")
    assert repr(model).endswith("on candle, int8>")
    model.save(tmp_path / "saved")
    again = reference.load(tmp_path / "saved", backend="candle", dtype="int8")
    texts = ["a sentence", "another one, which is longer", ""]
    np.testing.assert_array_equal(again.encode(texts), model.encode(texts))
    plain = reference.load(MINILM, backend="candle")
    for key, tensor in plain.model.state().items():
        np.testing.assert_array_equal(again.model.state()[key], tensor)
    assert np.abs(plain.encode(texts) - model.encode(texts)).max() > 1e-4


def test_vectors_of_a_batch_are_those_of_its_texts():
    """Each row of an input is rounded by itself: neighbours do not matter beyond float32."""
    model = reference.load(MINILM, backend="candle", dtype="int8")
    texts = [f"text number {number} " * (number % 7 + 1) for number in range(40)]
    one_by_one = np.stack([model.encode(text) for text in texts])
    cosines = (model.encode(texts) * one_by_one).sum(1)
    assert cosines.min() > 0.9999


def test_it_has_no_gradients_and_does_not_train(tmp_path):
    folder = random_checkpoint(tmp_path / "model", "BertForMaskedLM")
    checkpoint = read_checkpoint(folder)
    model = build(
        "candle", checkpoint.config, checkpoint.architecture, checkpoint.tensors, "int8"
    )
    subject = Subject(checkpoint, make_batches(checkpoint)[:1], "float32", keep=True)
    (sample,) = subject
    with pytest.raises(InputError, match="int8 has no gradients"):
        model.gradients(sample.batch.padded, sample.labels)
    parts = checkpoint.config, checkpoint.architecture, checkpoint.tensors
    with pytest.raises(InputError, match="'int8' is not available for training"):
        learner("candle", *parts, AdamW(), "int8")


def test_what_is_not_finite_is_told(tmp_path):
    folder = random_checkpoint(tmp_path / "model", "BertForSequenceClassification")
    checkpoint = read_checkpoint(folder)
    tensors = dict(checkpoint.tensors)
    key = "bert.embeddings.LayerNorm.weight"
    tensors[key] = np.full_like(tensors[key], np.inf)
    model = build("candle", checkpoint.config, checkpoint.architecture, tensors, "int8")
    batch = make_batches(checkpoint)[0]
    assert not np.isfinite(model.forward(batch.padded)["logits"]).all()


@pytest.mark.parametrize("backend", ["torch", "mlx"])
def test_the_others_have_none(backend):
    assert "int8" not in DTYPES[backend]
    with pytest.raises(InputError, match=f"'int8' is not available in {backend}"):
        reference.load(MINILM, backend=backend, dtype="int8")
