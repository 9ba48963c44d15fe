"""Bugs of heads at chosen positions."""

from __future__ import annotations

import importlib
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from reference.inputs import Inputs
from reference.masking import IGNORED
from reference.parity.faults.fault import Code, Fault, Patch
from reference.parity.faults.seeding import Around

ARCHITECTURE = "BertForMaskedSequence"
MEAN = {"span_pooling": "mean"}


class IgnoredDetectionsCounted(Around):
    def gradients(
        self, inputs: Inputs, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        return self.model.gradients(inputs, np.where(labels == IGNORED, 0, labels))


def _room(code: Code) -> ModuleType:
    """Where the head is that the port puts on an encoder; in torch in a room of its own."""
    inside = ".network" if code.backend == "torch" else ""
    return importlib.import_module(f"reference.{code.backend}.masked_sequence{inside}")


def places_counted_in_the_text(code: Code) -> list[Patch]:
    room, plain = _room(code), _room(code).span_vectors

    def wrong(hidden: Any, inputs: Inputs) -> Any:
        tokens = hidden.shape[-2]
        return plain(hidden, replace(inputs, spans=inputs.spans % tokens))

    return [(room, "span_vectors", wrong)]


def filler_counted(code: Code) -> list[Patch]:
    room, plain = _room(code), _room(code).span_vectors

    def wrong(hidden: Any, inputs: Inputs) -> Any:
        even = inputs.shares * 0 + 1 / inputs.shares.shape[-1]
        return plain(hidden, replace(inputs, shares=even))

    return [(room, "span_vectors", wrong)]


def norm_before_activation(code: Code) -> list[Patch]:
    gelu = code.layers.activation("gelu")

    def wrong(self: Any, vectors: Any) -> Any:
        return self.classifier(gelu(self.norm(self.dense(vectors))))

    return [(_room(code).DetectionHead, code.call, wrong)]


FAULTS = (
    Fault(
        "ignored_detections_counted",
        "a detection that fills a row up is learned as one without labels",
        departs=r"^loss;",
        architecture=ARCHITECTURE,
        around=IgnoredDetectionsCounted,
    ),
    Fault(
        "places_counted_in_the_text",
        "the tokens of every text's detections are taken from the first text of the batch",
        departs=r"detection_head\.dense",
        architecture=ARCHITECTURE,
        patch=places_counted_in_the_text,
    ),
    Fault(
        "filler_in_the_mean",
        "a short detection's mean counts its last token again for each that a longer one has",
        departs=r"detection_head\.dense",
        architecture=ARCHITECTURE,
        settings=MEAN,
        patch=filler_counted,
    ),
    Fault(
        "detection_norm_before_activation",
        "Linear, norm, GELU in the head, in place of Linear, GELU, norm",
        departs=r"detection_head\.norm",
        architecture=ARCHITECTURE,
        patch=norm_before_activation,
    ),
)
