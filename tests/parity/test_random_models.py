"""Every port on random tiny models: any size, activation, head, padding; outputs, packed rows, losses, gradients."""

import tempfile
from functools import partial
from pathlib import Path

from hypothesis import given, settings

from reference.backend import BACKENDS, Model
from reference.checkpoint import Checkpoint, read_checkpoint
from reference.parity import Row, random_checkpoint
from reference.parity.sample import Sample, Tensors
from reference.parity.subject import Subject
from tests.parity.strategies import make_batch, models, shapes

BATCHES = 4


@settings(max_examples=40)
@given(model=models(), shape=shapes())
def test_float32(model, shape):
    with tempfile.TemporaryDirectory() as folder:
        check(read_checkpoint(random_checkpoint(Path(folder), **model)), shape, "float32")


@settings(max_examples=15)
@given(model=models(), shape=shapes())
def test_float64(model, shape):
    with tempfile.TemporaryDirectory() as folder:
        check(read_checkpoint(random_checkpoint(Path(folder), **model)), shape, "float64")


def check(checkpoint: Checkpoint, shape: dict, dtype: str) -> None:
    """All three ports pass.

    Where one exceeds a gate, more batches decide. Twice a floor is a long way but not out of luck's reach: four
    batches of a small model let some port exceed it in about one model of two hundred, by a little. What is wrong
    stays wrong on any number of batches, and against either way in which Transformers itself computes attention: a
    single batch may be so ill-conditioned that it decides alone, and their errors on it differ by three times.
    """
    if not failures(checkpoint, shape, dtype, range(BATCHES)):
        return
    seeds = range(BATCHES, 6 * BATCHES)
    failed, again = (failures(checkpoint, shape, dtype, seeds, attention) for attention in ("sdpa", "eager"))
    both = {(row.backend, row.tensor) for row in failed} & {(row.backend, row.tensor) for row in again}
    assert not both, "\n".join(map(str, failed))


def failures(checkpoint: Checkpoint, shape: dict, dtype: str, seeds: range, attention: str = "sdpa") -> list[Row]:
    batches = [make_batch(checkpoint.config, seed=seed, **shape) for seed in seeds]
    subject = Subject(checkpoint, batches, dtype)
    if subject.noisy is not subject.oracle:
        subject.noisy.model.set_attn_implementation(attention)
    runs = {backend: partial(run, subject.build(backend)) for backend in BACKENDS}
    return [row for rows in subject.measure(runs).values() for row in rows if not row.passed]


def run(model: Model, sample: Sample) -> Tensors:
    return sample.run(model)
