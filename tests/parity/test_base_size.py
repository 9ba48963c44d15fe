"""ModernBERT at the size of ModernBERT-base, with weights as Transformers draws them, at
a length beyond a window.

The small random models of the other tests leave nothing out. What only width and depth bring is
here: long sums, and twenty-two layers through which an error may grow.

All at once would be twelve gigabytes: three ports, Transformers in two precisions, and the
activations and gradients of each. So there is one network at a time, on few tokens, and the
truth waits on the disk.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import transformers

from reference.backend import BACKENDS, build
from reference.checkpoint import read_checkpoint, write_checkpoint
from reference.families.initial import initial_tensors
from reference.families.reading import config_from_dict
from reference.parity.batch import random_batch
from reference.parity.gate import Tally
from reference.parity.oracle import oracle_for
from reference.parity.sample import Sample, Tensors
from tests.memory import give_back_memory

SETTINGS = {
    "architectures": ["ModernBertForMaskedLM"],
    # A tenth of the real one, which would be half of the work; tests of the losses have the
    # whole.
    "vocab_size": 5003,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "cls_token_id": 1,
    "eos_token_id": 2,
    "sep_token_id": 2,
}
# The first length that begins another block of queries, and the window cuts it; the small
# models have all others, and padding. A second text would be as much work again.
LENGTHS = (129,)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Not here: these matrices are large enough for more."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    config = config_from_dict(transformers.ModernBertConfig(**SETTINGS).to_dict())
    sizes = config.num_hidden_layers, config.hidden_size, config.local_attention
    assert sizes == (22, 768, 128)
    folder = tmp_path_factory.mktemp("base")
    write_checkpoint(folder, config, initial_tensors(config))
    return folder


class Stored(Mapping[str, np.ndarray]):
    """Tensors in files; one is in memory for as long as it is looked at."""

    def __init__(self, folder: Path, tensors: Mapping[str, np.ndarray]) -> None:
        self.files = {name: folder / f"{name}.npy" for name in tensors}
        for name, file in self.files.items():
            np.save(file, tensors[name])

    def __getitem__(self, name: str) -> np.ndarray:
        return np.load(self.files[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def test_hidden_states_logits_loss_and_gradients(folder, tmp_path):
    tallies = {backend: Tally(backend, "float32") for backend in BACKENDS}
    sample = measured(folder, tmp_path, seed=0)
    for backend, tally in tallies.items():
        tally.add(run(backend, sample), sample.truth, sample.floors(backend))
        give_back_memory()
    for tally in tallies.values():
        rows = tally.rows()
        kinds = {row.tensor.split(".")[0] for row in rows}
        assert kinds == {"hidden_states", "logits", "packed", "loss", "gradients"}
        assert len(rows) > 180
        assert all(row.passed for row in rows), [row for row in rows if not row.passed]


def measured(folder: Path, store: Path, seed: int) -> Sample:
    """A sample that knows the truth and its floors, and holds neither weights nor networks."""
    checkpoint = read_checkpoint(folder)
    names = dict.fromkeys(checkpoint.tensors)  # all that Transformers needs of the tensors
    checkpoint = replace(checkpoint, tensors=names)
    give_back_memory()
    batch = random_batch(checkpoint.config, LENGTHS, seed=seed)
    sample = Sample(oracle_for(checkpoint), oracle_for(checkpoint, "float32"), batch, seed)
    sample.truth = Stored(store, sample.truth)
    del sample.oracle.model
    give_back_memory()
    assert sample.floors("torch")
    del sample.noisy.model
    give_back_memory()
    return sample


def run(backend: str, sample: Sample) -> Tensors:
    """A port's tensors; the port itself is gone afterwards."""
    checkpoint = read_checkpoint(sample.checkpoint.folder)
    architecture = checkpoint.architecture
    model = build(backend, checkpoint.config, architecture, checkpoint.tensors, "float32")
    del checkpoint
    give_back_memory()
    return sample.run(model)
