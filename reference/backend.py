"""The protocol that a port fulfils: NumPy arrays in, NumPy arrays out.

Pipelines, parity and the command line are written once against it. A port never reads a file or
a text, and its own arrays never leave it. The caller has checked the arguments
(reference/inputs.py); a port may rely on that.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np

from reference.checks import check_name
from reference.config import EncoderConfig

BACKENDS = ("torch", "mlx", "candle")


class Model(Protocol):
    """A model inside its framework. Optional arguments may be None."""

    def forward(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None,
        token_type_ids: np.ndarray | None,
        output_hidden_states: bool,
    ) -> dict[str, Any]:
        """A padded batch, [batch, tokens]. Keys that apply: last_hidden_state, pooler_output,
        logits, hidden_states."""
        ...

    def forward_packed(
        self,
        input_ids: np.ndarray,
        cu_seqlens: np.ndarray,
        token_type_ids: np.ndarray | None,
        output_hidden_states: bool,
    ) -> dict[str, Any]:
        """Texts in one row, [tokens], with their cumulative lengths; the same keys."""
        ...

    def embed(
        self,
        input_ids: np.ndarray,
        cu_seqlens: np.ndarray,
        token_type_ids: np.ndarray | None,
        ways: tuple[str, ...],
        normalize: bool,
    ) -> np.ndarray:
        """One vector a packed text: its hidden states pooled in each of `ways` ("cls", "max",
        "mean"), side by side."""
        ...

    def gradients(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None,
        token_type_ids: np.ndarray | None,
        labels: np.ndarray,
    ) -> tuple[float, dict[str, np.ndarray]]:
        """The loss on the labels and its gradient in every parameter, without dropout."""
        ...

    def trace(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None,
        token_type_ids: np.ndarray | None,
    ) -> dict[str, np.ndarray]:
        """What each operation returned, by its module path in Transformers, in order of
        evaluation."""
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
        architecture: str,
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
    architecture: str,
    tensors: dict[str, np.ndarray],
    dtype: str = "float32",
) -> Model:
    """A model in one of the frameworks."""
    return port_for(backend, dtype).build(config, architecture, tensors, dtype)
