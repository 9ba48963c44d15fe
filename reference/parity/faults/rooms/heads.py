"""Bugs of what the heads share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reference.families.bert import BertConfig
from reference.families.modernbert import ModernBertConfig
from reference.inputs import Inputs
from reference.parity.faults.fault import Fault
from reference.parity.faults.seeding import Around
from reference.parity.random_models import draw
from reference.parity.sample import Tensors


class SoftmaxForLogits(Around):
    def forward(self, inputs: Inputs, states: bool = False) -> dict[str, Any]:
        outputs = self.model.forward(inputs, states)
        logits = outputs["logits"]
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return outputs | {"logits": weights / weights.sum(axis=-1, keepdims=True)}


def _decoder_of_its_own(config: BertConfig, tensors: Tensors) -> tuple[BertConfig, Tensors]:
    """The decoder keeps what it was initialised with."""
    shape = (config.vocab_size, config.hidden_size)
    weight = draw("cls.predictions.decoder.weight", shape, seed=1).astype(np.float32)
    decoder = {"weight": weight, "bias": tensors["cls.predictions.bias"]}
    tensors |= {f"cls.predictions.decoder.{name}": value for name, value in decoder.items()}
    return replace(config, tie_word_embeddings=False), tensors


def _modernbert_decoder_of_its_own(
    config: ModernBertConfig, tensors: Tensors
) -> tuple[ModernBertConfig, Tensors]:
    weight = draw("decoder.weight", (config.vocab_size, config.hidden_size), seed=1).astype(
        np.float32
    )
    return replace(config, tie_word_embeddings=False), tensors | {"decoder.weight": weight}


FAULTS = (
    Fault(
        "softmax_for_logits",
        "probabilities returned where raw scores are promised; the best label is the same",
        departs=r"^logits;",
        architecture="BertForSequenceClassification",
        around=SoftmaxForLogits,
    ),
    Fault(
        "untied_decoder",
        "a decoder with random weights of its own where it shares the word embeddings",
        departs=r"^cls\.predictions\.decoder \(",
        architecture="BertForMaskedLM",
        settings={"tie_word_embeddings": True},
        alter=_decoder_of_its_own,
    ),
    Fault(
        "modernbert_untied_decoder",
        "a decoder with random weights of its own where it shares the word embeddings",
        "ModernBertForMaskedLM",
        settings={"tie_word_embeddings": True},
        departs=r"^decoder \(",
        alter=_modernbert_decoder_of_its_own,
    ),
)
