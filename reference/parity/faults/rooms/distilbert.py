"""Bugs of DistilBERT: what a port takes over from BERT that is otherwise here."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.parity.faults.fault import Code, Fault, Patch
from reference.parity.faults.seeding import edited


def _pooled_as_in_bert(code: Code) -> list[Patch]:
    def score(self: Any, outputs: Any, inputs: Any) -> Any:
        first = code.distilbert.first_tokens(outputs.last_hidden_state, inputs.cu_seqlens)
        return self.classifier(code.framework.tanh(self.pre_classifier(first)))

    return [(code.distilbert.DistilBertTextHead, "score", score)]


def _norm_skipped(code: Code) -> list[Patch]:
    """A post-norm block with one norm, at its end."""

    def block(self: Any, hidden: Any, attend: Any) -> Any:
        attended = self.attention(hidden, attend) + hidden
        return self.output_layer_norm(self.ffn(attended) + attended)

    return [(code.distilbert.TransformerBlock, code.call, block)]


FAULTS = (
    Fault(
        "distilbert_pooled_as_in_bert",
        "tanh behind pre_classifier, as behind BERT's pooler, where it is a ReLU",
        "DistilBertForSequenceClassification",
        departs=r"^classifier\.input \(",
        patch=_pooled_as_in_bert,
    ),
    Fault(
        "distilbert_attention_norm_skipped",
        "sa_layer_norm left out; a loader that asks for no unused tensor does not notice",
        "DistilBertModel",
        departs=r"^layer 0, transformer\.layer\.0\.sa_layer_norm \(|^layer 0, .*lin1 \(",
        patch=_norm_skipped,
    ),
    Fault(
        "distilbert_projector_without_bias",
        "a decoder tied as a whole, though only its weight is the word embeddings'",
        "DistilBertForMaskedLM",
        departs=r"^vocab_projector \(",
        alter=edited((r"^vocab_projector\.bias$", np.zeros_like)),
    ),
)
