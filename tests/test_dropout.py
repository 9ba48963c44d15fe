"""Dropout: the same draws in every port, in Transformers' modules and over packed rows, and
none where nothing is learned."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import reference
from reference.backend import build, learner
from reference.checkpoint import read_checkpoint
from reference.dropout import Dropout, dropping, keep, scale, training_pass
from reference.errors import InputError
from reference.families import ARCHITECTURES
from reference.inputs import Inputs
from reference.learning import AdamW, take_step
from reference.masking import IGNORED
from reference.parity.trajectory import compare_training, loss_trajectory, random_groups

# One of each head; some families differ in nothing but the names of their classes.
HEADED = {
    (kind.family, kind.task): name
    for name, kind in ARCHITECTURES.items()
    if kind.task.name != "base"
}.values()


def rates(name: str) -> dict[str, float]:
    """A rate of its own for each thing that a configuration has dropped, so that one that is
    taken for another shows."""
    config = ARCHITECTURES[name].family.config
    keys = sorted(key for key in config.__dataclass_fields__ if "dropout" in key)
    return {key: 0.1 + 0.04 * number for number, key in enumerate(keys)}


def headed(folder, name, **config):
    return reference.parity.random_checkpoint(folder, name, **rates(name) | config)


@pytest.mark.parametrize("name", HEADED)
def test_every_head_drops_what_transformers_drops(name, tmp_path):
    """The oracle's modules decide where, in what order and at which rate."""
    folder = headed(tmp_path, name)
    report = compare_training(folder, dtype="float64", steps=2, dropout=5)
    assert report.passed, report
    batches = random_groups(read_checkpoint(folder), 1)
    (without,), (dropped,) = (
        loss_trajectory(folder, "torch", batches, dropout=seed) for seed in (None, 5)
    )
    assert abs(without - dropped) > 1e-4


@pytest.mark.parametrize("name", ["BertForMaskedLM", "ModernBertForMultipleChoice"])
def test_in_float32_the_floor_is_that_of_the_same_dropout(name, tmp_path):
    report = compare_training(headed(tmp_path, name), steps=3, dropout=5)
    assert report.passed, report


def learned(folder, backend, inputs, labels, dropout):
    """The loss, and what there is of first moments after a step, which is the gradient."""
    checkpoint = read_checkpoint(folder)
    subject = learner(
        backend,
        checkpoint.config,
        checkpoint.architecture,
        checkpoint.tensors,
        AdamW(betas=(0.0, 0.9)),
        "float64",
    )
    loss = subject.learn(inputs, labels, 1.0, dropout)
    subject.step(1e-3)
    return loss, subject.moments()


PACKED = [
    ("BertForMaskedLM", {}),
    ("ElectraForSequenceClassification", {}),
    ("MPNetForTokenClassification", {}),  # whose attention has a bias
    ("ModernBertForMaskedLM", {"local_attention": 4}),
    ("RopeEncoderForMaskedLM", {}),
]


@pytest.mark.parametrize(("name", "config"), PACKED)
def test_a_packed_row_drops_what_a_padded_batch_drops(name, config, tmp_path, backend):
    folder = headed(tmp_path, name, **config)
    lengths, task = [7, 3, 5], ARCHITECTURES[name].task
    real = np.arange(7) < np.array(lengths)[:, None]
    generator = np.random.default_rng(0)
    ids = np.where(real, generator.integers(5, 50, real.shape), 0)
    padded = Inputs(ids, real.astype(np.int64))
    labels = task.make_labels(read_checkpoint(folder).config, padded, generator)
    if labels.shape == ids.shape:
        labels = np.where(real, labels, IGNORED)
    packed = Inputs(ids[real], cu_seqlens=np.array([0, 7, 10, 15]))
    in_a_row = labels[real] if labels.shape == ids.shape else labels
    dropout = Dropout(3, 1, 2)
    loss, gradients = learned(folder, backend, padded, labels, dropout)
    again, same = learned(folder, backend, packed, in_a_row, dropout)
    tolerance = 1e-5 if backend == "mlx" else 1e-10
    assert again == pytest.approx(loss, rel=tolerance)
    largest = max(np.abs(gradient).max() for gradient in gradients.values())
    for key, gradient in gradients.items():
        np.testing.assert_allclose(same[key], gradient, atol=tolerance * largest, err_msg=key)


def test_the_same_pass_drops_the_same_and_another_does_not(tmp_path, backend):
    folder = headed(tmp_path, "BertForMaskedLM")
    (example,) = random_groups(read_checkpoint(folder), 1)[0]
    pair = (example.inputs, example.labels)
    passes = [Dropout(1, 2, 3), Dropout(0, 2, 3), Dropout(1, 0, 3), Dropout(1, 2, 0)]
    losses = [learned(folder, backend, *pair, dropout)[0] for dropout in passes]
    assert len(set(losses)) == 4
    assert learned(folder, backend, *pair, passes[0])[0] == losses[0]


def test_a_model_that_learns_with_dropout_is_evaluated_without(tmp_path, backend):
    folder = headed(tmp_path, "BertForMaskedLM")
    checkpoint = read_checkpoint(folder)
    parts = (checkpoint.config, checkpoint.architecture)
    subject = learner(backend, *parts, checkpoint.tensors, AdamW())
    (group,) = random_groups(checkpoint, 1)
    take_step(subject, group, 1e-3, seed=1)
    apart = build(backend, *parts, subject.model.state())
    inputs = group[0].inputs
    for model in (subject.model, apart):
        np.testing.assert_allclose(
            model.forward(inputs)["logits"], apart.forward(inputs)["logits"], atol=1e-5
        )
    assert subject.model.gradients(inputs, group[0].labels)[0] == pytest.approx(
        apart.gradients(inputs, group[0].labels)[0], rel=1e-5
    )


def test_a_rate_of_zero_is_no_dropout_and_one_of_one_leaves_nothing(tmp_path, backend):
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    folder = headed(tmp_path / "none", "BertForMaskedLM", **none)
    (example,) = random_groups(read_checkpoint(folder), 1)[0]
    pair = (example.inputs, example.labels)
    assert learned(folder, backend, *pair, Dropout(1, 1))[0] == pytest.approx(
        learned(folder, backend, *pair, None)[0], rel=1e-12
    )
    all_of_it = {"hidden_dropout_prob": 1.0, "attention_probs_dropout_prob": 1.0}
    folder = headed(tmp_path / "all", "BertForMaskedLM", **all_of_it)
    report = compare_training(folder, (backend,), "float64", steps=2, dropout=1)
    assert report.passed and all(np.isfinite(row.error) for row in report.rows)


def test_groups_drop_by_the_place_of_a_batch_and_runs_go_on(tmp_path, backend):
    """Two batches of a group drop differently; a learner that was resumed drops what it would
    have dropped."""
    folder = headed(tmp_path, "BertForMaskedLM")
    checkpoint = read_checkpoint(folder)
    groups = [[one, one] for (one,) in random_groups(checkpoint, 2)]
    assert compare_training(folder, (backend,), "float64", batches=groups, dropout=2).passed

    def start(tensors):
        return learner(backend, checkpoint.config, checkpoint.architecture, tensors, AdamW())

    whole = start(checkpoint.tensors)
    losses = [take_step(whole, group, 1e-2, 1.0, 2) for group in groups]
    first = start(checkpoint.tensors)
    take_step(first, groups[0], 1e-2, 1.0, 2)
    second = start(first.model.state())
    second.resume(first.steps, first.moments())
    assert take_step(second, groups[1], 1e-2, 1.0, 2) == losses[1]


def test_draws_are_even_and_do_not_hang_together():
    one = Dropout(1, 1).keep(0, (200, 500), 0.3)
    assert one.mean() == pytest.approx(0.7, abs=0.005)
    for other in (
        Dropout(2, 1).keep(0, (200, 500), 0.3),
        Dropout(1, 2).keep(0, (200, 500), 0.3),
        Dropout(1, 1, 1).keep(0, (200, 500), 0.3),
        Dropout(1, 1).keep(1, (200, 500), 0.3),
        np.roll(one, 1),
    ):
        counts = [[(one & other).sum(), (one & ~other).sum()]]
        counts += [[(~one & other).sum(), (~one & ~other).sum()]]
        assert stats.chi2_contingency(counts).pvalue > 1e-4


def test_an_odd_number_of_draws_begins_as_an_even_one_does():
    drawn = Dropout(4, 5, 6)
    np.testing.assert_array_equal(drawn.keep(7, (9,), 0.5), drawn.keep(7, (2, 5), 0.5).flat[:9])


def test_nothing_outlives_a_pass():
    with pytest.raises(RuntimeError, match="in the middle"), training_pass(Dropout(1, 1)):
        assert dropping(0.1) and not dropping(0.0)
        with training_pass(None):
            assert not dropping(0.1)
        raise RuntimeError("in the middle")
    assert not dropping(0.1)
    with pytest.raises(AssertionError, match="outside of a training pass"):
        keep((3,), 0.1)
    assert (scale(0.0), scale(0.5), scale(1.0)) == (1.0, 2.0, 0.0)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"step": 1.5}, {"batch": None}])
def test_a_pass_that_has_no_name(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} is .* a whole number"):
        replace(Dropout(1, 1), **wrong)


def test_a_model_that_a_user_builds_drops_in_a_pass():
    from reference.torch.rope_encoder import EmbeddingModel

    model = EmbeddingModel(vocab_size=20, embedding_dim=16, num_heads=2, hidden_dim=32)
    plain, again = (model([[3, 4, 5]]).embeddings for _ in range(2))
    with training_pass(Dropout(1, 0)):
        dropped = model([[3, 4, 5]]).embeddings
    assert (plain == again).all() and (plain - dropped).abs().max() > 0.01
