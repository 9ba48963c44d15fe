"""The MLX port behind the protocol of reference/backend.py."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten

from reference.checks import check_name
from reference.errors import InputError
from reference.families import Architecture, EncoderConfig
from reference.families.tasks import MASKED_SEQUENCE
from reference.inputs import Inputs
from reference.mlx import pooling
from reference.mlx.attention import pad_packed
from reference.mlx.heads import EncoderOutput, Head, HeadOutput
from reference.mlx.losses import cross_entropy, mean_squared_error
from reference.mlx.masked_sequence import MaskedSequence
from reference.mlx.trace import watched, watching
from reference.processes import computing

# How many numbers the widest intermediate of embed may have on a CPU. There MLX has no memory
# of its own: a large intermediate is asked of the system each time, and it costs more to get
# than to compute.
_WIDEST = 1 << 20


def find_device(name: str | None, dtype: str) -> mx.Device | mx.DeviceType:
    """The device of that name; None is MLX's default, or for float64, which no GPU of Apple's
    knows, the CPU."""
    if name is None:
        return mx.cpu if dtype == "float64" else mx.default_device()
    available = ["cpu"] + ["gpu"] * mx.is_available(mx.gpu)
    check_name(name, available, "device", "not available to MLX here")
    if name == "gpu" and dtype == "float64":
        raise InputError("Apple's GPUs know no float64: use device='cpu', or another dtype")
    return mx.gpu if name == "gpu" else mx.cpu


def build(
    config: EncoderConfig,
    architecture: Architecture,
    tensors: dict[str, np.ndarray],
    dtype: str,
    device: str | None = None,
) -> MLXModel:
    """The architecture with these tensors in it; MLX is lazy, so its placeholders never take
    memory."""
    place = find_device(device, dtype)
    computing()  # already here: MLX starts its threads when the weights are laid out
    with mx.stream(place):
        network = _network(config, architecture, tensors)
        kind = getattr(mx, dtype)
        network.load_weights(
            [(key, mx.array(value, dtype=kind)) for key, value in tensors.items()]
        )
        mx.eval(network.parameters())
    at_once = sys.maxsize if place == mx.gpu else max(1, _WIDEST // config.widest)
    return MLXModel(network.eval(), list(tensors), place, at_once)


def _network(
    config: EncoderConfig, architecture: Architecture, tensors: Collection[str]
) -> nn.Module:
    room = importlib.import_module(f"reference.mlx.{architecture.family.room}")
    network = getattr(room, architecture.port_class)(config)
    if not architecture.has_pooler(tensors) and hasattr(network, "pooler"):
        network.pooler = None
    if architecture.task is MASKED_SEQUENCE:
        return MaskedSequence(config, network)
    return network


class MLXModel:
    """A network, the names of its parameters and its device; NumPy at the border, MLX arrays
    inside."""

    def __init__(
        self,
        network: nn.Module,
        keys: list[str],
        device: mx.Device | mx.DeviceType,
        tokens_at_once: int,
    ) -> None:
        self.network = network
        self.keys = keys
        self.device = device
        self.tokens_at_once = tokens_at_once

    def forward(self, inputs: Inputs, output_hidden_states: bool = False) -> dict[str, Any]:
        with mx.stream(self.device):
            return _outputs(self.network(inputs.map(to_mlx), output_hidden_states))

    @property
    def _encoder(self) -> nn.Module:
        return self.network.encoder if isinstance(self.network, Head) else self.network

    @property
    def _kind(self) -> mx.Dtype:
        return tree_flatten(self.network.parameters())[0][1].dtype

    def embed(
        self, inputs: Inputs, ways: tuple[str, ...], normalize: bool, skip: int = 0
    ) -> np.ndarray:
        # Whoever watches sees a pass of all texts, as in the other ports.
        at_once = sys.maxsize if watched(self.network) else self.tokens_at_once
        groups = _groups(inputs, at_once)
        return np.concatenate([self._embed(group, ways, normalize, skip) for group in groups])

    def _embed(
        self, inputs: Inputs, ways: tuple[str, ...], normalize: bool, skip: int
    ) -> np.ndarray:
        with mx.stream(self.device):
            return to_numpy(self.vectors(inputs.map(to_mlx), ways, normalize, skip))

    def vectors(
        self, inputs: Inputs, ways: tuple[str, ...], normalize: bool, skip: int = 0
    ) -> mx.array:
        """As `embed` has them, of MLX arrays, yet to be evaluated; on the stream that is
        open."""
        hidden, mask = pad_packed(self._encoder(inputs).last_hidden_state, inputs.cu_seqlens)
        vectors = pooling.pool(hidden, mask, ways, skip)
        return pooling.normalize(vectors) if normalize else vectors

    def similarity(self, vectors: np.ndarray, references: np.ndarray) -> np.ndarray:
        compare = getattr(self._encoder, "similarity", pooling.cosine_similarity)
        with mx.stream(self.device):
            given = (mx.array(array, dtype=self._kind) for array in (vectors, references))
            return to_numpy(compare(*given))

    def gradients(
        self, inputs: Inputs, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        with mx.stream(self.device):
            loss, gradients = self.value_and_grad(inputs, labels)
            return loss.item(), {key: to_numpy(array) for key, array in gradients.items()}

    def value_and_grad(
        self, inputs: Inputs, labels: np.ndarray, class_weights: np.ndarray | None = None
    ) -> tuple[mx.array, dict[str, mx.array]]:
        """The loss on the labels and its gradient in every parameter, yet to be evaluated; on
        the stream that is open. With class weights it is the cross entropy in which classes
        weigh so much."""
        if labels.dtype == np.float64 and self.device != mx.cpu:
            labels = labels.astype(np.float32)  # Apple's GPUs know no float64
        arrays, target = inputs.map(to_mlx), to_mlx(labels)
        if class_weights is not None:
            weights = mx.array(class_weights, dtype=self._kind)
            logits_of = lambda: self.network(arrays).logits
            loss_of = lambda: cross_entropy(logits_of(), target, class_weights=weights)
        elif isinstance(self.network, Head):
            loss_of = lambda: self.network(arrays, labels=target).loss
        else:
            hidden_of = lambda: self.network(arrays).last_hidden_state
            loss_of = lambda: _base_loss(hidden_of(), inputs.real, target)
        return self._value_and_grad(loss_of)

    def follow(
        self,
        inputs: Inputs,
        ways: tuple[str, ...],
        normalize: bool,
        skip: int,
        gradient: np.ndarray,
    ) -> dict[str, mx.array]:
        """The gradient of sum(vectors * gradient) in every parameter, yet to be evaluated; on
        the stream that is open."""
        arrays, wanted = inputs.map(to_mlx), mx.array(gradient, dtype=self._kind)
        total = lambda: (self.vectors(arrays, ways, normalize, skip) * wanted).sum()
        return self._value_and_grad(total)[1]

    def _value_and_grad(
        self, loss_of: Callable[[], mx.array]
    ) -> tuple[mx.array, dict[str, mx.array]]:
        loss, gradients = nn.value_and_grad(self.network, loss_of)()
        gradients = tree_flatten(gradients, destination={})
        return loss, {key: gradients[key] for key in self.keys}

    def trace(self, inputs: Inputs, operations: Collection[str]) -> dict[str, np.ndarray]:
        seen: dict[str, mx.array] = {}
        keep = lambda path, output: seen.update({path: output})
        with mx.stream(self.device), watching(self.network, operations, keep):
            self.network(inputs.map(to_mlx))
            return {path: to_numpy(output) for path, output in seen.items()}

    def watch(
        self,
        work: Callable[[], Any],
        operations: Collection[str],
        look: Callable[[str, np.ndarray, str], object],
    ) -> Any:
        def see(path: str, output: mx.array) -> None:
            look(path, to_numpy(output), str(output.dtype).removeprefix("mlx.core."))

        with watching(self.network, operations, see):
            return work()

    def parameters(self) -> dict[str, mx.array]:
        """By checkpoint key."""
        parameters = tree_flatten(self.network.parameters(), destination={})
        return {key: parameters[key] for key in self.keys}

    def state(self) -> dict[str, np.ndarray]:
        return {key: to_numpy(array) for key, array in self.parameters().items()}


def _groups(inputs: Inputs, tokens: int) -> Iterator[Inputs]:
    """As many texts of a packed row at a time as have at most so many tokens; a longer text
    goes alone."""
    bounds = inputs.cu_seqlens
    first, texts = 0, len(bounds) - 1
    for text in range(1, texts + 1):
        if text == texts or bounds[text + 1] - bounds[first] > tokens:
            row = slice(bounds[first], bounds[text])
            types = None if inputs.token_type_ids is None else inputs.token_type_ids[row]
            lengths = bounds[first : text + 1] - bounds[first]
            yield Inputs(inputs.input_ids[row], None, types, lengths)
            first = text


def _base_loss(hidden: mx.array, real: np.ndarray, target: mx.array) -> mx.array:
    """A base model is trained on nothing; its gradients are those of the distance to given
    states of real tokens."""
    places = tuple(mx.array(axis) for axis in np.nonzero(real))  # MLX cannot index by a mask
    return mean_squared_error(hidden[places], target.astype(hidden.dtype)[places])


def _outputs(outputs: EncoderOutput | HeadOutput) -> dict[str, Any]:
    names = ("last_hidden_state", "pooler_output", "logits", "hidden_states")
    arrays = {name: getattr(outputs, name, None) for name in names}
    arrays = {name: value for name, value in arrays.items() if value is not None}
    mx.eval(arrays)  # all at once: asked for one by one, shared parts would be computed twice
    return {
        name: [to_numpy(state) for state in value]
        if isinstance(value, list)
        else to_numpy(value)
        for name, value in arrays.items()
    }


def to_mlx(array: np.ndarray) -> mx.array:
    """MLX turns float64 into float32 unless it is told not to."""
    return mx.array(array, dtype=mx.float64) if array.dtype == np.float64 else mx.array(array)


def to_numpy(tensor: mx.array) -> np.ndarray:
    """NumPy has no bfloat16, and half precision is for computing, not for handing over."""
    return np.array(
        tensor.astype(mx.float32) if tensor.dtype in (mx.float16, mx.bfloat16) else tensor
    )
