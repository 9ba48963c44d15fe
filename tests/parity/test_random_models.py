"""Every port on random tiny models: any size, activation, head, padding; outputs, packed rows,
losses, gradients."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings

from reference.backend import BACKENDS, Model
from reference.checkpoint import Checkpoint, read_checkpoint
from reference.families import ARCHITECTURES
from reference.parity import Row, random_checkpoint
from reference.parity.sample import Sample, Tensors
from reference.parity.subject import Subject
from tests.parity.strategies import make_batch, models, shapes

BATCHES = 4
MORE = 20


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
    if not failures(checkpoint, shape, dtype, range(BATCHES)):
        return
    seeds = range(BATCHES, BATCHES + MORE)
    together = {(row.backend, row.tensor) for row in failures(checkpoint, shape, dtype, seeds)}
    again = [failures(checkpoint, shape, dtype, [seed]) for seed in seeds] if together else []
    often = Counter((row.backend, row.tensor) for rows in again for row in rows)
    assert not [name for name in together if often[name] > MORE / 4], often


def failures(
    checkpoint: Checkpoint, shape: dict, dtype: str, seeds: Sequence[int]
) -> list[Row]:
    batches = [make_batch(checkpoint.config, seed=seed, **shape) for seed in seeds]
    subject = Subject(checkpoint, batches, dtype)
    runs = {backend: partial(run, subject.build(backend)) for backend in BACKENDS}
    return [row for rows in subject.measure(runs).values() for row in rows if not row.passed]


def run(model: Model, sample: Sample) -> Tensors:
    return sample.run(model)
