"""Small models are run by one thread of torch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reference.parity.faults import RandomGrounds


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> RandomGrounds:
    """Random checkpoints for faults; Transformers runs once on each."""
    return RandomGrounds(tmp_path_factory.mktemp("grounds"))


@pytest.fixture(scope="session")
def random_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random base model that embeds sentences."""
    from reference.parity import random_checkpoint

    return random_checkpoint(tmp_path_factory.mktemp("random"), pooling="mean", normalize=True)
