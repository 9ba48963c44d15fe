"""The pipelines of the headed models; their conveniences are built on `forward`."""

from __future__ import annotations

from reference.pipelines.base import Pipeline


class MaskedLM(Pipeline):
    """Logits over the vocabulary at every position: [batch, tokens, vocab]."""

    task = "masked-lm"


class TextClassification(Pipeline):
    """Logits over the labels for every text: [batch, labels]; config.id2label names them."""

    task = "text-classification"


class TokenClassification(Pipeline):
    """Logits over the labels for every token: [batch, tokens, labels]; config.id2label names them."""

    task = "token-classification"
