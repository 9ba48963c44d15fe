"""The three ports of the head, on every family's encoder, held against Transformers with a head
on it: outputs, losses, gradients, every operation, and whole runs of training."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from reference.backend import build
from reference.checkpoint import read_checkpoint
from reference.errors import InputError
from reference.families import ARCHITECTURES, BASE, FAMILIES
from reference.families.tasks import MASKED_SEQUENCE
from reference.inputs import Inputs
from reference.parity.batch import make_batches
from reference.parity.subject import Subject
from reference.parity.trajectory import compare_training
from reference.spans import SPAN_POOLINGS, check_detections, pooled_places
from reference.torch.masked_sequence import AutoModelForMaskedSeqModeling

BACKENDS = ("torch", "mlx", "candle")
IGNORED = -100
OF_FAMILIES = [
    next(iter(family.prefixes.values())) + MASKED_SEQUENCE.suffix for family in FAMILIES
]
# Both tasks, every pooling, every weight.
SETTINGS = [
    {"num_labels": 3},
    {
        "num_labels": 4,
        "task": "multiclass",
        "span_pooling": "mean",
        "class_weights": [1.0, 2.0, 0.5, 1.0],
    },
    {
        "num_labels": 2,
        "span_pooling": "first_last",
        "pos_weight": [3.0, 0.5],
        "class_weights": [1.0, 2.0],
    },
]
TRAINED = ("BertForMaskedSequence", "ModernBertForMaskedSequence", "MPNetForMaskedSequence")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    def make(architecture, **config):
        path = tmp_path_factory.mktemp(architecture)
        return reference.parity.random_checkpoint(path, architecture, seed=3, **config)

    return make


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("config", SETTINGS, ids=lambda config: config.get("span_pooling"))
@pytest.mark.parametrize("architecture", OF_FAMILIES)
def test_ports_agree_with_the_wrapper(folder, architecture, config, dtype):
    report = reference.parity.compare(folder(architecture, **config), BACKENDS, dtype)
    assert report.passed, report.table()
    named = {row.tensor for row in report.rows}
    assert {"logits", "packed.logits", "loss"} <= named
    assert "gradients.detection_head.dense.weight" in named


@pytest.mark.parametrize("architecture", TRAINED)
def test_every_operation_of_the_head_is_compared(folder, architecture):
    checkpoint = read_checkpoint(folder(architecture, **SETTINGS[1]))
    subject = Subject(checkpoint, make_batches(checkpoint))
    for backend in BACKENDS:
        rows = {row.tensor: row for row in subject.operations(backend, subject.build(backend))}
        own = [f"detection_head.{name}" for name in ("dense", "norm", "classifier")]
        assert all(name in rows and rows[name].passed for name in own), backend


@pytest.mark.parametrize(("number", "dtype"), [(0, "float64"), (1, "float64"), (1, "float32")])
@pytest.mark.parametrize("architecture", TRAINED)
@pytest.mark.usefixtures("shapes_not_looked_at")  # those of one step, above, are
def test_fifty_steps_of_training(folder, architecture, number, dtype):
    own = folder(architecture, **SETTINGS[number])
    report = compare_training(own, BACKENDS, dtype, steps=50)
    assert report.passed, report.table()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("config", SETTINGS, ids=lambda config: config.get("span_pooling"))
def test_all_ignored_is_zero_and_trains_nothing(folder, backend, config):
    path = folder("BertForMaskedSequence", **config)
    checkpoint = read_checkpoint(path)
    batch = make_batches(checkpoint)[0].padded
    shape = batch.spans.shape[:-1]
    shape = shape if "task" in config else (*shape, config["num_labels"])
    model = build(
        backend, checkpoint.config, checkpoint.architecture, checkpoint.tensors, "float32"
    )
    labels = np.full(shape, IGNORED, np.int64 if "task" in config else np.float64)
    loss, gradients = model.gradients(batch, labels)
    assert loss == 0
    assert all(not gradient.any() for gradient in gradients.values())


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_at_places_of_a_users(folder, backend):
    """An ignored detection may be anywhere, on padding too, and has no say."""
    path = folder("BertForMaskedSequence", **SETTINGS[0])
    ids, mask = [[5, 6, 7, 8], [9, 10, 0, 0]], [[1, 1, 1, 1], [1, 1, 0, 0]]
    labels = [[[1, 0, 1], [0, IGNORED, 1]], [[1, 1, 1], [IGNORED, 0, 1]]]
    args = (path, backend, ids, mask, labels)
    ask = lambda indices: reference.parity.gradients(*args, mask_indices=indices)
    loss, gradients = ask([[1, 3], [0, 0]])
    same, other = ask([[1, 3], [0, 3]])
    assert loss == pytest.approx(same)
    for key, value in gradients.items():
        np.testing.assert_allclose(other[key], value, atol=1e-6)
    model = AutoModelForMaskedSeqModeling.from_pretrained(path)
    tensors = [torch.tensor(part) for part in (ids, mask, [[1, 3], [0, 0]], labels)]
    assert loss == pytest.approx(model(*tensors).loss.item(), rel=1e-5)
    with pytest.raises(InputError, match="detection 1 of text 1 is on padding"):
        labels[1][1] = [0, 0, 1]
        ask([[1, 3], [0, 3]])
    with pytest.raises(InputError, match="mask_indices is missing"):
        ask(None)
    with pytest.raises(InputError, match="for a model at chosen positions"):
        base = folder("BertForMaskedLM")
        reference.parity.gradients(base, backend, ids, mask, ids, mask_indices=[[1], [1]])


@given(
    st.sampled_from(SPAN_POOLINGS),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=8),
)
def test_shares_are_those_of_a_mean(pooling, pairs):
    spans = [(first, first + more) for first, more in pairs]
    first, last = np.array(spans, np.int64).reshape(-1, 2).T
    places, shares = pooled_places(first, last, pooling)
    numbers = np.random.default_rng(0).standard_normal(60)
    means = {
        "first": lambda a, b: numbers[a],
        "mean": lambda a, b: numbers[a : b + 1].mean(),
        "first_last": lambda a, b: (numbers[a] + numbers[b]) / 2,
    }
    expected = [means[pooling](*span) for span in spans]
    np.testing.assert_allclose((numbers[places] * shares).sum(-1), expected, atol=1e-12)


@settings(max_examples=25)
@given(st.data())
def test_shapes_and_bounds(config_of_bert, data):
    """Whatever places are given: theirs in the batch, or an error that says which is wrong."""
    batch, tokens, most = (data.draw(st.integers(1, 4)) for _ in range(3))
    ids = np.full((batch, tokens), 5)
    drawn = st.lists(st.integers(-1, tokens), min_size=most, max_size=most)
    first = np.array(data.draw(st.lists(drawn, min_size=batch, max_size=batch)))
    wrong = (first < 0) | (first >= tokens)
    try:
        inputs = check_detections(config_of_bert, ids, None, None, first)
    except InputError as error:
        row, place = np.argwhere(wrong)[0]
        assert f"mask_indices[{row}, {place}] is {first[row, place]}" in str(error)
    else:
        assert not wrong.any()
        np.testing.assert_array_equal(
            inputs.spans[..., 0], first + tokens * np.arange(batch)[:, None]
        )


@pytest.fixture(scope="module")
def config_of_bert(folder):
    return read_checkpoint(folder("BertForMaskedSequence")).config


def test_rows_in_another_order_keep_their_detections(config_of_bert):
    ids = np.arange(1, 13).reshape(3, 4)
    first = np.array([[0, 1], [2, 3], [1, 1]])
    inputs = check_detections(config_of_bert, ids, None, None, first)
    moved = inputs.in_order(np.array([2, 0, 1]))
    for number, row in enumerate([2, 0, 1]):
        found = moved.input_ids.ravel()[moved.spans[number, :, 0]]
        np.testing.assert_array_equal(found, ids[row, first[row]])
    plain = Inputs(ids).in_order(np.array([1, 0, 2]))
    np.testing.assert_array_equal(plain.input_ids, ids[[1, 0, 2]])


def test_every_family_has_the_head():
    for family in FAMILIES:
        for prefix in family.prefixes.values():
            architecture = ARCHITECTURES[prefix + MASKED_SEQUENCE.suffix]
            assert architecture.family is family
            assert architecture.port_class.endswith(BASE.suffix)
