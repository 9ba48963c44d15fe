"""The oracle: Transformers itself on the same folder, in float64 for the truth, in the port's
dtype for the noise."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from reference.checkpoint import Checkpoint
from reference.errors import CheckpointError
from reference.files import read_json
from reference.parity.batch import Batch

OUTPUTS = ("last_hidden_state", "pooler_output", "logits", "hidden_states")

# The operations that a port's trace names, as module paths in Transformers.
_OPERATIONS = re.compile(
    r"(bert\.|roberta\.)?(embeddings|pooler(\.dense)?"
    r"|encoder\.layer\.\d+\.(attention\.self(\.(query|key|value))?|attention\.output(\.dense)?"
    r"|intermediate(\.dense)?|output(\.dense)?))"
    r"|cls\.predictions\.(transform(\.dense)?|decoder)|lm_head\.(dense|layer_norm|decoder)"
    r"|(model\.)?(embeddings|layers\.(?!0\.attn_norm)\d+(\.(attn_norm|attn\.(Wqkv|Wo)|mlp_norm|mlp\.(Wi|Wo)))?|final_norm)"
    r"|head(\.dense)?|decoder"
    r"|classifier(\.dense|\.out_proj)?"
)


class Oracle:
    """Transformers' model of the checkpoint in one dtype, with sdpa attention, without dropout.

    It reads the folder by itself, so a mistake in the package's own reading shows as well.
    """

    def __init__(self, checkpoint: Checkpoint, dtype: str = "float64") -> None:
        self.checkpoint = checkpoint
        self.dtype = dtype

    @cached_property
    def model(self) -> nn.Module:
        """Read when it is first needed; a large one may be let go (`del oracle.model`) and is
        read again."""
        with torch.inference_mode(False):  # whoever asks first: gradients are wanted, too
            return _load(self.checkpoint, getattr(torch, self.dtype))

    @torch.inference_mode()
    def forward(self, batch: Batch) -> dict[str, Any]:
        """The keys of a port's forward, hidden states included."""
        outputs = self.model(**_arguments(batch), output_hidden_states=True)
        arrays: dict[str, Any] = {}
        for name in OUTPUTS:
            value = outputs.get(name)
            if value is not None:
                arrays[name] = (
                    [_array(state) for state in value]
                    if name == "hidden_states"
                    else _array(value)
                )
        return arrays

    @torch.inference_mode()
    def trace(self, batch: Batch) -> dict[str, np.ndarray]:
        """What each operation returned, by module path, in order of evaluation."""
        seen: dict[str, np.ndarray] = {}

        def keep(name: str, output: Any) -> None:
            seen[name] = _array(output[0] if isinstance(output, tuple) else output)

        modules = [
            (name, module)
            for name, module in self.model.named_modules()
            if _OPERATIONS.fullmatch(name)
        ]
        hooks = [
            module.register_forward_hook(
                lambda module, inputs, output, name=name: keep(name, output)
            )
            for name, module in modules
        ]
        hooks += [
            module.register_forward_pre_hook(
                lambda module, inputs, name=name: keep(f"{name}.input", inputs[0])
            )
            for name, module in modules
            if name.endswith(
                ".Wo"
            )  # where ModernBERT's attention ends, and its gate: no module has them as output
        ]
        try:
            self.model(**_arguments(batch))
        finally:
            for hook in hooks:
                hook.remove()
        return seen

    @torch.inference_mode()
    def rope_tables(self, tokens: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For each kind of layer the cosines and sines [tokens, head_dim] that Transformers
        turns by, in float32; none of a model without rotary positions."""
        rotary = next(
            (
                module
                for name, module in self.model.named_modules()
                if name.endswith("rotary_emb")
            ),
            None,
        )
        if rotary is None:
            return {}
        positions = torch.arange(tokens)[None]
        tables = {kind: rotary(torch.zeros(1), positions, kind) for kind in rotary.layer_types}
        return {kind: (cos[0].numpy(), sin[0].numpy()) for kind, (cos, sin) in tables.items()}

    def gradients(
        self, batch: Batch, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        """The loss on the labels, and its gradient in every parameter of the checkpoint."""
        target = torch.from_numpy(labels)
        if target.is_floating_point():
            target = target.to(self.model.dtype)
        loss = self._loss(batch, target)
        # An oracle that computed its loss in float32 would be no truth.
        if loss.dtype != self.model.dtype:
            raise AssertionError(
                f"Transformers computed this loss in {loss.dtype}, not in {self.dtype}"
            )
        parameters = {key: self.model.get_parameter(key) for key in self.checkpoint.tensors}
        found = torch.autograd.grad(
            loss, list(parameters.values()), allow_unused=True, materialize_grads=True
        )
        return loss.item(), {
            key: _array(value) for key, value in zip(parameters, found, strict=True)
        }

    def _loss(self, batch: Batch, target: Tensor) -> Tensor:
        architecture = self.checkpoint.architecture
        if architecture.name == "ModernBertForMaskedLM":
            # Transformers' ForMaskedLMLoss goes by way of float32, whatever the model's dtype
            # is.
            logits = self.model(**_arguments(batch)).logits
            return nn.functional.cross_entropy(logits.flatten(0, -2), target.flatten())
        if architecture.task != "base":
            return self.model(**_arguments(batch), labels=target).loss
        real = torch.from_numpy(batch.real)
        hidden = self.model(**_arguments(batch)).last_hidden_state
        return nn.functional.mse_loss(hidden[real], target[real])


def sentence_embeddings(
    checkpoint: Checkpoint, hidden: np.ndarray, real: np.ndarray
) -> np.ndarray:
    """One vector a text as modules.json describes it, in the dtype of the hidden states."""
    modules = read_modules(checkpoint)
    vectors = np.stack(
        [
            _pool(row[its_real], modules["Pooling"])
            for row, its_real in zip(hidden, real, strict=True)
        ]
    )
    if "Normalize" in modules:
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return vectors


def read_modules(checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """Kind of each module of modules.json -> its settings; read here once more, apart from the
    pipeline's reading."""
    folder = checkpoint.folder
    path = folder / "modules.json"
    modules = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    settings = {}
    for module in modules:
        kind, its_config = (
            module["type"].rsplit(".", 1)[-1],
            folder / module["path"] / "config.json",
        )
        settings[kind] = read_json(its_config, CheckpointError) if kind == "Pooling" else {}
    return settings


def _pool(tokens: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """One text's real tokens [tokens, hidden] to one vector, the poolings side by side."""
    ways = {
        "cls": ("pooling_mode_cls_token", lambda: tokens[0]),
        "max": ("pooling_mode_max_tokens", lambda: tokens.max(axis=0)),
        "mean": ("pooling_mode_mean_tokens", lambda: tokens.mean(axis=0)),
    }
    named = settings.get("pooling_mode")
    chosen = [named] if isinstance(named, str) else named
    if chosen is None:
        chosen = [way for way, (switch, _) in ways.items() if settings.get(switch)] or ["mean"]
    return np.concatenate([ways[way][1]() for way in chosen])


def _load(checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module:
    architecture = checkpoint.architecture
    poolable = architecture.task == "base" and architecture.family != "modernbert"
    extra = (
        {"add_pooling_layer": "pooler.dense.weight" in checkpoint.tensors} if poolable else {}
    )
    with quiet():
        model, loading = getattr(transformers, architecture.name).from_pretrained(
            checkpoint.folder,
            dtype=dtype,
            attn_implementation="sdpa",
            output_loading_info=True,
            **extra,
        )
    if loading["missing_keys"]:
        raise CheckpointError(
            f"Transformers does not find {', '.join(sorted(loading['missing_keys'])[:4])} in "
            f"{checkpoint.folder} "
            "and would draw them at random; there is nothing to compare with"
        )
    return model.eval()


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


def _arguments(batch: Batch) -> dict[str, Tensor]:
    names = ("input_ids", "attention_mask", "token_type_ids")
    arrays = zip(names, batch.arguments, strict=True)
    return {name: torch.from_numpy(value) for name, value in arrays if value is not None}


def _array(tensor: Tensor) -> np.ndarray:
    """NumPy has no bfloat16."""
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
