"""The MLX port behind the protocol of reference/backend.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten

from reference.config import EncoderConfig
from reference.mlx import heads, pooling
from reference.mlx.attention import pad_packed
from reference.mlx.bert import BertModel, BertModelOutput
from reference.mlx.losses import mean_squared_error
from reference.mlx.modernbert import ModernBertModel, ModernBertModelOutput
from reference.mlx.trace import record

# How many numbers the widest intermediate of embed may have on a CPU. There MLX has no memory
# of its own: a large intermediate is asked of the system each time, and it costs more to get
# than to compute.
_WIDEST = 1 << 20

DTYPES = ("float32", "float64", "float16", "bfloat16")
HEADS = (heads.Head, heads.ModernBertHead)
POOLING = {"cls": pooling.cls_pooling, "max": pooling.max_pooling, "mean": pooling.mean_pooling}


def build(
    config: EncoderConfig, architecture: str, tensors: dict[str, np.ndarray], dtype: str
) -> MLXModel:
    """The architecture with these tensors in it; MLX is lazy, so its placeholders never take
    memory."""
    device = (
        mx.cpu if dtype == "float64" else mx.default_device()
    )  # no GPU of Apple's computes in float64
    with mx.stream(device):
        if architecture == "ModernBertModel":
            network = ModernBertModel(config)
        elif architecture.endswith("Model"):
            network = BertModel(config, add_pooling_layer="pooler.dense.weight" in tensors)
        else:
            network = getattr(heads, architecture)(config)
        kind = getattr(mx, dtype)
        network.load_weights(
            [(key, mx.array(value, dtype=kind)) for key, value in tensors.items()]
        )
        mx.eval(network.parameters())
    tokens_at_once = (
        sys.maxsize if device == mx.gpu else max(1, _WIDEST // config.intermediate_size)
    )
    return MLXModel(network.eval(), list(tensors), device, tokens_at_once)


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

    def forward(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None,
        token_type_ids: np.ndarray | None,
        output_hidden_states: bool,
    ) -> dict[str, Any]:
        with mx.stream(self.device):
            arguments = _arguments(
                input_ids=input_ids,
                attention_mask=attention_mask,
                token_type_ids=token_type_ids,
            )
            return _outputs(
                self.network(**arguments, output_hidden_states=output_hidden_states)
            )

    def forward_packed(
        self,
        input_ids: np.ndarray,
        cu_seqlens: np.ndarray,
        token_type_ids: np.ndarray | None,
        output_hidden_states: bool,
    ) -> dict[str, Any]:
        with mx.stream(self.device):
            arguments = _arguments(
                input_ids=input_ids, token_type_ids=token_type_ids, cu_seqlens=cu_seqlens
            )
            return _outputs(
                self.network(**arguments, output_hidden_states=output_hidden_states)
            )

    def embed(
        self,
        input_ids: np.ndarray,
        cu_seqlens: np.ndarray,
        token_type_ids: np.ndarray | None,
        ways: tuple[str, ...],
        normalize: bool,
    ) -> np.ndarray:
        groups = []
        for first, last in _groups(cu_seqlens, self.tokens_at_once):
            tokens = slice(cu_seqlens[first], cu_seqlens[last])
            types = None if token_type_ids is None else token_type_ids[tokens]
            lengths = cu_seqlens[first : last + 1] - cu_seqlens[first]
            groups.append(self._embed(input_ids[tokens], lengths, types, ways, normalize))
        return np.concatenate(groups)

    def _embed(
        self,
        input_ids: np.ndarray,
        cu_seqlens: np.ndarray,
        token_type_ids: np.ndarray | None,
        ways: tuple[str, ...],
        normalize: bool,
    ) -> np.ndarray:
        with mx.stream(self.device):
            lengths = _tensor(cu_seqlens)
            encoder = (
                getattr(self.network, self.network.base)
                if isinstance(self.network, HEADS)
                else self.network
            )
            outputs = encoder(
                **_arguments(input_ids=input_ids, token_type_ids=token_type_ids),
                cu_seqlens=lengths,
            )
            hidden, attention_mask = pad_packed(outputs.last_hidden_state, lengths)
            vectors = mx.concatenate(
                [POOLING[way](hidden, attention_mask) for way in ways], axis=-1
            )
            return _array(pooling.normalize(vectors) if normalize else vectors)

    def gradients(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None,
        token_type_ids: np.ndarray | None,
        labels: np.ndarray,
    ) -> tuple[float, dict[str, np.ndarray]]:
        with mx.stream(self.device):
            arguments = _arguments(
                input_ids=input_ids,
                attention_mask=attention_mask,
                token_type_ids=token_type_ids,
            )
            if not isinstance(self.network, HEADS):
                loss_of = lambda: _base_loss(self.network(**arguments), attention_mask, labels)
            else:
                if labels.dtype == np.float64 and self.device != mx.cpu:
                    labels = labels.astype(np.float32)  # Apple's GPUs know no float64
                loss_of = lambda: self.network(**arguments, labels=_tensor(labels)).loss
            loss, gradients = nn.value_and_grad(self.network, loss_of)()
            gradients = tree_flatten(gradients, destination={})
            return loss.item(), {key: _array(gradients[key]) for key in self.keys}

    def trace(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None,
        token_type_ids: np.ndarray | None,
    ) -> dict[str, np.ndarray]:
        with mx.stream(self.device), record(self.network) as seen:
            self.network(
                **_arguments(
                    input_ids=input_ids,
                    attention_mask=attention_mask,
                    token_type_ids=token_type_ids,
                )
            )
            return {name: _array(output) for name, output in seen.items()}

    def state(self) -> dict[str, np.ndarray]:
        parameters = tree_flatten(self.network.parameters(), destination={})
        return {key: _array(parameters[key]) for key in self.keys}


def _groups(cu_seqlens: np.ndarray, tokens: int) -> Iterator[tuple[int, int]]:
    """First and last bound of as many texts in a row as have at most so many tokens; a longer
    text goes alone."""
    first, texts = 0, len(cu_seqlens) - 1
    for text in range(1, texts + 1):
        if text == texts or cu_seqlens[text + 1] - cu_seqlens[first] > tokens:
            yield first, text
            first = text


def _base_loss(
    outputs: BertModelOutput | ModernBertModelOutput,
    attention_mask: np.ndarray | None,
    labels: np.ndarray,
) -> mx.array:
    """A base model is trained on nothing; its gradients are those of the distance to given
    states of real tokens."""
    hidden = outputs.last_hidden_state
    mask = np.ones(hidden.shape[:2]) if attention_mask is None else attention_mask
    real = tuple(
        mx.array(axis) for axis in np.nonzero(mask)
    )  # MLX indexes by numbers only, not by a mask
    return mean_squared_error(hidden[real], _tensor(labels).astype(hidden.dtype)[real])


def _outputs(
    outputs: BertModelOutput | ModernBertModelOutput | heads.HeadOutput,
) -> dict[str, Any]:
    names = ("last_hidden_state", "pooler_output", "logits")
    arrays = {
        name: value for name in names if (value := getattr(outputs, name, None)) is not None
    }
    if outputs.hidden_states is not None:
        arrays["hidden_states"] = outputs.hidden_states
    mx.eval(
        arrays
    )  # all at once: asked for one by one, what they share would be computed in pieces
    return {
        name: [_array(state) for state in value] if isinstance(value, list) else _array(value)
        for name, value in arrays.items()
    }


def _arguments(**arrays: np.ndarray | None) -> dict[str, mx.array]:
    """MLX arrays under the names of the arguments, without what is not given: ModernBERT takes
    no token types."""
    return {name: _tensor(array) for name, array in arrays.items() if array is not None}


def _tensor(array: np.ndarray) -> mx.array:
    """MLX turns float64 into float32 unless it is told not to."""
    return mx.array(array, dtype=mx.float64) if array.dtype == np.float64 else mx.array(array)


def _array(tensor: mx.array) -> np.ndarray:
    """NumPy has no bfloat16, and half precision is for computing, not for handing over."""
    return np.array(
        tensor.astype(mx.float32) if tensor.dtype in (mx.float16, mx.bfloat16) else tensor
    )
