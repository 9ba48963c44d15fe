"""Labels for tokens."""

from __future__ import annotations

from reference.families import tasks
from reference.pipelines.base import Pipeline


class TokenClassification(Pipeline):
    """Logits over the labels for every token: [batch, tokens, labels]; config.id2label names
    them."""

    name = "token-classification"
    task = tasks.TOKEN_CLASSIFICATION
