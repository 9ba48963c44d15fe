"""The oracle: who knows the truth about a model, in float64, and in a port's dtype the noise.

It reads the folder by itself, so a mistake in the package's own reading shows as well.
Transformers is the oracle of every family that it has; for another, a class in stock/ assembles
the network from PyTorch's stock modules, apart from the ports.
"""

from __future__ import annotations

import contextlib
import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from reference.checkpoint import Checkpoint
from reference.errors import CheckpointError
from reference.families.family import TEXT, TOKEN, Place
from reference.families.tasks import BASE, MASKED_LM
from reference.inputs import Inputs
from reference.parity.batch import Batch
from reference.parity.int8 import INT8, in_int8

# "similarity" is what texts are compared by in training, where the model learns a temperature.
OUTPUTS = ("last_hidden_state", "pooler_output", "similarity", "logits", "hidden_states")


@dataclass(frozen=True)
class Measured:
    """A tensor of the oracle's, and which of its places are compared."""

    array: np.ndarray
    real: np.ndarray | None = None  # of the first axes; None: all places

    def of(self, found: np.ndarray) -> np.ndarray:
        """The places that are compared of somebody else's tensor; one of another shape is left
        as it is, which no gate lets pass."""
        alike = np.shape(found) == self.array.shape
        return found if self.real is None or not alike else found[self.real]

    @property
    def truth(self) -> np.ndarray:
        return self.of(self.array)


class Oracle(ABC):
    """A checkpoint's model in one dtype, set to evaluate, inside a PyTorch module.

    The module is called with the names of Inputs and returns a mapping with the keys of a
    port's forward. Its submodules are found under the paths that the family's operations name.
    It runs under no_grad and not in inference mode: autograd would refuse, later, what a module
    may have kept of such a call.
    """

    name = "PyTorch's stock modules"  # as a report calls it

    def __init__(self, checkpoint: Checkpoint, dtype: str = "float64") -> None:
        self.checkpoint = checkpoint
        self.dtype = dtype

    @cached_property
    def model(self) -> nn.Module:
        """Read when it is first needed; a large one may be let go (`del oracle.model`) and is
        read again."""
        with torch.inference_mode(False):  # whoever asks first, gradients may follow
            if self.dtype == INT8:
                return in_int8(self.load(self.checkpoint, torch.float32).eval())
            return self.load(self.checkpoint, getattr(torch, self.dtype)).eval()

    @abstractmethod
    def load(self, checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module:
        """The module with the folder's weights in it."""

    def places(self, row: str, batch: Batch) -> np.ndarray | None:
        """Which places of a tensor are compared that has such rows. What stands at padded
        positions is left to the implementation; a network that shortens the sequence says here
        what becomes of the mask."""
        return batch.real if row == TOKEN else None

    @torch.no_grad()
    def forward(self, batch: Batch) -> dict[str, Measured]:
        """The outputs, each hidden state as hidden_states.0, hidden_states.1, ..."""
        outputs = self._call(batch.padded, output_hidden_states=True)
        outputs = {name: outputs[name] for name in OUTPUTS if outputs.get(name) is not None}
        rows = {"logits": self.checkpoint.architecture.task.row}
        rows |= {"pooler_output": TEXT, "similarity": TEXT}
        return {
            name: Measured(_array(value), self.places(rows.get(name, TOKEN), batch))
            for name, value in numbered(outputs).items()
        }

    @torch.no_grad()
    def trace(self, batch: Batch, operations: Mapping[str, Place]) -> dict[str, Measured]:
        """What each operation returned, by module path, in order of evaluation."""
        seen: dict[str, Measured] = {}

        def keep(name: str, output: Any) -> None:
            if name in operations:
                array = _array(output[0] if isinstance(output, tuple) else output)
                seen[name] = Measured(array, self.places(operations[name].row, batch))

        hooks = []
        for name, module in self.model.named_modules():
            if isinstance(module, nn.Identity):
                continue
            before = lambda _, given, name=name: keep(f"{name}.input", given[0])
            after = lambda _, given, output, name=name: keep(name, output)
            if f"{name}.input" in operations:
                hooks.append(module.register_forward_pre_hook(before))
            if name in operations:
                hooks.append(module.register_forward_hook(after))
        try:
            self._call(batch.padded)
        finally:
            for hook in hooks:
                hook.remove()
        return seen

    @torch.no_grad()
    def rope_tables(self, tokens: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For each kind of layer the cosines and sines [tokens, head_dim] that the model turns
        by, in float32; none of a model without rotary positions."""
        return {}

    @torch.enable_grad()  # a stranger's module may have switched gradients off for all
    def gradients(
        self, batch: Batch, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        """The loss on the labels, and its gradient in every parameter of the checkpoint."""
        loss = self.loss(batch, labels)
        parameters = {key: self.model.get_parameter(key) for key in self.checkpoint.tensors}
        found = torch.autograd.grad(
            loss, list(parameters.values()), allow_unused=True, materialize_grads=True
        )
        return loss.item(), {
            key: _array(value) for key, value in zip(parameters, found, strict=True)
        }

    def loss(self, batch: Batch, labels: np.ndarray) -> Tensor:
        """As a scalar that gradients can be taken of."""
        target = torch.from_numpy(labels)
        if target.is_floating_point():
            target = target.to(self.model.dtype)
        loss = self._loss(batch, target)
        # An oracle that computed its loss in float32 would be no truth.
        if loss.dtype != self.model.dtype:
            raise AssertionError(f"this loss was computed in {loss.dtype}, not in {self.dtype}")
        return loss

    def _loss(self, batch: Batch, target: Tensor) -> Tensor:
        task = self.checkpoint.architecture.task
        if task is MASKED_LM:
            # Some of Transformers' heads go by way of float32 here, whatever the model's dtype.
            logits = self._call(batch.padded)["logits"]
            return nn.functional.cross_entropy(logits.flatten(0, -2), target.flatten())
        if task is not BASE:
            return self._call(batch.padded, labels=target)["loss"]
        real = torch.from_numpy(batch.real)
        hidden = self._call(batch.padded)["last_hidden_state"]
        return nn.functional.mse_loss(hidden[real], target[real])

    def _call(self, inputs: Inputs, **options: Any) -> Mapping[str, Any]:
        arrays = self.arrays(inputs).items()
        tensors = {n: torch.from_numpy(array) for n, array in arrays if array is not None}
        return self.model(**tensors, **options)

    def arrays(self, inputs: Inputs) -> dict[str, np.ndarray | None]:
        """What the module is called with."""
        names = ("input_ids", "attention_mask", "token_type_ids")
        return {name: getattr(inputs, name) for name in names}


class TransformersOracle(Oracle):
    """Transformers' own model, with sdpa attention where it has that."""

    name = "Transformers"

    def load(self, checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module:
        architecture = checkpoint.architecture
        kind = getattr(transformers, architecture.name)
        options = {}
        if architecture.task is BASE:
            pooler = architecture.has_pooler(checkpoint.tensors)
            options = architecture.family.transformers_options(pooler)
        with quiet():
            model, loading = kind.from_pretrained(
                checkpoint.folder,
                dtype=dtype,
                attn_implementation="sdpa" if kind._supports_sdpa else "eager",
                output_loading_info=True,
                **options,
            )
        if loading["missing_keys"]:
            missing = ", ".join(sorted(loading["missing_keys"])[:4])
            raise CheckpointError(
                f"Transformers does not find {missing} in {checkpoint.folder} and would draw "
                "them at random; there is nothing to compare with"
            )
        return model

    @torch.no_grad()
    def rope_tables(self, tokens: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        modules = self.model.named_modules()
        rotary = next((module for name, module in modules if name.endswith("rotary_emb")), None)
        if rotary is None:
            return {}
        positions = torch.arange(tokens)[None]
        tables = {kind: rotary(torch.zeros(1), positions, kind) for kind in rotary.layer_types}
        return {kind: (cos[0].numpy(), sin[0].numpy()) for kind, (cos, sin) in tables.items()}


def oracle_for(checkpoint: Checkpoint, dtype: str = "float64") -> Oracle:
    """The oracle that the checkpoint's family names, or its task."""
    module, _, name = checkpoint.architecture.oracle.partition(":")
    return getattr(importlib.import_module(module), name)(checkpoint, dtype)


def numbered(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs with the list hidden_states spread out as hidden_states.0, hidden_states.1,
    ..."""
    states = enumerate(outputs.get("hidden_states", ()))
    found = {f"hidden_states.{number}": state for number, state in states}
    return found | {name: value for name, value in outputs.items() if name != "hidden_states"}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Transformers' progress bars and its report on tensors that belong to other
    heads."""
    log = transformers.utils.logging
    level, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bar:
            log.enable_progress_bar()


def _array(tensor: Tensor) -> np.ndarray:
    """NumPy has no bfloat16."""
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
