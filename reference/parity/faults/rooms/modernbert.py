"""Bugs that ports of ModernBERT have had: the order of layers and norms, the pooling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reference.families.modernbert import ModernBertConfig
from reference.parity.faults.fault import Code, Fault, Patch
from reference.parity.faults.seeding import attention_of, edited, with_settings
from reference.parity.sample import Tensors


def _pattern_shifted(
    config: ModernBertConfig, tensors: Tensors
) -> tuple[ModernBertConfig, Tensors]:
    kinds = config.layer_types
    return replace(config, layer_types=(*kinds[1:], kinds[0])), tensors


def _norm_behind(code: Code) -> list[Patch]:
    """Post-norm where pre-norm is meant."""

    def layer(self: Any, hidden: Any, tables: Any, attend: Any) -> Any:
        attended = hidden + self.attn(hidden, tables, attend)
        return self.mlp_norm(attended + self.mlp(attended))

    return [(code.modernbert.ModernBertEncoderLayer, code.call, layer)]


FAULTS = (
    Fault(
        "layer_pattern_shifted",
        "the global layers counted from another layer on",
        "ModernBertModel",
        departs=attention_of(0),
        alter=_pattern_shifted,
    ),
    Fault(
        "attn_norm_not_loaded",
        "the norm before attention keeps its ones in every layer, as layer 0 has none to load",
        "ModernBertModel",
        departs=r"^layer 1, layers\.1\.attn_norm \(",
        alter=edited((r"attn_norm\.weight$", np.ones_like)),
    ),
    Fault(
        "biases_not_loaded",
        "no biases, as published checkpoints have none, where norm_bias and attention_bias ask "
        "for them",
        "ModernBertModel",
        settings={"norm_bias": True, "attention_bias": True},
        departs=r"^embeddings \(",
        alter=edited((r"\.bias$", np.zeros_like)),
    ),
    Fault(
        "norm_behind_the_block",
        "post-norm, as BERT has it, where ModernBERT norms what goes into a block",
        "ModernBertModel",
        departs=r"^layer 0, layers\.0",
        patch=_norm_behind,
    ),
    Fault(
        "modernbert_pooling_ignored",
        "the vector of [CLS] classified where classifier_pooling says mean",
        "ModernBertForSequenceClassification",
        settings={"classifier_pooling": "mean"},
        departs=r"^head\.dense \(",
        alter=with_settings(classifier_pooling="cls"),
    ),
)
