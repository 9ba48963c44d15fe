"""Training heads on labels of every kind: each family's gradient beside Transformers', classes
that weigh more, and batches that count as what they hold."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reference.backend import learner
from reference.checkpoint import read_checkpoint
from reference.errors import InputError
from reference.families import FAMILIES, PROBLEM_TYPES
from reference.inputs import Inputs
from reference.learning import AdamW, Example, take_step
from reference.masking import IGNORED
from reference.parity import random_checkpoint
from reference.parity.batch import Batch
from reference.parity.oracle import oracle_for

IDS = np.array([[2, 7, 8, 30, 3], [2, 9, 3, 0, 0], [2, 40, 41, 3, 0]])
MASK = (IDS != 0).astype(np.int64)
TEXT = [
    f"{next(iter(family.prefixes.values()))}ForSequenceClassification"
    for family in FAMILIES
    if any(task.name == "text-classification" for task in family.tasks)
]
WEIGHTS = np.array([0.2, 3.0, 1.5])
EXACT = {"torch": 1e-10, "candle": 1e-10, "mlx": 1e-5}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base, made = tmp_path_factory.mktemp("models"), {}

    def folder(name, **config):
        key = "-".join([name, *map(str, config.values())])
        if key not in made:
            made[key] = random_checkpoint(base / key, name, num_labels=3, **config)
        return made[key]

    return folder


def inputs_of(checkpoint, rows=slice(None)):
    """With the family's own pad."""
    ids = np.where(MASK == 1, IDS, checkpoint.config.pad_token_id)
    return Inputs(ids[rows], MASK[rows])


def labels_of(kind):
    generator = np.random.default_rng(0)
    if kind == "single_label_classification":
        return np.array([2, 0, 1])
    if kind == "regression":
        return generator.standard_normal((3, 3))
    return generator.integers(2, size=(3, 3)).astype(np.float64)


def learned(folder, backend, group, rate=0.0):
    """Loss and gradients of a step, which are its first moments."""
    checkpoint = read_checkpoint(folder)
    subject = learner(
        backend,
        checkpoint.config,
        checkpoint.architecture,
        checkpoint.tensors,
        AdamW(betas=(0.0, 0.0)),
        "float64",
    )
    loss = take_step(subject, group, rate)
    moments = subject.moments()
    return loss, {key: moments.get(f"first.{key}", 0) for key in checkpoint.tensors}


def check(found, expected, gate):
    assert found[0] == pytest.approx(expected[0], rel=gate)
    largest = max(np.abs(gradient).max() for gradient in expected[1].values())
    for key, gradient in expected[1].items():
        np.testing.assert_allclose(
            found[1][key], gradient, rtol=0, atol=gate * largest, err_msg=key
        )


@pytest.mark.parametrize("kind", PROBLEM_TYPES)
@pytest.mark.parametrize("name", TEXT)
def test_every_problem_of_every_family_in_batches_of_unequal_size(folders, backend, name, kind):
    """Two texts and one, added up, are the batch of three."""
    folder = folders(name, problem_type=kind)
    checkpoint, labels = read_checkpoint(folder), labels_of(kind)
    parts = slice(0, 2), slice(2, 3)
    group = [Example(inputs_of(checkpoint, rows), labels[rows]) for rows in parts]
    each = 1 if kind == "single_label_classification" else 3
    assert [example.count for example in group] == [2 * each, each]
    whole = Batch(inputs_of(checkpoint))
    expected = oracle_for(checkpoint, "float64").gradients(whole, labels)
    gate = EXACT[backend]
    if name.startswith("ModernBert"):  # whose tables are made in float32
        gate = max(gate, 1e-6)
    check(learned(folder, backend, group), expected, gate)


def weighted(folder, labels):
    """The cross entropy of Transformers' logits as PyTorch weighs it, and its gradients."""
    checkpoint = read_checkpoint(folder)
    model = oracle_for(checkpoint, "float64").model
    logits = model(torch.tensor(IDS), torch.tensor(MASK)).logits
    loss = F.cross_entropy(
        logits.flatten(0, -2), torch.tensor(labels).flatten(), torch.tensor(WEIGHTS)
    )
    keys = list(checkpoint.tensors)
    parameters = [model.get_parameter(key) for key in keys]
    found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    return loss.item(), {key: one.numpy() for key, one in zip(keys, found, strict=True)}


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("BertForSequenceClassification", np.array([2, 0, 1])),
        (
            "BertForTokenClassification",
            np.array([[IGNORED, 0, 1, 0, 2], [2, 2, IGNORED, IGNORED, IGNORED], [0] * 5]),
        ),
    ],
)
def test_classes_weigh_as_in_pytorch_in_one_batch_and_in_several(
    folders, backend, name, labels
):
    folder = folders(name)
    checkpoint, expected = read_checkpoint(folder), weighted(folder, labels)
    for parts in ([slice(None)], [slice(0, 2), slice(2, 3)]):
        group = [Example(inputs_of(checkpoint, p), labels[p], WEIGHTS) for p in parts]
        check(learned(folder, backend, group), expected, EXACT[backend])


def test_a_batch_of_classes_that_weigh_nothing_is_passed_over(folders, backend):
    """Its mean is 0/0."""
    folder = folders("BertForSequenceClassification")
    checkpoint, none = read_checkpoint(folder), np.array([0.0, 1.0, 1.0])
    examples = [
        Example(inputs_of(checkpoint, rows), np.array(labels), none)
        for rows, labels in ((slice(0, 2), [0, 0]), (slice(2, 3), [1]))
    ]
    alone = learned(folder, backend, examples[1:])
    check(learned(folder, backend, examples), alone, 1e-12)
    with pytest.raises(InputError, match="nothing in these batches counts"):
        learned(folder, backend, examples[:1])


def test_class_weights_are_for_classes():
    with pytest.raises(InputError, match="labels hold float64; class weights are for"):
        Example(None, np.array([0.5]), WEIGHTS)
