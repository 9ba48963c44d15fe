"""Labels for texts."""

from __future__ import annotations

from reference.families import tasks
from reference.pipelines.base import Pipeline


class TextClassification(Pipeline):
    """Logits over the labels for every text: [batch, labels]; config.id2label names them."""

    name = "text-classification"
    task = tasks.TEXT_CLASSIFICATION
