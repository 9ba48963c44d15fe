"""Whole runs of training: every loss beside the oracle's, and known bugs, each told from the
others."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference.backend import BACKENDS, learner
from reference.checkpoint import read_checkpoint
from reference.errors import InputError
from reference.families import ARCHITECTURES
from reference.learning import AdamW, Example, take_step
from reference.masking import IGNORED
from reference.parity.faults.training import FAULTS
from reference.parity.oracle import oracle_for
from reference.parity.trajectory import (
    check_groups,
    compare_training,
    loss_trajectory,
    oracle_trajectory,
    random_groups,
)
from tests.shapes import shapes_not_looked_at

HEADED = [name for name, kind in ARCHITECTURES.items() if kind.task.name != "base"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    return reference.parity.random_checkpoint(folder, "BertForMaskedLM")


@pytest.fixture(scope="module")
def modernbert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modernbert")
    return reference.parity.random_checkpoint(folder, "ModernBertForMaskedLM")


def worst(report) -> str:
    return "\n".join(
        f"{row.backend} {row.tensor} {row.error:.2e} {row.ratio:.2f}"
        for row in report.rows
        if not row.passed
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["bert", "modernbert"])
@pytest.mark.usefixtures("shapes_not_looked_at")  # those of five steps, below, are
def test_fifty_steps(name, dtype, request):
    report = compare_training(request.getfixturevalue(name), dtype=dtype)
    assert report.passed, worst(report)
    assert len(report.rows) == 3 * 50
    losses = reference.parity.loss_trajectory(
        request.getfixturevalue(name),
        "torch",
        random_groups(read_checkpoint(request.getfixturevalue(name)), 5),
    )
    assert len(losses) == 5 and len(set(losses)) == 5


@pytest.mark.parametrize("name", HEADED)
def test_every_head(name, tmp_path):
    folder = reference.parity.random_checkpoint(tmp_path, name)
    report = compare_training(folder, dtype="float64", steps=5)
    assert report.passed, worst(report)


def as_dicts(group: list[Example]) -> list[dict[str, np.ndarray]]:
    return [
        {
            "input_ids": example.inputs.input_ids,
            "attention_mask": example.inputs.attention_mask,
            "token_type_ids": example.inputs.token_type_ids,
            "labels": example.labels,
        }
        for example in group
    ]


def cut(batch: dict[str, np.ndarray], size: int) -> list[dict[str, np.ndarray]]:
    rows = len(batch["labels"])
    return [
        {key: array[first : first + size] for key, array in batch.items()}
        for first in range(0, rows, size)
    ]


def uneven_groups(folder, steps: int) -> list[list[dict[str, np.ndarray]]]:
    """Groups of three batches of two texts, in which very different numbers of labels count;
    every third group is of one batch."""
    checkpoint = read_checkpoint(folder)
    groups = []
    for step, group in enumerate(random_groups(checkpoint, steps, seed=1)):
        (batch,) = as_dicts(group)
        labels = np.where(batch["attention_mask"] == 1, batch["input_ids"], IGNORED)
        labels[2:4, 1:] = IGNORED
        parts = cut(batch | {"labels": labels}, 2)
        groups.append(parts[:1] if step % 3 == 2 else parts)
    return groups


def test_accumulated_batches_are_one_batch(bert, backend):
    """Four of two texts are one of eight, though more labels count in some."""
    (group,) = random_groups(read_checkpoint(bert), 1)
    (batch,) = as_dicts(group)
    batch = {key: np.concatenate([array, array[:2]]) for key, array in batch.items()}
    batch["labels"][:2] = IGNORED
    batch["labels"][1, 0] = batch["labels"][4, :2] = 7
    parts = cut(batch, 2)
    counts = [int((part["labels"] != IGNORED).sum()) for part in parts]
    assert len(set(counts)) > 1
    settings = {"dtype": "float64", "clip": 0.1}
    whole = loss_trajectory(bert, backend, [batch] * 6, **settings)
    summed = loss_trajectory(bert, backend, [parts] * 6, **settings)
    tolerance = 1e-5 if backend == "mlx" else 1e-12
    np.testing.assert_allclose(summed, whole, rtol=tolerance)


STEPS = 7
RATES = tuple(1e-2 * share for share in (0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25))
OPTIONS = (0.5, 0.1, "float64")  # clip, weight decay


@pytest.fixture(scope="module")
def groups(bert):
    return uneven_groups(bert, STEPS)


@pytest.fixture(scope="module")
def truths(bert, groups):
    """Without dropout, and with the dropout of the faults that only show with one."""
    checkpoint = read_checkpoint(bert)
    groups = check_groups(checkpoint, groups)
    return {
        seed: np.array(
            oracle_trajectory(oracle_for(checkpoint), groups, RATES, *OPTIONS[:2], seed)
        )
        for seed in {fault.dropout for fault in FAULTS.values()}
    }


@pytest.fixture(scope="module")
def faulty(bert, groups):
    """The losses of each fault in each port that it can be seeded in."""
    with shapes_not_looked_at():
        return {
            backend: {
                name: np.array(fault.trajectory(bert, backend, groups, RATES, *OPTIONS))
                for name, fault in FAULTS.items()
            }
            for backend in ("torch", "mlx")
        }


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference; losses that one has not differ too."""
    if len(one) != len(other):
        return np.inf
    return float(np.abs(one - other).max())


def test_without_a_fault_there_is_no_alarm(bert, groups, truths, backend):
    for seed, truth in truths.items():
        losses = loss_trajectory(bert, backend, groups, RATES, *OPTIONS, dropout=seed)
        gate = 1e-5 if backend == "mlx" else 1e-10
        assert apart(np.array(losses), truth) <= gate * truth.max()


@pytest.mark.parametrize("name", FAULTS)
def test_each_is_caught_and_told_from_the_others(faulty, truths, name):
    """By far more than float64 rounds."""
    found, truth = faulty["torch"][name], truths[FAULTS[name].dropout]
    away = apart(found, truth)
    assert away > 10 * 1e-10 * truth.max()
    others = {
        other: apart(found, losses)
        for other, losses in faulty["torch"].items()
        if other != name
    }
    nearest = min(others, key=others.get)
    assert others[nearest] > 1e-10 * truth.max(), nearest


@pytest.mark.parametrize("name", [name for name in FAULTS if "float32" not in name])
def test_mlx_shows_the_same(faulty, truths, name):
    """Its losses with a fault are nearest to PyTorch's with that fault."""
    found, truth = faulty["mlx"][name], truths[FAULTS[name].dropout]
    distances = {other: apart(found, losses) for other, losses in faulty["torch"].items()} | {
        "none": apart(found, truth)
    }
    assert min(distances, key=distances.get) == name
    assert distances[name] <= 1e-5 * truth.max()


def test_a_parameter_that_nothing_reaches_stays(tmp_path, backend):
    """The pooler of a base model, which decays under no optimizer that skips what has no
    gradient."""
    folder = reference.parity.random_checkpoint(tmp_path, "BertModel")
    checkpoint = read_checkpoint(folder)
    subject = learner(
        backend,
        checkpoint.config,
        checkpoint.architecture,
        checkpoint.tensors,
        AdamW(weight_decay=0.5),
    )
    inputs = reference.inputs.Inputs(np.array([[3, 4, 5]]))
    labels = np.ones((1, 3, checkpoint.config.hidden_size))
    for _ in range(3):
        take_step(subject, [Example(inputs, labels)], 1e-2)
    after = subject.model.state()
    for key, before in checkpoint.tensors.items():
        assert np.array_equal(after[key], before) == key.startswith("pooler."), key
        assert (f"first.{key}" in subject.moments()) != key.startswith("pooler.")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_learner_goes_on_bit_for_bit(bert, backend, dtype):
    checkpoint = read_checkpoint(bert)
    groups = random_groups(checkpoint, 6)

    def start(tensors):
        return learner(
            backend, checkpoint.config, checkpoint.architecture, tensors, AdamW(), dtype
        )

    whole = start(checkpoint.tensors)
    losses = [take_step(whole, group, 1e-2, 1.0) for group in groups]
    first = start(checkpoint.tensors)
    for group in groups[:3]:
        take_step(first, group, 1e-2, 1.0)
    second = start(first.model.state())
    second.resume(first.steps, first.moments())
    again = [take_step(second, group, 1e-2, 1.0) for group in groups[3:]]
    assert again == losses[3:] and second.steps == 6
    for key, value in whole.model.state().items():
        np.testing.assert_array_equal(second.model.state()[key], value)
    for name, value in whole.moments().items():
        np.testing.assert_array_equal(second.moments()[name], value)


def test_forgotten_gradients_leave_no_trace(bert, backend):
    checkpoint = read_checkpoint(bert)
    first, second = random_groups(checkpoint, 2)
    states = []
    for forget in (False, True):
        subject = learner(
            backend, checkpoint.config, checkpoint.architecture, checkpoint.tensors, AdamW()
        )
        if forget:
            subject.learn(first[0].inputs, first[0].labels)
            subject.forget()
        take_step(subject, second, 1e-2)
        states.append(subject.model.state())
    for key, value in states[0].items():
        np.testing.assert_array_equal(states[1][key], value)


def test_the_model_of_a_learner_is_as_it_is_now(bert, backend):
    """What was laid side by side when the model was built is laid out anew."""
    checkpoint = read_checkpoint(bert)
    subject = learner(
        backend, checkpoint.config, checkpoint.architecture, checkpoint.tensors, AdamW()
    )
    group = random_groups(checkpoint, 1)[0]
    before = subject.model.forward(group[0].inputs)["logits"]
    take_step(subject, group, 1e-2)
    after = subject.model.forward(group[0].inputs)["logits"]
    rebuilt = reference.backend.build(
        backend, checkpoint.config, checkpoint.architecture, subject.model.state()
    )
    assert not np.allclose(before, after, atol=1e-3)
    np.testing.assert_allclose(
        rebuilt.forward(group[0].inputs)["logits"], after, rtol=1e-5, atol=1e-5
    )


@given(
    shape=st.sampled_from([(3,), (2, 3), (1, 1), (5, 2)]),
    seed=st.integers(0, 99),
    rate=st.floats(0, 0.1),
    decay=st.floats(0, 0.5),
    betas=st.tuples(st.floats(0, 0.99), st.floats(0.1, 0.9999)),
    epsilon=st.sampled_from([1e-8, 1e-6, 1e-3]),
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_is_that_of_torch(backend, shape, seed, rate, decay, betas, epsilon):
    import importlib

    generator = np.random.default_rng(seed)
    start, gradients = generator.standard_normal(shape), generator.standard_normal((4, *shape))
    theirs = torch.tensor(start, requires_grad=True)
    settings = AdamW(weight_decay=decay, betas=betas, epsilon=epsilon)
    optimizer = torch.optim.AdamW(
        [theirs], lr=rate, betas=betas, eps=epsilon, weight_decay=settings.decay(shape)
    )
    room = importlib.import_module(f"reference.{backend}.training")
    make, read = {
        "torch": (torch.tensor, lambda x: x.numpy()),
        "mlx": (_to_mlx, np.array),
        "candle": (np.array, lambda x: x),
    }[backend]
    state = [make(start), make(np.zeros(shape)), make(np.zeros(shape))]
    for step, gradient in enumerate(gradients, 1):
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
        with _on_cpu(backend):
            parameter, first, second = state
            state = list(
                room.adamw(parameter, make(gradient), first, second, rate, step, settings)
            )
            found = read(state[0])
        np.testing.assert_allclose(found, theirs.detach().numpy(), rtol=1e-12, atol=1e-14)


def _to_mlx(array):
    import mlx.core as mx

    return mx.array(array, dtype=mx.float64)


def _on_cpu(backend):
    import contextlib

    import mlx.core as mx

    return mx.stream(mx.cpu) if backend == "mlx" else contextlib.nullcontext()


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "batches must be a list of dicts"),
        ({"input_ids": [[1]]}, "batches must be a list of dicts"),
        ([{"input_ids": [[1]]}], r"batches\[0\] must be a dict with input_ids and labels"),
        ([[]], r"batches\[0\] is empty"),
        ([{"input_ids": [[1]], "labels": [[IGNORED]]}], r"batches\[0\] has no label that"),
        ([{"input_ids": [[1]], "labels": [[1]], "mask": 1}], r"batches\[0\] has 'mask'"),
        ([{"input_ids": [[1]], "labels": [[61]]}], "labels hold 61"),
        ([{"input_ids": [[1, 2]], "labels": [[1]]}], "labels have shape"),
    ],
)
def test_bad_batches(bert, backend, batches, message):
    with pytest.raises(InputError, match=message):
        loss_trajectory(bert, backend, batches)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"learning_rate": [1e-3, 1e-3]}, "2 learning rates for 1 steps"),
        ({"clip": 0}, "clip is 0"),
        ({"clip": float("nan")}, "clip is nan"),
        ({"weight_decay": "a"}, "weight_decay is 'a'"),
        ({"dtype": "float16"}, "dtype 'float16' is not available for training"),
    ],
)
def test_bad_settings(bert, backend, options, message):
    batches = [{"input_ids": [[1, 2]], "labels": [[1, 2]]}]
    with pytest.raises(InputError, match=message):
        loss_trajectory(bert, backend, batches, **options)


def test_a_base_model_has_nothing_to_train(tmp_path):
    folder = reference.parity.random_checkpoint(tmp_path, "BertModel")
    with pytest.raises(InputError, match="BertModel has no head to be trained"):
        compare_training(folder)


def test_the_command_line(bert, tmp_path, capsys):
    from reference.__main__ import main

    target = tmp_path / "report.json"
    command = ["parity", str(bert), "--backends", "torch", "candle", "--json", str(target)]
    assert main([*command, "--training", "3", "--dropout", "1"]) == 0
    printed = capsys.readouterr().out
    assert "losses" in printed and "candle: all 3 tensors pass" in printed
    assert '"losses.2"' in target.read_text()
    for more, message in [
        (["--training", "0"], "--training is 0"),
        (["--training", "3", "--texts", "x"], "--texts does not go with --training"),
        (["--training", "3", "--dropout", "-1"], "dropout is -1"),
        (["--training", "3", "--port", "math:sin"], "--port does not go with --training"),
    ]:
        assert main([*command, *more]) == 2
        assert message in capsys.readouterr().err
    assert main([*command, "--dropout", "1"]) == 2
    assert "--dropout goes with --training only" in capsys.readouterr().err
