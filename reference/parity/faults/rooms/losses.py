"""Bugs of the losses."""

from __future__ import annotations

import numpy as np

from reference.inputs import Inputs
from reference.masking import IGNORED
from reference.parity.faults.fault import Fault
from reference.parity.faults.seeding import Around


class IgnoreIndexForgotten(Around):
    def gradients(
        self, inputs: Inputs, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        return self.model.gradients(inputs, np.where(labels == IGNORED, 0, labels))


class MeanOverAllLabels(Around):
    def gradients(
        self, inputs: Inputs, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        loss, gradients = self.model.gradients(inputs, labels)
        share = float((labels != IGNORED).mean())
        return loss * share, {k: array * np.float32(share) for k, array in gradients.items()}


FAULTS = (
    Fault(
        "ignored_labels_counted",
        "cross entropy takes the label -100 for class 0",
        departs=r"^loss;",
        architecture="BertForTokenClassification",
        around=IgnoreIndexForgotten,
    ),
    Fault(
        "mean_over_all_labels",
        "the loss divided by all positions, not by those that have a label",
        departs=r"^loss;",
        architecture="BertForMaskedLM",
        around=MeanOverAllLabels,
    ),
)
