"""One checkpoint on one batch: the truth about every tensor, its noise floor, and the same tensors of a port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from reference.backend import Model
from reference.checkpoint import Checkpoint
from reference.errors import InputError
from reference.parity.batch import Batch
from reference.parity.gate import Gate, float64_gate, measured_gate
from reference.parity.labels import make_labels
from reference.parity.oracle import Oracle, read_modules, sentence_embeddings
from reference.parity.report import Row
from reference.pipelines.embeddings import SentenceSettings, read_sentence_settings

Tensors = dict[str, np.ndarray]

# Half precision is for inference: its gradients are not compared.
GRADIENT_DTYPES = ("float32", "float64")


@dataclass
class Subject:
    """What ports are compared on. Transformers runs once, however many ports are held against it."""

    checkpoint: Checkpoint
    batch: Batch
    dtype: str = "float32"

    @cached_property
    def oracle(self) -> Oracle:
        return Oracle(self.checkpoint, "float64")

    @cached_property
    def noisy(self) -> Oracle:
        """Transformers in the port's own dtype."""
        return Oracle(self.checkpoint, self.dtype)

    @cached_property
    def labels(self) -> np.ndarray:
        return make_labels(self.checkpoint.config, self.checkpoint.architecture, self.batch)

    @cached_property
    def sentence_settings(self) -> SentenceSettings | None:
        """How the checkpoint makes sentence embeddings, if it says that it does."""
        if self.checkpoint.architecture.task != "base" or "Pooling" not in read_modules(self.checkpoint):
            return None
        return read_sentence_settings(self.checkpoint.folder, self.checkpoint.config.hidden_size)

    @cached_property
    def truth(self) -> Tensors:
        return self._measure(self.oracle)

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """What the oracle's forward returns for the padded batch."""
        return self.oracle.forward(self.batch)

    def gate(self, backend: str) -> Gate:
        return float64_gate(self.truth, backend) if self.dtype == "float64" else self._measured_gate

    def run(self, model: Model) -> Tensors:
        """A port's tensors under the names of the truth."""
        found = self.flatten(model.forward(*self.batch.arguments, True), self.batch.real)
        ids, cu_seqlens, types = self.batch.packed
        found |= _packed(self.flatten(model.forward_packed(ids, cu_seqlens, types, True)))
        if self.sentence_settings is not None:
            ways, normalize = self.sentence_settings.pooling, self.sentence_settings.normalize
            found["sentence_embedding"] = model.embed(ids, cu_seqlens, types, ways, normalize)
        if self.dtype in GRADIENT_DTYPES:
            found |= _backward(*model.gradients(*self.batch.arguments, self.labels))
        return found

    def operations(self, backend: str, model: Model) -> list[Row]:
        """Every operation of the forward pass, in order of evaluation, each against its own noise floor."""
        found = self._select(model.trace(*self.batch.arguments), self.batch.real)
        truth, gate = self._traced
        gate = gate or float64_gate(truth, backend)
        return [gate.row(backend, name, found[name], tensor) for name, tensor in truth.items() if name in found]

    def flatten(self, outputs: Mapping[str, Any], real: np.ndarray | None = None) -> Tensors:
        """Outputs with the hidden states numbered. `real` restricts a padded batch to its real tokens: what stands at
        padded positions is left to the implementation."""
        return self._select(numbered(outputs), real)

    def _select(self, tensors: Mapping[str, np.ndarray], real: np.ndarray | None) -> Tensors:
        return {name: array if real is None or self._per_text(name) else array[real] for name, array in tensors.items()}

    def _per_text(self, name: str) -> bool:
        """Whether a tensor has one row a text, not one a token."""
        classifies_texts = self.checkpoint.architecture.task == "text-classification"
        return "pooler" in name or (classifies_texts and name.startswith(("logits", "classifier")))

    def _measure(self, oracle: Oracle) -> Tensors:
        padded = self.outputs if oracle is self.oracle else oracle.forward(self.batch)
        tensors = self.flatten(padded, self.batch.real)
        unpadded = self.batch.padded_on_the_right(self.checkpoint.config.pad_token_id or 0)
        if not np.array_equal(unpadded.input_ids, self.batch.input_ids):
            padded = oracle.forward(unpadded)
        tensors |= _packed(self.flatten(padded, unpadded.real))
        if self.sentence_settings is not None:
            hidden = padded["last_hidden_state"]
            tensors["sentence_embedding"] = sentence_embeddings(self.checkpoint, hidden, unpadded.real)
        if self.dtype in GRADIENT_DTYPES:
            tensors |= _backward(*oracle.gradients(self.batch, self.labels))
        return tensors

    @cached_property
    def _measured_gate(self) -> Gate:
        return self._floors(self.truth, self._measure(self.noisy))

    @cached_property
    def _traced(self) -> tuple[Tensors, Gate | None]:
        truth = self._select(self.oracle.trace(self.batch), self.batch.real)
        if self.dtype == "float64":
            return truth, None
        return truth, self._floors(truth, self._select(self.noisy.trace(self.batch), self.batch.real))

    def _floors(self, truth: Tensors, noisy: Tensors) -> Gate:
        for name, tensor in noisy.items():
            if not np.isfinite(tensor).all():
                trouble = f"Transformers itself gives NaN or infinity in {self.dtype} ({name})"
                raise InputError(f"{trouble}; there is no error to measure a port by")
        return measured_gate(truth, noisy, self.dtype)


def numbered(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """A port's outputs with the list hidden_states spread out as hidden_states.0, hidden_states.1, ..."""
    states = {f"hidden_states.{number}": state for number, state in enumerate(outputs.get("hidden_states", ()))}
    return states | {name: value for name, value in outputs.items() if name != "hidden_states"}


def _packed(tensors: Tensors) -> Tensors:
    return {f"packed.{name}": tensor for name, tensor in tensors.items()}


def _backward(loss: float, gradients: Tensors) -> Tensors:
    return {"loss": np.array(loss)} | {f"gradients.{key}": array for key, array in gradients.items()}
