"""Bugs between a text's logits and its labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reference.parity.faults.fault import Patch
from reference.parity.faults.pipelines.fault import PipelineFault, Pipelines


def _softmax_always(code: Pipelines) -> list[Patch]:
    softmax = code.probabilities.softmax
    scale = property(lambda self: (softmax, "probability"))
    return [(code.text_classification.TextClassification, "_scale", scale)]


def _activation_ignored(code: Pipelines) -> list[Patch]:
    plain = code.text_classification.read_cross_encoder
    read = lambda *where: replace(plain(*where), activation=None)
    return [(code.text_classification, "read_cross_encoder", read)]


def _softmax_of_one(code: Pipelines) -> list[Patch]:
    return [(code.text_classification, "sigmoid", np.ones_like)]


def _contradiction_by_place(code: Pipelines) -> list[Patch]:
    plain = code.entailment.find_verdicts

    def find(id2label: dict[int, str], where: Any) -> Any:
        found = plain(id2label, where)
        last = len(id2label) - 1
        return replace(found, contradiction=last if found.entailment == 0 else 0)

    return [(code.entailment, "find_verdicts", find)]


FAULTS = (
    PipelineFault(
        "softmax_for_many_labels",
        "classify",
        "probabilities that sum to one where problem_type says that labels go together",
        _softmax_always,
    ),
    PipelineFault(
        "activation_ignored",
        "rank",
        "a sigmoid over scores whose checkpoint asks for Identity: the best are all near one",
        _activation_ignored,
    ),
    PipelineFault(
        "softmax_of_one_logit",
        "rank",
        "a softmax where there is one label: every document has the score 1",
        _softmax_of_one,
    ),
    PipelineFault(
        "contradiction_by_place",
        "entailment",
        "contradiction taken for the first label, or the last, whatever id2label calls it",
        _contradiction_by_place,
    ),
)
