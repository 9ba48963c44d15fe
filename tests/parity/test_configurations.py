"""A great many random configurations, each on one small batch and without a file between
Transformers and the ports. `make fuzz` draws ten thousand."""

import copy
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings

from reference.backend import BACKENDS
from reference.checkpoint import Checkpoint, read_checkpoint, select_tensors
from reference.families import ARCHITECTURES
from reference.families.reading import config_from_dict
from reference.parity import random_checkpoint
from reference.parity.random_models import draw
from reference.parity.subject import Subject
from tests.parity.strategies import few_tokens, make_batch, models
from tests.parity.test_random_models import check, run

CONFIGURATIONS = os.environ.get("CONFIGURATIONS")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """A second one only waits, on matrices of this size."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@settings(max_examples=int(CONFIGURATIONS or 200), derandomize=CONFIGURATIONS is None)
@given(model=models(), shape=few_tokens())
def test_outputs_losses_and_gradients(model, shape):
    subject = in_memory(shape, **model)
    runs = {backend: partial(run, subject.build(backend)) for backend in BACKENDS}
    rows = [row for rows in subject.measure(runs).values() for row in rows]
    if all(row.passed for row in rows):
        return
    with tempfile.TemporaryDirectory() as folder:  # luck, perhaps: more batches decide
        check(read_checkpoint(random_checkpoint(Path(folder), **model)), shape, "float32")


def in_memory(
    shape: dict[str, Any],
    architecture: str,
    seed: int,
    pooling: str | None = None,
    normalize: bool = False,
    **settings: Any,
) -> Subject:
    """What random_checkpoint writes and the oracle reads, without the writing and reading where
    Transformers has the model. Pooling is beside the point here."""
    its_architecture = ARCHITECTURES[architecture]
    family = its_architecture.family
    if not its_architecture.in_transformers:
        return through_a_folder(shape, architecture, seed, **settings)
    kind = getattr(transformers, architecture)
    names = family.tiny | settings
    config = kind.config_class(**{family.config.spelled(key): names[key] for key in names})
    noisy = kind(config).eval()
    with torch.no_grad():
        for key, parameter in noisy.named_parameters():
            parameter.copy_(torch.from_numpy(draw(key, tuple(parameter.shape), seed)))
    ours = config_from_dict(config.to_dict())
    tensors = {key: parameter.detach().numpy() for key, parameter in noisy.named_parameters()}
    tensors = select_tensors(tensors, ours, its_architecture, architecture)
    checkpoint = Checkpoint(Path("nowhere"), ours, its_architecture, tensors)
    subject = Subject(checkpoint, [make_batch(ours, seed=seed, **shape)])
    subject.noisy.model, subject.oracle.model = noisy, copy.deepcopy(noisy).double()
    return subject


def through_a_folder(
    shape: dict[str, Any], architecture: str, seed: int, **settings: Any
) -> Subject:
    with tempfile.TemporaryDirectory() as folder:
        random_checkpoint(Path(folder), architecture, seed, **settings)
        checkpoint = read_checkpoint(Path(folder))
        subject = Subject(checkpoint, [make_batch(checkpoint.config, seed=seed, **shape)])
        assert subject.oracle.model and subject.noisy.model  # read while the folder is there
    return subject
