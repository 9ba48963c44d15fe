"""The protocol that a port fulfils: NumPy arrays in, NumPy arrays out.

Pipelines, parity and the command line are written once against it. A port never reads a file or
a text, and its own arrays never leave it. The caller has checked the inputs
(reference/inputs.py); a port may rely on that.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection
from typing import Any, Protocol

import numpy as np

from reference.checks import check_name
from reference.families import Architecture, EncoderConfig, architecture_named
from reference.inputs import Inputs

BACKENDS = ("torch", "mlx", "candle")


class Model(Protocol):
    """A model inside its framework."""

    def forward(self, inputs: Inputs, output_hidden_states: bool = False) -> dict[str, Any]:
        """The keys that apply of last_hidden_state, pooler_output, logits, hidden_states."""
        ...

    def embed(self, inputs: Inputs, ways: tuple[str, ...], normalize: bool) -> np.ndarray:
        """One vector a packed text: its hidden states pooled in each of `ways` ("cls", "max",
        "mean"), side by side."""
        ...

    def gradients(
        self, inputs: Inputs, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        """The loss on the labels and its gradient in every parameter, without dropout."""
        ...

    def trace(self, inputs: Inputs, operations: Collection[str]) -> dict[str, np.ndarray]:
        """What each of these operations returned, by its module path in Transformers; "x.input"
        is what the module x was given."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """The parameters, under their checkpoint keys."""
        ...


class Port(Protocol):
    """The module `reference.<backend>.port`."""

    DTYPES: tuple[str, ...]

    def build(
        self,
        config: EncoderConfig,
        architecture: Architecture,
        tensors: dict[str, np.ndarray],
        dtype: str,
    ) -> Model:
        """The model of that architecture, holding exactly these tensors."""
        ...


def port(backend: str) -> Port:
    """The port of that name; its framework is imported now and not earlier."""
    return importlib.import_module(f"reference.{check_name(backend, BACKENDS, 'backend')}.port")


def port_for(backend: str, dtype: str) -> Port:
    """The port of that name, if it computes in that dtype."""
    its_port = port(backend)
    check_name(dtype, its_port.DTYPES, "dtype", f"not available in {backend}")
    return its_port


def build(
    backend: str,
    config: EncoderConfig,
    architecture: Architecture | str,
    tensors: dict[str, np.ndarray],
    dtype: str = "float32",
) -> Model:
    """A model in one of the frameworks; an architecture may be named as in Transformers."""
    if isinstance(architecture, str):
        architecture = architecture_named(architecture)
    return port_for(backend, dtype).build(config, architecture, tensors, dtype)
