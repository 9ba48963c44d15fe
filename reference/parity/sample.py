"""A checkpoint on one batch: the truth about every tensor, its noise floor, and the same
tensors of a port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from reference.backend import Model
from reference.checkpoint import Checkpoint
from reference.families.family import Place
from reference.families.tasks import BASE
from reference.inputs import Inputs
from reference.parity.batch import Batch
from reference.parity.gate import float64_floors, noise_floors
from reference.parity.oracle import Measured, Oracle, numbered
from reference.parity.sentences import read_modules, sentence_embeddings
from reference.sentence import SentenceSettings, read_sentence_settings

Tensors = dict[str, np.ndarray]

PORT = "port"  # what a stranger's implementation is called among the backends

# Half precision is for inference: its gradients are not compared.
GRADIENT_DTYPES = ("float32", "float64")


@dataclass
class Sample:
    """What ports are compared on: the oracle runs once, however many ports are held against
    it."""

    oracle: Oracle
    noisy: Oracle  # in the ports' own dtype
    batch: Batch
    seed: int = 0

    @property
    def checkpoint(self) -> Checkpoint:
        return self.oracle.checkpoint

    @cached_property
    def labels(self) -> np.ndarray:
        task, generator = self.checkpoint.architecture.task, np.random.default_rng(self.seed)
        return task.make_labels(self.checkpoint.config, self.batch.padded, generator)

    @cached_property
    def outputs(self) -> dict[str, Measured]:
        """What the oracle's forward returns for the padded batch."""
        return self.oracle.forward(self.batch)

    @cached_property
    def truth(self) -> Tensors:
        return self._measure(self.oracle)

    def floors(self, backend: str) -> dict[str, float]:
        if self.noisy.dtype == "float64":
            return float64_floors(self.truth, backend)
        return self._noise

    @cached_property
    def operations(self) -> dict[str, Place]:
        """Every operation of the model, and where it is."""
        return self.checkpoint.architecture.places(self.checkpoint.config)

    @cached_property
    def measured(self) -> dict[str, Measured]:
        """What each operation of the oracle returned, in order of evaluation."""
        return self.oracle.trace(self.batch, self.operations)

    @cached_property
    def traced(self) -> Tensors:
        return {name: tensor.truth for name, tensor in self.measured.items()}

    def trace(self, model: Model) -> Tensors:
        """What each operation of a port returned."""
        found = model.trace(self.batch.padded, self.operations)
        return select(self.measured, found)

    def traced_floors(self, backend: str) -> dict[str, float]:
        if self.noisy.dtype == "float64":
            return float64_floors(self.traced, backend)
        return self._traced_noise

    @cached_property
    def offered(self) -> Tensors:
        """The truth about what a stranger's port may return: it embeds the padded batch as that
        is, wherever its pads are, and perhaps the packed row as well."""
        embedded = self._embedded(self.oracle)
        if not embedded:
            return self.truth
        packed = self.truth["sentence_embedding"]
        return self.truth | embedded | {"packed.sentence_embedding": packed}

    @cached_property
    def offered_floors(self) -> dict[str, float]:
        floors, dtype = self.floors(PORT), self.noisy.dtype
        if not (truth := self._embedded(self.oracle)):
            return floors
        own = (
            float64_floors(truth, PORT)
            if dtype == "float64"
            else noise_floors(truth, self._embedded(self.noisy), dtype)
        )
        return floors | own | {"packed.sentence_embedding": floors["sentence_embedding"]}

    def run(self, model: Model) -> Tensors:
        """A port's tensors under the names of the truth."""
        found = self.run_padded(model) | self.run_packed(model)
        if self.noisy.dtype in GRADIENT_DTYPES:
            found |= self.run_backward(model)
        return found

    def run_padded(self, model: Model) -> Tensors:
        return select(self.outputs, self._run_forward(model, self.batch.padded))

    def run_packed(self, model: Model) -> Tensors:
        packed = self.batch.packed
        found = _packed(self._run_forward(model, packed))
        if (settings := sentence_settings(self.checkpoint)) is not None:
            found["sentence_embedding"] = model.embed(
                packed, settings.pooling, settings.normalize
            )
        return found

    def _run_forward(self, model: Model, inputs: Inputs) -> dict[str, Any]:
        found = numbered(model.forward(inputs, True))
        if "similarity" in self.outputs:
            vectors = found["pooler_output"]
            found["similarity"] = model.similarity(vectors, vectors)
        return found

    def run_backward(self, model: Model) -> Tensors:
        return _backward(*model.gradients(self.batch.padded, self.labels))

    def _measure(self, oracle: Oracle) -> Tensors:
        padded = self._forward(oracle)
        tensors = {name: tensor.truth for name, tensor in padded.items()}
        unpadded = self.batch.padded_on_the_right(self.checkpoint.config.pad_token_id or 0)
        if not np.array_equal(unpadded.padded.input_ids, self.batch.padded.input_ids):
            padded = oracle.forward(unpadded)
        packed = {name: tensor.truth for name, tensor in padded.items()}
        if self.checkpoint.architecture.task.row == "choice":
            # A packed row is one question, whose choices are all of its texts.
            packed["logits"] = packed["logits"].reshape(1, -1)
        tensors |= _packed(packed)
        if sentence_settings(self.checkpoint) is not None:
            hidden = padded["last_hidden_state"].array
            tensors["sentence_embedding"] = sentence_embeddings(
                self.checkpoint, hidden, unpadded.real
            )
        if self.noisy.dtype in GRADIENT_DTYPES:
            tensors |= _backward(*oracle.gradients(self.batch, self.labels))
        return tensors

    def _forward(self, oracle: Oracle) -> dict[str, Measured]:
        return self.outputs if oracle is self.oracle else oracle.forward(self.batch)

    def _embedded(self, oracle: Oracle) -> Tensors:
        """The sentence embeddings of the padded batch, if the checkpoint makes any."""
        if sentence_settings(self.checkpoint) is None:
            return {}
        hidden = self._forward(oracle)["last_hidden_state"].array
        vectors = sentence_embeddings(self.checkpoint, hidden, self.batch.real)
        return {"sentence_embedding": vectors}

    @cached_property
    def _noise(self) -> dict[str, float]:
        return noise_floors(self.truth, self._measure(self.noisy), self.noisy.dtype)

    @cached_property
    def _traced_noise(self) -> dict[str, float]:
        noisy = self.noisy.trace(self.batch, self.operations)
        tensors = {name: tensor.truth for name, tensor in noisy.items()}
        return noise_floors(self.traced, tensors, self.noisy.dtype)


def as_trace(operations: Mapping[str, Any]) -> dict[str, Any]:
    """Operations under the names that they have beside a port's other tensors."""
    return {f"trace.{path}": value for path, value in operations.items()}


def select(measured: Mapping[str, Measured], found: Mapping[str, Any]) -> Tensors:
    """Of somebody's tensors those that the oracle has too, at the places that are compared."""
    return {name: tensor.of(found[name]) for name, tensor in measured.items() if name in found}


def sentence_settings(checkpoint: Checkpoint) -> SentenceSettings | None:
    """How the checkpoint makes sentence embeddings, if it says that it does."""
    if checkpoint.architecture.task is not BASE or "Pooling" not in read_modules(checkpoint):
        return None
    return read_sentence_settings(checkpoint.home, checkpoint.config.hidden_size)


def _packed(tensors: Mapping[str, np.ndarray]) -> Tensors:
    return {f"packed.{name}": tensor for name, tensor in tensors.items()}


def _backward(loss: float, gradients: Tensors) -> Tensors:
    named = {f"gradients.{key}": array for key, array in gradients.items()}
    return {"loss": np.array(loss)} | named
