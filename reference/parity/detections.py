"""The oracles of models for chosen positions: Transformers' encoder, or one from PyTorch's
stock modules, with a head of stock modules on it."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reference.checkpoint import Checkpoint, write_checkpoint
from reference.families import BASE, architecture_for
from reference.families.detections import HEAD
from reference.inputs import Inputs
from reference.parity.batch import Batch
from reference.parity.oracle import TransformersOracle, quiet
from reference.torch.masked_sequence import AutoModelForMaskedSeqModeling
from reference.torch.masked_sequence.head import DetectionHead, pooled
from reference.torch.masked_sequence.losses import multiclass_loss, multilabel_loss


class WrapperOracle(TransformersOracle):
    """What puts a head on any of Transformers' encoders. It is told the first token of a
    detection and the last, and pools by a rule of its own."""

    name = "Transformers with a head at chosen positions"

    def load(self, checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module:
        with quiet():
            model = AutoModelForMaskedSeqModeling.from_pretrained(
                checkpoint.folder, dtype=dtype
            )
        # Whoever made the folder may have called the encoder otherwise.
        own, ours = model.config.base_model_attr_name, checkpoint.architecture.family.attribute
        setattr(model, ours, model._modules.pop(own))
        model.config.base_model_attr_name = ours
        return model

    def arrays(self, inputs: Inputs) -> dict[str, np.ndarray | None]:
        tokens = inputs.input_ids.shape[1]
        ends = {"mask_indices": inputs.spans[..., 0], "mask_ends": inputs.spans.max(-1)}
        return super().arrays(inputs) | {name: at % tokens for name, at in ends.items()}


class AssembledOracle(WrapperOracle):
    """The same head on an encoder that Transformers does not have, whose own oracle reads it
    from a folder."""

    name = "PyTorch's stock modules"

    def load(self, checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module:
        architecture = architecture_for(checkpoint.config, BASE)
        config = architecture.family.config_of(checkpoint.config, architecture)
        prefix = checkpoint.architecture.base_prefix
        tensors = {
            key.removeprefix(prefix): array
            for key, array in checkpoint.tensors.items()
            if key.startswith(prefix)
        }
        module, _, name = architecture.oracle.partition(":")
        kind = getattr(importlib.import_module(module), name)
        with tempfile.TemporaryDirectory() as folder:
            write_checkpoint(folder, config, tensors)
            own = Checkpoint(Path(folder), config, architecture, tensors)
            encoder = kind(own).load(own, torch.float32)
        self.encoder_oracle = kind(own, self.dtype)
        return _Assembled(checkpoint, encoder).to(dtype)

    def places(self, row: str, batch: Batch) -> np.ndarray | None:
        _ = self.model  # whose encoder's oracle knows
        return self.encoder_oracle.places(row, batch)


class _Assembled(nn.Module):
    def __init__(self, checkpoint: Checkpoint, encoder: nn.Module) -> None:
        super().__init__()
        self.config, self.base = checkpoint.config, checkpoint.architecture.family.attribute
        setattr(self, self.base, encoder)
        head = DetectionHead(self.config.hidden_size, self.config.num_labels)
        tensors = {
            key.removeprefix(f"{HEAD}."): torch.from_numpy(array.astype(np.float32))
            for key, array in checkpoint.tensors.items()
            if key.startswith(f"{HEAD}.")
        }
        head.load_state_dict(tensors)
        self.detection_head = head

    @property
    def dtype(self) -> torch.dtype:
        return self.detection_head.dense.weight.dtype

    def forward(
        self,
        mask_indices: Tensor,
        mask_ends: Tensor,
        labels: Tensor | None = None,
        **inputs: Any,
    ) -> Mapping[str, Any]:
        found = getattr(self, self.base)(**inputs)
        on_it = self.config.detections
        vectors = pooled(
            found["last_hidden_state"], mask_indices, mask_ends, on_it.span_pooling
        )
        logits = self.detection_head(vectors)
        outputs = {"logits": logits, "hidden_states": found.get("hidden_states", ())}
        if labels is None:
            return outputs
        weights = on_it.class_weights and logits.new_tensor(on_it.class_weights)
        if self.config.problem_type == "single_label_classification":
            return outputs | {"loss": multiclass_loss(logits, labels, weights)}
        pos_weight = on_it.pos_weight and logits.new_tensor(on_it.pos_weight)
        return outputs | {"loss": multilabel_loss(logits, labels, pos_weight, weights)}
