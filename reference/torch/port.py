"""The PyTorch port behind the protocol of reference/backend.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reference.config import EncoderConfig
from reference.torch import heads, pooling
from reference.torch.attention import pad_packed
from reference.torch.bert import BertModel, BertModelOutput
from reference.torch.losses import mean_squared_error
from reference.torch.modernbert import ModernBertModel, ModernBertModelOutput

DTYPES = ("float32", "float64", "float16", "bfloat16")
HEADS = (heads.Head, heads.ModernBertHead)
POOLING = {"cls": pooling.cls_pooling, "max": pooling.max_pooling, "mean": pooling.mean_pooling}


def build(
    config: EncoderConfig, architecture: str, tensors: dict[str, np.ndarray], dtype: str
) -> TorchModel:
    """The architecture with these tensors in it; memory is taken once, by the tensors
    themselves."""
    with torch.device("meta"):
        if architecture == "ModernBertModel":
            network = ModernBertModel(config)
        elif architecture.endswith("Model"):
            network = BertModel(config, add_pooling_layer="pooler.dense.weight" in tensors)
        else:
            network = getattr(heads, architecture)(config)
    kind = getattr(torch, dtype)
    state = {key: torch.from_numpy(np.array(value)).to(kind) for key, value in tensors.items()}
    network.load_state_dict(state, strict=False, assign=True)
    if architecture == "ModernBertForMaskedLM":
        heads.tie_modernbert_decoder(network)
    elif architecture.endswith("ForMaskedLM"):
        head = network.cls.predictions if architecture.startswith("Bert") else network.lm_head
        heads.tie_decoder(head, getattr(network, network.base), config)
    return TorchModel(network.eval(), list(tensors))


class TorchModel:
    """A network and the names of its parameters; NumPy at the border, tensors inside."""

    def __init__(self, network: nn.Module, keys: list[str]) -> None:
        self.network = network
        self.keys = keys

    @torch.inference_mode()
    def forward(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None,
        token_type_ids: np.ndarray | None,
        output_hidden_states: bool,
    ) -> dict[str, Any]:
        arguments = _arguments(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        )
        return _outputs(self.network(**arguments, output_hidden_states=output_hidden_states))

    @torch.inference_mode()
    def forward_packed(
        self,
        input_ids: np.ndarray,
        cu_seqlens: np.ndarray,
        token_type_ids: np.ndarray | None,
        output_hidden_states: bool,
    ) -> dict[str, Any]:
        arguments = _arguments(
            input_ids=input_ids, token_type_ids=token_type_ids, cu_seqlens=cu_seqlens
        )
        return _outputs(self.network(**arguments, output_hidden_states=output_hidden_states))

    @torch.inference_mode()
    def embed(
        self,
        input_ids: np.ndarray,
        cu_seqlens: np.ndarray,
        token_type_ids: np.ndarray | None,
        ways: tuple[str, ...],
        normalize: bool,
    ) -> np.ndarray:
        lengths = _tensor(cu_seqlens)
        encoder = (
            getattr(self.network, self.network.base)
            if isinstance(self.network, HEADS)
            else self.network
        )
        outputs = encoder(
            **_arguments(input_ids=input_ids, token_type_ids=token_type_ids), cu_seqlens=lengths
        )
        hidden, attention_mask = pad_packed(outputs.last_hidden_state, lengths)
        vectors = torch.cat([POOLING[way](hidden, attention_mask) for way in ways], dim=-1)
        return _array(pooling.normalize(vectors) if normalize else vectors)

    def gradients(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None,
        token_type_ids: np.ndarray | None,
        labels: np.ndarray,
    ) -> tuple[float, dict[str, np.ndarray]]:
        arguments = _arguments(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        )
        parameters = {key: self.network.get_parameter(key) for key in self.keys}
        if not isinstance(self.network, HEADS):
            hidden = self.network(**arguments).last_hidden_state
            target = _tensor(labels).to(hidden.dtype)
            real = slice(None) if attention_mask is None else _tensor(attention_mask).bool()
            loss = mean_squared_error(hidden[real], target[real])
        else:
            loss = self.network(**arguments, labels=_tensor(labels)).loss
        gradients = torch.autograd.grad(
            loss, list(parameters.values()), allow_unused=True, materialize_grads=True
        )
        return loss.item(), {
            key: _array(value) for key, value in zip(parameters, gradients, strict=True)
        }

    @torch.inference_mode()
    def trace(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None,
        token_type_ids: np.ndarray | None,
    ) -> dict[str, np.ndarray]:
        seen: dict[str, np.ndarray] = {}

        def keep(name: str, output: Any) -> None:
            if isinstance(output, Tensor):
                seen[name] = _array(output)

        hooks = [
            module.register_forward_hook(
                lambda module, inputs, output, name=name: keep(name, output)
            )
            for name, module in self.network.named_modules()
        ]
        hooks += [
            module.register_forward_pre_hook(
                lambda module, inputs, name=name: keep(f"{name}.input", inputs[0])
            )
            for name, module in self.network.named_modules()
            if name.endswith(".Wo")  # what attention and the gate of a ModernBERT made
        ]
        try:
            self.network(
                **_arguments(
                    input_ids=input_ids,
                    attention_mask=attention_mask,
                    token_type_ids=token_type_ids,
                )
            )
        finally:
            for hook in hooks:
                hook.remove()
        return seen

    def state(self) -> dict[str, np.ndarray]:
        return {key: _array(self.network.get_parameter(key).detach()) for key in self.keys}


def _arguments(**arrays: np.ndarray | None) -> dict[str, Tensor]:
    """Tensors under the names of the arguments, without what is not given: ModernBERT takes no
    token types."""
    return {
        name: torch.from_numpy(np.ascontiguousarray(array))
        for name, array in arrays.items()
        if array is not None
    }


def _outputs(
    outputs: BertModelOutput | ModernBertModelOutput | heads.HeadOutput,
) -> dict[str, Any]:
    names = ("last_hidden_state", "pooler_output", "logits")
    arrays: dict[str, Any] = {
        name: _array(value)
        for name in names
        if (value := getattr(outputs, name, None)) is not None
    }
    if outputs.hidden_states is not None:
        arrays["hidden_states"] = [_array(state) for state in outputs.hidden_states]
    return arrays


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _array(tensor: Tensor) -> np.ndarray:
    """NumPy has no bfloat16, and half precision is for computing, not for handing over."""
    return (
        tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
    ).numpy()
