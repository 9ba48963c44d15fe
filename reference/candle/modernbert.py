"""ModernBERT as a whole model on arrays; its parts are in
rust_ports/encoders/src/modernbert.rs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.candle.port import build
from reference.config import ModernBertConfig


@dataclass
class ModernBertModelOutput:
    """What ModernBertModel returns; hidden_states holds the normed embeddings and then each
    layer's output, the last of them after the final norm."""

    last_hidden_state: np.ndarray
    hidden_states: list[np.ndarray] | None = None


class ModernBertModel:
    """Ids in, one vector a token out. Each layer attends to the whole text or to a window, as
    its layer_type says."""

    def __init__(
        self, config: ModernBertConfig, tensors: dict[str, np.ndarray], dtype: str = "float32"
    ) -> None:
        self.native = build(config, "ModernBertModel", tensors, dtype)

    def __call__(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None = None,
        cu_seqlens: np.ndarray | None = None,
        output_hidden_states: bool = False,
    ) -> ModernBertModelOutput:
        """Padded: ids and mask [batch, tokens]. Packed: ids [tokens] and the cumulative lengths
        of the texts."""
        if cu_seqlens is None:
            outputs = self.native.forward(input_ids, attention_mask, None, output_hidden_states)
        else:
            outputs = self.native.forward_packed(
                input_ids, cu_seqlens, None, output_hidden_states
            )
        return ModernBertModelOutput(**outputs)
