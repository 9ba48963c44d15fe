"""The protocol that a port fulfils: NumPy arrays in, NumPy arrays out.

Pipelines, parity and the command line are written once against it. A port never reads a file or
a text, and its own arrays never leave it. The caller has checked the inputs
(reference/inputs.py); a port may rely on that.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import numpy as np

from reference import ranks
from reference.checks import check_name
from reference.dropout import Dropout
from reference.errors import InputError, shown
from reference.families import Architecture, EncoderConfig, architecture_named
from reference.inputs import Inputs
from reference.learning import AdamW, Way
from reference.processes import check_process

# What each computes in; known without its framework, so that a wrong name is told at once.
DTYPES = {
    "torch": ("float32", "float64", "float16", "bfloat16"),
    "mlx": ("float32", "float64", "float16", "bfloat16"),
    # Its matrix product has no bfloat16 on the CPU. In int8 its dense layers multiply; all else
    # is in float32, the parameters too.
    "candle": ("float32", "float64", "float16", "int8"),
}
BACKENDS = tuple(DTYPES)

Look = Callable[[str, np.ndarray, str], object]


class Model(Protocol):
    """A model inside its framework."""

    def forward(self, inputs: Inputs, output_hidden_states: bool = False) -> dict[str, Any]:
        """The keys that apply of last_hidden_state, pooler_output, logits, hidden_states."""
        ...

    def embed(
        self, inputs: Inputs, ways: tuple[str, ...], normalize: bool, skip: int = 0
    ) -> np.ndarray:
        """One vector a packed text: its hidden states pooled in each of `ways` (those of
        reference.sentence.pooling.WAYS), side by side.

        The first `skip` tokens of each text, a prompt's, are not pooled. A text that has no
        token left gets zero from every mean and from the last token, minus infinity from the
        maximum, and its first token's vector from cls."""
        ...

    def similarity(self, vectors: np.ndarray, references: np.ndarray) -> np.ndarray:
        """What texts are compared by in training: the cosine of every vector with every
        reference, [texts, references], divided by the temperature where the model has learned
        one."""
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

    def watch(self, work: Callable[[], Any], operations: Collection[str], look: Look) -> Any:
        """What `work` returns, which runs this model on this thread; meanwhile `look` is called
        with the path of each of these operations, in order of evaluation, with what it
        returned, and with the name of the dtype, which NumPy may not have."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """The parameters, under their checkpoint keys."""
        ...


class Learner(Protocol):
    """A model that learns. Gradients are added up until a step is taken along their sum; where
    there are several processes (reference/ranks.py), along that of all of them."""

    model: Model  # as it is now
    steps: int  # so many were taken

    def learn(
        self,
        inputs: Inputs,
        labels: np.ndarray,
        weight: float = 1.0,
        dropout: Dropout | None = None,
        class_weights: np.ndarray | None = None,
    ) -> float:
        """The loss on the labels; its gradient, `weight` times, is added to what there is. With
        `class_weights` [labels] it is a cross entropy, in whose mean a label weighs as its
        class does: the sum of weight * loss by the sum of the weights.

        `dropout` says by which draws the model drops what its configuration has it drop; None:
        nothing."""
        ...

    def vectors(self, inputs: Inputs, way: Way, dropout: Dropout | None = None) -> np.ndarray:
        """One vector a packed text, as Model.embed makes them, in the form of the model that
        learns; nothing is kept for a gradient."""
        ...

    def follow(
        self, inputs: Inputs, way: Way, gradient: np.ndarray, dropout: Dropout | None = None
    ) -> None:
        """The gradient of sum(vectors * gradient) is added to what there is: whatever loss has
        this `gradient` in the vectors of these texts, its gradient in the parameters is that
        of the sum. `dropout` is that of the vectors."""
        ...

    def add(self, key: str, gradient: np.ndarray) -> None:
        """What is the gradient in one parameter is added to what there is: of a loss that is
        made outside of the model and uses that parameter."""
        ...

    def step(self, learning_rate: float, max_norm: float | None = None) -> float:
        """One step of AdamW along the gradients, which are shortened to `max_norm` if all of
        them together are longer, and then forgotten. How long they were comes back."""
        ...

    def forget(self) -> None:
        """Forget the gradients; no step is taken."""
        ...

    def moments(self) -> dict[str, np.ndarray]:
        """AdamW's two moments of each parameter that a gradient has reached: first.KEY and
        second.KEY."""
        ...

    def resume(self, steps: int, moments: Mapping[str, np.ndarray]) -> None:
        """Go on as the learner did that took so many steps and had these moments."""
        ...


class Port(Protocol):
    """The module `reference.<backend>.port`."""

    def find_device(self, name: str | None, dtype: str) -> Any:
        """The framework's device of that name, None being its usual one; an InputError where it
        is not available."""
        ...

    def build(
        self,
        config: EncoderConfig,
        architecture: Architecture,
        tensors: dict[str, np.ndarray],
        dtype: str,
        device: str | None = None,
    ) -> Model:
        """The model of that architecture, holding exactly these tensors."""
        ...


def port(backend: str) -> Port:
    """The port of that name; its framework is imported now and not earlier."""
    return importlib.import_module(f"reference.{check_name(backend, BACKENDS, 'backend')}.port")


def check_place(backend: str, dtype: str, device: str | None = None) -> None:
    """An error where there is no such port, or where it does not compute in that dtype or on
    that device. The framework is imported only where it must say which devices there are."""
    check_name(backend, BACKENDS, "backend")
    check_name(dtype, DTYPES[backend], "dtype", f"not available in {backend}")
    if not isinstance(device, (str, type(None))):
        raise InputError(f"device is {shown(device)}; it must be a name, or None")
    if device not in (None, "cpu"):
        port(backend).find_device(device, dtype)


def build(
    backend: str,
    config: EncoderConfig,
    architecture: Architecture | str,
    tensors: dict[str, np.ndarray],
    dtype: str = "float32",
    device: str | None = None,
) -> Model:
    """A model in one of the frameworks; an architecture may be named as in Transformers."""
    check_process()
    if isinstance(architecture, str):
        architecture = architecture_named(architecture)
    check_place(backend, dtype, device)
    return port(backend).build(config, architecture, tensors, dtype, device)


LEARNING_DTYPES = ("float32", "float64")  # what half precision loses, small steps are made of


def learner(
    backend: str,
    config: EncoderConfig,
    architecture: Architecture | str,
    tensors: dict[str, np.ndarray],
    settings: AdamW,
    dtype: str = "float32",
    device: str | None = None,
    frozen: Collection[str] = (),
) -> Learner:
    """A model that learns, in one of the frameworks, from these tensors on. The parameters with
    the keys `frozen` stay as they are."""
    ranks.check_backend(check_name(backend, BACKENDS, "backend"))
    check_name(dtype, LEARNING_DTYPES, "dtype", "not available for training")
    model = build(backend, config, architecture, tensors, dtype, device)
    room = importlib.import_module(f"reference.{backend}.training")
    return room.Learner(model, settings, list(frozen))
