"""Every port on random tiny models: any size, activation, head, padding; outputs, packed rows,
losses, gradients."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings

from reference.backend import BACKENDS, Model
from reference.checkpoint import Checkpoint, read_checkpoint
from reference.families import ARCHITECTURES
from reference.parity import random_checkpoint
from reference.parity.gate import Tally
from reference.parity.sample import Sample, Tensors
from reference.parity.subject import Subject
from tests.parity.strategies import make_batch, models, shapes
from tests.shapes import shapes_not_looked_at

BATCHES = 4
MORE = 20

Name = tuple[str, str]  # of a backend and of a tensor


@settings(max_examples=15)  # of many more configurations test_configurations has small batches
@given(model=models(), shape=shapes())
def test_float32(model, shape):
    with tempfile.TemporaryDirectory() as folder:
        check(read_checkpoint(random_checkpoint(Path(folder), **model)), shape, "float32")


@settings(max_examples=15)
@given(model=models(), shape=shapes())
def test_float64(model, shape):
    with tempfile.TemporaryDirectory() as folder:
        check(read_checkpoint(random_checkpoint(Path(folder), **model)), shape, "float64")


# Model types of one family share the ports' classes.
CLASSES = [
    name for name, architecture in ARCHITECTURES.items() if name == architecture.port_class
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("architecture", CLASSES)
def test_every_class(tmp_path, architecture, dtype):
    """What is drawn above leaves some of them out."""
    checkpoint = read_checkpoint(random_checkpoint(tmp_path, architecture, num_labels=3))
    check(checkpoint, {"lengths": [3, 1, 70, 12], "sides": "rl", "holes": True}, dtype)


def check(checkpoint: Checkpoint, shape: dict, dtype: str) -> None:
    """All three ports pass.

    Where one exceeds a gate, twenty batches more decide, together and each by itself. Twice a
    floor is a long way but not out of luck's reach: some batch is so ill-conditioned that even
    Transformers' two ways to compute attention differ on it by three times, and in float64
    RoPE, which rounds to float32 in the middle, may round the other way for a last bit. Such a
    batch is one of many, though together it decides for them all. And where a batch is one text
    of one token, its logit is one number, whose error may be nothing by luck. What is wrong is
    wrong on most batches, and on all of them together.
    """
    together, _ = failures(checkpoint, shape, dtype, range(BATCHES))
    if not together:
        return
    together, alone = failures(checkpoint, shape, dtype, range(BATCHES, BATCHES + MORE))
    assert not [name for name in together if alone[name] > MORE / 4], alone


def failures(
    checkpoint: Checkpoint, shape: dict, dtype: str, seeds: Sequence[int]
) -> tuple[set[Name], Counter[Name]]:
    """What exceeds its gate over all batches together; and on how many of them, each held by
    itself."""
    batches = [make_batch(checkpoint.config, seed=seed, **shape) for seed in seeds]
    subject = Subject(checkpoint, batches, dtype)
    models = {backend: subject.build(backend) for backend in BACKENDS}
    with nullcontext() if dtype == "float32" else shapes_not_looked_at():  # they are the same
        return held(subject, models, dtype)


def held(
    subject: Subject, models: dict[str, Model], dtype: str
) -> tuple[set[Name], Counter[Name]]:
    together = [Tally(backend, dtype) for backend in BACKENDS]
    often: Counter[Name] = Counter()
    for sample in subject:
        alone = [Tally(backend, dtype) for backend in BACKENDS]
        for backend, *tallies in zip(BACKENDS, together, alone, strict=True):
            found = run(models[backend], sample)
            for tally in tallies:
                tally.add(found, sample.truth, sample.floors(backend))
        often.update(failed(alone))
    return failed(together), often


def failed(tallies: Sequence[Tally]) -> set[Name]:
    rows = [row for tally in tallies for row in tally.rows()]
    return {(row.backend, row.tensor) for row in rows if not row.passed}


def run(model: Model, sample: Sample) -> Tensors:
    return sample.run(model)
