"""BERT as a whole model on arrays; its parts, layer by layer, are in
rust_ports/encoders/src/bert.rs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.candle.port import build
from reference.config import BertConfig


@dataclass
class BertModelOutput:
    """What BertModel returns; hidden_states holds the embeddings' output and then each
    layer's."""

    last_hidden_state: np.ndarray
    pooler_output: np.ndarray | None = None
    hidden_states: list[np.ndarray] | None = None


class BertModel:
    """Ids in, one vector a token out, and the pooler's vector a text where the tensors have a
    pooler."""

    def __init__(
        self, config: BertConfig, tensors: dict[str, np.ndarray], dtype: str = "float32"
    ) -> None:
        family = "Bert" if config.model_type == "bert" else "XLMRoberta"
        self.native = build(config, f"{family}Model", tensors, dtype)

    def __call__(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None = None,
        token_type_ids: np.ndarray | None = None,
        cu_seqlens: np.ndarray | None = None,
        output_hidden_states: bool = False,
    ) -> BertModelOutput:
        """Padded: ids and mask [batch, tokens]. Packed: ids [tokens] and the cumulative lengths
        of the texts."""
        if cu_seqlens is None:
            outputs = self.native.forward(
                input_ids, attention_mask, token_type_ids, output_hidden_states
            )
        else:
            outputs = self.native.forward_packed(
                input_ids, cu_seqlens, token_type_ids, output_hidden_states
            )
        return BertModelOutput(**outputs)
