"""The PyTorch port behind the protocol of reference/backend.py."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reference.checks import check_name
from reference.errors import InputError
from reference.families import Architecture, EncoderConfig
from reference.families.tasks import MASKED_SEQUENCE
from reference.inputs import Inputs
from reference.torch import pooling
from reference.torch.attention import pad_packed
from reference.torch.heads import EncoderOutput, Head, HeadOutput
from reference.torch.losses import cross_entropy, mean_squared_error
from reference.torch.masked_sequence.network import MaskedSequence


def find_device(name: str | None, dtype: str) -> torch.device:
    """The device of that name; None is the CPU, "auto" the first accelerator that there is, or
    else the CPU."""
    if name in (None, "cpu"):
        return torch.device("cpu")
    cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    mps = ["mps"] * torch.backends.mps.is_available()
    accelerators = ["cuda", *cuda] * bool(cuda) + mps
    check_name(name, ["auto", "cpu", *accelerators], "device", "not available to PyTorch here")
    if name == "auto":
        usable = cuda + (mps if dtype != "float64" else [])
        return torch.device(usable[0] if usable else "cpu")
    if name == "mps" and dtype == "float64":
        raise InputError("Apple's GPUs know no float64: use device='cpu', or another dtype")
    return torch.device(name)


def build(
    config: EncoderConfig,
    architecture: Architecture,
    tensors: dict[str, np.ndarray],
    dtype: str,
    device: str | None = None,
) -> TorchModel:
    """The architecture with these tensors in it; memory is taken once, by the tensors
    themselves."""
    place = find_device(device, dtype)
    with torch.device("meta"):
        network = _network(config, architecture, tensors)
    kind = getattr(torch, dtype)
    state = {
        key: torch.from_numpy(np.array(value)).to(place, kind) for key, value in tensors.items()
    }
    network.load_state_dict(state, assign=True)
    return TorchModel(network.eval(), list(tensors), place)


def _network(
    config: EncoderConfig, architecture: Architecture, tensors: Collection[str]
) -> nn.Module:
    room = importlib.import_module(f"reference.torch.{architecture.family.room}")
    network = getattr(room, architecture.port_class)(config)
    if not architecture.has_pooler(tensors) and hasattr(network, "pooler"):
        network.pooler = None
    if architecture.task is MASKED_SEQUENCE:
        return MaskedSequence(config, network)
    return network


class TorchModel:
    """A network, the names of its parameters and its device; NumPy at the border, tensors
    inside."""

    def __init__(self, network: nn.Module, keys: list[str], device: torch.device) -> None:
        self.network = network
        self.keys = keys
        self.device = device

    @torch.inference_mode()
    def forward(self, inputs: Inputs, output_hidden_states: bool = False) -> dict[str, Any]:
        return _outputs(self.network(inputs.map(self._tensor), output_hidden_states))

    @property
    def _encoder(self) -> nn.Module:
        return self.network.encoder if isinstance(self.network, Head) else self.network

    @torch.inference_mode()
    def embed(
        self, inputs: Inputs, ways: tuple[str, ...], normalize: bool, skip: int = 0
    ) -> np.ndarray:
        return to_numpy(self.vectors(inputs, ways, normalize, skip))

    def vectors(
        self, inputs: Inputs, ways: tuple[str, ...], normalize: bool, skip: int = 0
    ) -> Tensor:
        """As `embed` has them, but gradients can be taken of them."""
        inputs = inputs.map(self._tensor)
        hidden, mask = pad_packed(self._encoder(inputs).last_hidden_state, inputs.cu_seqlens)
        vectors = pooling.pool(hidden, mask, ways, skip)
        return pooling.normalize(vectors) if normalize else vectors

    @torch.inference_mode()
    def similarity(self, vectors: np.ndarray, references: np.ndarray) -> np.ndarray:
        compare = getattr(self._encoder, "similarity", pooling.cosine_similarity)
        kind = next(self.network.parameters()).dtype
        given = (self._tensor(array).to(kind) for array in (vectors, references))
        return to_numpy(compare(*given))

    def gradients(
        self, inputs: Inputs, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        parameters = {key: self.network.get_parameter(key) for key in self.keys}
        loss = self.loss(inputs, labels)
        gradients = torch.autograd.grad(
            loss, list(parameters.values()), allow_unused=True, materialize_grads=True
        )
        named = zip(parameters, gradients, strict=True)
        return loss.item(), {key: to_numpy(gradient) for key, gradient in named}

    def loss(
        self, inputs: Inputs, labels: np.ndarray, class_weights: np.ndarray | None = None
    ) -> Tensor:
        """As a scalar that gradients can be taken of. With class weights it is the cross
        entropy in which classes weigh so much."""
        if class_weights is not None:
            logits = self.network(inputs.map(self._tensor)).logits
            weights = self._tensor(class_weights).to(logits.dtype)
            return cross_entropy(logits, self._tensor(labels), class_weights=weights)
        if isinstance(self.network, Head):
            return self.network(inputs.map(self._tensor), labels=self._tensor(labels)).loss
        hidden = self.network(inputs.map(self._tensor)).last_hidden_state
        target, real = self._tensor(labels).to(hidden.dtype), self._tensor(inputs.real)
        return mean_squared_error(hidden[real], target[real])

    def trace(self, inputs: Inputs, operations: Collection[str]) -> dict[str, np.ndarray]:
        seen: dict[str, np.ndarray] = {}
        keep = lambda path, array, _: seen.update({path: array})
        self.watch(lambda: self.forward(inputs), operations, keep)
        return seen

    def watch(
        self,
        work: Callable[[], Any],
        operations: Collection[str],
        look: Callable[[str, np.ndarray, str], object],
    ) -> Any:
        thread = threading.get_ident()  # others may run the model meanwhile

        def see(path: str, output: Tensor) -> None:
            if threading.get_ident() == thread:
                look(path, to_numpy(output.detach()), str(output.dtype).removeprefix("torch."))

        hooks = []
        try:
            for name, module in self.network.named_modules():
                if (given := f"{name}.input") in operations:
                    before = lambda _, inputs, path=given: see(path, inputs[0])
                    hooks.append(module.register_forward_pre_hook(before))
                if name in operations:
                    after = lambda _, inputs, output, path=name: see(path, output)
                    hooks.append(module.register_forward_hook(after))
            return work()
        finally:
            for hook in hooks:
                hook.remove()

    def state(self) -> dict[str, np.ndarray]:
        return {key: to_numpy(self.network.get_parameter(key).detach()) for key in self.keys}

    def _tensor(self, array: np.ndarray) -> Tensor:
        if array.dtype == np.float64 and self.device.type == "mps":
            array = array.astype(np.float32)  # Apple's GPUs know no float64
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def _outputs(outputs: EncoderOutput | HeadOutput) -> dict[str, Any]:
    names = ("last_hidden_state", "pooler_output", "logits")
    found = {name: getattr(outputs, name, None) for name in names}
    arrays: dict[str, Any] = {
        n: to_numpy(value) for n, value in found.items() if value is not None
    }
    if outputs.hidden_states is not None:
        arrays["hidden_states"] = [to_numpy(state) for state in outputs.hidden_states]
    return arrays


def to_numpy(tensor: Tensor) -> np.ndarray:
    """NumPy has no bfloat16, and half precision is for computing, not for handing over."""
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    return (tensor.float() if half else tensor).cpu().numpy()
