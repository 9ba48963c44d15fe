"""The models with a head, whole, on arrays; their parts are in
rust_ports/encoders/src/heads.rs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference.candle.port import build
from reference.config import BertConfig, ModernBertConfig


@dataclass
class HeadOutput:
    """What a head returns: raw scores, never a softmax; the loss where labels were given."""

    logits: np.ndarray
    loss: np.ndarray | None = None
    hidden_states: list[np.ndarray] | None = None


class Head:
    """An encoder with something on top: the compiled architecture of the class's own name."""

    def __init__(
        self, config: BertConfig, tensors: dict[str, np.ndarray], dtype: str = "float32"
    ) -> None:
        self.native = build(config, type(self).__name__, tensors, dtype)

    def __call__(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None = None,
        token_type_ids: np.ndarray | None = None,
        cu_seqlens: np.ndarray | None = None,
        output_hidden_states: bool = False,
        labels: np.ndarray | None = None,
    ) -> HeadOutput:
        """Padded: ids and mask [batch, tokens]. Packed: ids [tokens] and the cumulative lengths
        of the texts."""
        if cu_seqlens is None:
            rest = attention_mask, token_type_ids, output_hidden_states, labels
            return HeadOutput(**self.native.forward(input_ids, *rest))
        rest = cu_seqlens, token_type_ids, output_hidden_states, labels
        return HeadOutput(**self.native.forward_packed(input_ids, *rest))


class BertForMaskedLM(Head):
    """Scores over the vocabulary at every position."""


class BertForSequenceClassification(Head):
    """Scores over the labels for each text, from the pooler's vector."""


class BertForTokenClassification(Head):
    """Scores over the labels for each token."""


class XLMRobertaForMaskedLM(Head):
    """BertForMaskedLM under RoBERTa's keys."""


class XLMRobertaForSequenceClassification(Head):
    """Scores over the labels for each text, from its first token; there is no pooler."""


class XLMRobertaForTokenClassification(Head):
    """BertForTokenClassification under RoBERTa's keys."""


class ModernBertHead:
    """A ModernBERT with something on top: the compiled architecture of the class's own name."""

    def __init__(
        self, config: ModernBertConfig, tensors: dict[str, np.ndarray], dtype: str = "float32"
    ) -> None:
        self.native = build(config, type(self).__name__, tensors, dtype)

    def __call__(
        self,
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None = None,
        cu_seqlens: np.ndarray | None = None,
        output_hidden_states: bool = False,
        labels: np.ndarray | None = None,
    ) -> HeadOutput:
        """Padded: ids and mask [batch, tokens]. Packed: ids [tokens] and the cumulative lengths
        of the texts."""
        if cu_seqlens is None:
            return HeadOutput(
                **self.native.forward(
                    input_ids, attention_mask, None, output_hidden_states, labels
                )
            )
        return HeadOutput(
            **self.native.forward_packed(
                input_ids, cu_seqlens, None, output_hidden_states, labels
            )
        )


class ModernBertForMaskedLM(ModernBertHead):
    """Scores over the vocabulary at every position; with sparse_prediction and labels, at the
    labelled ones only."""


class ModernBertForSequenceClassification(ModernBertHead):
    """Scores over the labels for each text, from its first vector or from the mean, as
    classifier_pooling says."""


class ModernBertForTokenClassification(ModernBertHead):
    """Scores over the labels for each token."""


class ModernBertForMultipleChoice(ModernBertHead):
    """One score for each of several texts that answer one question: ids are [batch, choices,
    tokens], logits [batch, choices]; the texts of a packed row are the choices of one
    question."""
