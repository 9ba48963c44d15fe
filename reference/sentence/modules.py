"""What may follow the pooling in a sentence-transformers model: small steps from vectors to
vectors, computed in NumPy for every backend."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reference.errors import CheckpointError, ConfigError, shown
from reference.files import is_file, read_json
from reference.weights import read_tensors

Array = np.ndarray
_erf = np.frompyfunc(math.erf, 1, 1)  # vectors are few, and NumPy has no erf of its own


def _sigmoid(values: Array) -> Array:
    return 0.5 * (1 + np.tanh(values / 2))  # which does not overflow


def _gelu(values: Array) -> Array:
    return values * (0.5 * (1 + _erf(values / math.sqrt(2)).astype(values.dtype)))


# By the name of PyTorch's class; the default of Dense is Tanh.
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "Tanh": np.tanh,
    "Identity": lambda values: values,
    "ReLU": lambda values: np.maximum(values, 0),
    "GELU": _gelu,
    "Sigmoid": _sigmoid,
    "SiLU": lambda values: values * _sigmoid(values),
}
ROOMS = ("torch.nn", "torch.nn.modules.activation", "torch.nn.modules.linear")


@dataclass(frozen=True, eq=False)
class Dense:
    """A linear layer with an activation and, where the checkpoint has it, a residual: the
    vectors themselves, or a projection of them."""

    weight: Array
    bias: Array | None
    activation: str
    residual: Array | bool = False

    def __call__(self, vectors: Array) -> Array:
        made = vectors @ self.weight.T.astype(vectors.dtype, copy=False)
        if self.bias is not None:
            made += self.bias.astype(vectors.dtype, copy=False)
        made = ACTIVATIONS[self.activation](made)
        if self.residual is False:
            return made
        if self.residual is True:
            return made + vectors
        return made + vectors @ self.residual.T.astype(vectors.dtype, copy=False)


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """PyTorch's layer norm, with its own epsilon."""

    weight: Array
    bias: Array

    def __call__(self, vectors: Array) -> Array:
        centred = vectors - vectors.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + vectors.dtype.type(1e-5))
        weight, bias = (array.astype(vectors.dtype) for array in (self.weight, self.bias))
        return scaled * weight + bias


@dataclass(frozen=True)
class Normalize:
    """Length one."""

    def __call__(self, vectors: Array) -> Array:
        length = np.linalg.norm(vectors, axis=-1, keepdims=True)
        return vectors / np.maximum(length, vectors.dtype.type(1e-12))


@dataclass(frozen=True)
class Dropout:
    """Of use in training only."""

    def __call__(self, vectors: Array) -> Array:
        return vectors


Module = Dense | LayerNorm | Normalize | Dropout


def read_module(kind: str, folder: Path, size: int) -> tuple[Module, int]:
    """The module of that kind whose files are in the folder, for vectors of that size, and the
    size of the vectors that come out."""
    if kind not in READERS:
        raise ConfigError(
            f"{folder.parent / 'modules.json'} asks for the module {kind:.80}; supported after "
            f"a Pooling: {', '.join(READERS)}"
        )
    path = folder / "config.json"
    if not is_file(path):
        if kind != "Normalize":  # which old releases tell nothing
            raise CheckpointError(f"{path} is missing: {kind} is told its sizes there")
        return Normalize(), size
    return READERS[kind](path, read_json(path, CheckpointError), size)


def _read_dense(path: Path, values: dict[str, Any], size: int) -> tuple[Dense, int]:
    known = {"in_features", "out_features", "bias", "activation_function", "use_residual"}
    _check_keys(path, values, known)
    has_bias, residual = values.get("bias", True), values.get("use_residual", False)
    if not isinstance(has_bias, bool) or not isinstance(residual, bool):
        raise ConfigError(f"{path}: bias and use_residual must be true or false")
    if values.get("in_features") != size:
        raise ConfigError(
            f"{path}: in_features is {shown(values.get('in_features'))}, but vectors of {size} "
            "come in"
        )
    made = values.get("out_features")
    if isinstance(made, bool) or not isinstance(made, int) or made < 1:
        raise ConfigError(f"{path}: out_features is {shown(made)}; it must be a whole number")
    shapes = {"linear.weight": (made, size)}
    shapes |= {"linear.bias": (made,)} if has_bias else {}
    shapes |= {"residual.weight": (made, size)} if residual and made != size else {}
    tensors = _read_weights(path.parent, shapes)
    return Dense(
        tensors["linear.weight"],
        tensors.get("linear.bias"),
        _activation(path, values.get("activation_function", "torch.nn.Tanh")),
        tensors.get("residual.weight", residual),
    ), made


def _activation(path: Path, named: Any) -> str:
    room, _, name = named.rpartition(".") if isinstance(named, str) else ("", "", "")
    if room not in ROOMS or name not in ACTIVATIONS:
        raise ConfigError(
            f"{path}: activation_function is {shown(named)}; supported are torch.nn's "
            f"{', '.join(ACTIVATIONS)}"
        )
    return name


def _read_layer_norm(path: Path, values: dict[str, Any], size: int) -> tuple[LayerNorm, int]:
    _check_keys(path, values, {"dimension"})
    if values.get("dimension") != size:
        raise ConfigError(
            f"{path}: dimension is {shown(values.get('dimension'))}, but vectors of {size} "
            "come in"
        )
    tensors = _read_weights(path.parent, {"norm.weight": (size,), "norm.bias": (size,)})
    return LayerNorm(tensors["norm.weight"], tensors["norm.bias"]), size


def _read_normalize(path: Path, values: dict[str, Any], size: int) -> tuple[Normalize, int]:
    _check_keys(path, values, set())
    return Normalize(), size


def _read_dropout(path: Path, values: dict[str, Any], size: int) -> tuple[Dropout, int]:
    _check_keys(path, values, {"dropout"})
    return Dropout(), size


READERS = {
    "Dense": _read_dense,
    "LayerNorm": _read_layer_norm,
    "Normalize": _read_normalize,
    "Dropout": _read_dropout,
}


def _check_keys(path: Path, values: dict[str, Any], known: set[str]) -> None:
    """Nothing unknown; and a module works on the vectors of texts, not on those of tokens."""
    ends = {"module_input_name", "module_output_name"}
    unknown = sorted(map(str, set(values) - known - ends))
    if unknown:
        raise ConfigError(
            f"{path} has the keys {', '.join(unknown):.200}, which are not implemented; "
            f"supported: {', '.join(sorted(known | ends))}"
        )
    for key in sorted(ends):
        if values.get(key) not in (None, "sentence_embedding"):
            raise ConfigError(
                f"{path}: {key} is {shown(values[key])}; supported: 'sentence_embedding'"
            )


def _read_weights(folder: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    tensors = read_tensors(folder)
    found = {key: tensor.shape for key, tensor in tensors.items()}
    if found != shapes:
        raise CheckpointError(
            f"{folder / 'model.safetensors'} holds {shown(found, 200)}; its config asks for "
            f"{shown(shapes, 200)}"
        )
    for key, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise CheckpointError(f"{folder}: {key} holds NaN or infinite values")
    return tensors
