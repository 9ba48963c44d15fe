"""Bugs of ELECTRA: what a port takes over from BERT and RoBERTa that is otherwise here."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.families.electra import ElectraConfig
from reference.parity.faults.fault import Code, Fault, Patch
from reference.parity.faults.seeding import with_settings
from reference.parity.sample import Tensors


def _classified_as_in_roberta(code: Code) -> list[Patch]:
    def head(self: Any, first: Any) -> Any:
        return self.out_proj(code.framework.tanh(self.dense(first)))

    return [(code.electra.ElectraClassificationHead, code.call, head)]


def _scored_without_norm(code: Code) -> list[Patch]:
    def predictions(self: Any, hidden: Any) -> Any:
        return code.electra.gelu(self.dense(hidden))

    return [(code.electra.ElectraGeneratorPredictions, code.call, predictions)]


def _hidden_act_everywhere(code: Code) -> list[Patch]:
    """The generator's activation taken from hidden_act, as in BERT's prediction head."""
    return [(code.electra, "gelu", code.layers.activation("relu"))]


def _projection_not_loaded(
    config: ElectraConfig, tensors: Tensors
) -> tuple[ElectraConfig, Tensors]:
    """embeddings_project keeps what it was initialised with: it is missing in checkpoints whose
    embeddings are as wide as the layers, and so a loader may let it be."""
    weight = tensors["embeddings_project.weight"]
    drawn = np.random.default_rng(1).normal(0, config.initializer_range, weight.shape)
    return config, tensors | {"embeddings_project.weight": drawn.astype(weight.dtype)}


FAULTS = (
    Fault(
        "electra_projection_not_loaded",
        "the projection of the embeddings left as it was initialised",
        "ElectraModel",
        departs=r"^embeddings_project \(",
        alter=_projection_not_loaded,
    ),
    Fault(
        "electra_classified_as_in_roberta",
        "tanh in the classifier of texts, where it is a GELU",
        "ElectraForSequenceClassification",
        departs=r"^classifier\.out_proj\.input \(",
        patch=_classified_as_in_roberta,
    ),
    Fault(
        "electra_scored_without_norm",
        "the generator's norm left out",
        "ElectraForMaskedLM",
        departs=r"^generator_predictions \(",
        patch=_scored_without_norm,
    ),
    Fault(
        "electra_generator_by_hidden_act",
        "the generator's activation taken from hidden_act; it is always the exact GELU",
        "ElectraForMaskedLM",
        settings={"hidden_act": "relu"},
        departs=r"^generator_predictions \(",
        patch=_hidden_act_everywhere,
    ),
    Fault(
        "electra_summary_not_activated",
        "the first token's projection scored as it is: BERT's summary, its pooler, activates",
        "ElectraForMultipleChoice",
        departs=r"^sequence_summary \(",
        alter=with_settings(summary_activation=""),
    ),
)
