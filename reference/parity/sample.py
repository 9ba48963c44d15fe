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
from reference.parity.batch import Batch
from reference.parity.gate import float64_floors, noise_floors
from reference.parity.labels import make_labels
from reference.parity.oracle import Oracle, read_modules, sentence_embeddings
from reference.sentence import SentenceSettings, read_sentence_settings

Tensors = dict[str, np.ndarray]

# Half precision is for inference: its gradients are not compared.
GRADIENT_DTYPES = ("float32", "float64")


@dataclass
class Sample:
    """What ports are compared on: Transformers runs once, however many ports are held against
    it."""

    oracle: Oracle
    noisy: Oracle  # Transformers in the ports' own dtype
    batch: Batch
    seed: int = 0

    @property
    def checkpoint(self) -> Checkpoint:
        return self.oracle.checkpoint

    @cached_property
    def labels(self) -> np.ndarray:
        return make_labels(
            self.checkpoint.config, self.checkpoint.architecture, self.batch, self.seed
        )

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """What the oracle's forward returns for the padded batch."""
        return self.oracle.forward(self.batch)

    @cached_property
    def truth(self) -> Tensors:
        return self._measure(self.oracle)

    def floors(self, backend: str) -> dict[str, float]:
        return (
            float64_floors(self.truth, backend)
            if self.noisy.dtype == "float64"
            else self._noise
        )

    def trace(self, model: Model) -> Tensors:
        """What each operation of a port returned."""
        return self._select(model.trace(*self.batch.arguments), self.batch.real)

    @cached_property
    def traced(self) -> Tensors:
        """What each operation of the oracle returned, in order of evaluation."""
        return self._select(self.oracle.trace(self.batch), self.batch.real)

    def traced_floors(self, backend: str) -> dict[str, float]:
        return (
            float64_floors(self.traced, backend)
            if self.noisy.dtype == "float64"
            else self._traced_noise
        )

    def run(self, model: Model) -> Tensors:
        """A port's tensors under the names of the truth."""
        found = self.flatten(model.forward(*self.batch.arguments, True), self.batch.real)
        ids, cu_seqlens, types = self.batch.packed
        found |= _packed(self.flatten(model.forward_packed(ids, cu_seqlens, types, True)))
        if (settings := sentence_settings(self.checkpoint)) is not None:
            found["sentence_embedding"] = model.embed(
                ids, cu_seqlens, types, settings.pooling, settings.normalize
            )
        if self.noisy.dtype in GRADIENT_DTYPES:
            found |= _backward(*model.gradients(*self.batch.arguments, self.labels))
        return found

    def flatten(self, outputs: Mapping[str, Any], real: np.ndarray | None = None) -> Tensors:
        """Outputs with the hidden states numbered. `real` restricts a padded batch to its real
        tokens: what stands at padded positions is left to the implementation. Of several
        choices each has its row."""
        tensors = numbered(outputs)
        if self.batch.choices is not None and "logits" in tensors:
            tensors["logits"] = tensors["logits"].reshape(-1)
        return self._select(tensors, real)

    def _select(self, tensors: Mapping[str, np.ndarray], real: np.ndarray | None) -> Tensors:
        return {
            name: array if real is None or self._per_text(name) else array[real]
            for name, array in tensors.items()
        }

    def _per_text(self, name: str) -> bool:
        """Whether a tensor has one row a text, not one a token."""
        classifies_texts = self.checkpoint.architecture.task in (
            "text-classification",
            "multiple-choice",
        )
        return "pooler" in name or (
            classifies_texts and name.startswith(("logits", "classifier", "head"))
        )

    def _measure(self, oracle: Oracle) -> Tensors:
        padded = self.outputs if oracle is self.oracle else oracle.forward(self.batch)
        tensors = self.flatten(padded, self.batch.real)
        unpadded = self.batch.padded_on_the_right(self.checkpoint.config.pad_token_id or 0)
        if not np.array_equal(unpadded.input_ids, self.batch.input_ids):
            padded = oracle.forward(unpadded)
        tensors |= _packed(self.flatten(padded, unpadded.real))
        if sentence_settings(self.checkpoint) is not None:
            hidden = padded["last_hidden_state"]
            tensors["sentence_embedding"] = sentence_embeddings(
                self.checkpoint, hidden, unpadded.real
            )
        if self.noisy.dtype in GRADIENT_DTYPES:
            tensors |= _backward(*oracle.gradients(self.batch, self.labels))
        return tensors

    @cached_property
    def _noise(self) -> dict[str, float]:
        return noise_floors(self.truth, self._measure(self.noisy), self.noisy.dtype)

    @cached_property
    def _traced_noise(self) -> dict[str, float]:
        noisy = self._select(self.noisy.trace(self.batch), self.batch.real)
        return noise_floors(self.traced, noisy, self.noisy.dtype)


def sentence_settings(checkpoint: Checkpoint) -> SentenceSettings | None:
    """How the checkpoint makes sentence embeddings, if it says that it does."""
    if checkpoint.architecture.task != "base" or "Pooling" not in read_modules(checkpoint):
        return None
    return read_sentence_settings(checkpoint.folder, checkpoint.config.hidden_size)


def numbered(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """A port's outputs with the list hidden_states spread out as hidden_states.0,
    hidden_states.1, ..."""
    states = {
        f"hidden_states.{number}": state
        for number, state in enumerate(outputs.get("hidden_states", ()))
    }
    return states | {name: value for name, value in outputs.items() if name != "hidden_states"}


def _packed(tensors: Tensors) -> Tensors:
    return {f"packed.{name}": tensor for name, tensor in tensors.items()}


def _backward(loss: float, gradients: Tensors) -> Tensors:
    return {"loss": np.array(loss)} | {
        f"gradients.{key}": array for key, array in gradients.items()
    }
