"""The pipelines of the headed models; their conveniences are built on `forward`."""

from __future__ import annotations

from reference.families import tasks
from reference.pipelines.base import Pipeline


class MaskedLM(Pipeline):
    """Logits over the vocabulary at every position: [batch, tokens, vocab]."""

    task = tasks.MASKED_LM


class TextClassification(Pipeline):
    """Logits over the labels for every text: [batch, labels]; config.id2label names them."""

    task = tasks.TEXT_CLASSIFICATION


class TokenClassification(Pipeline):
    """Logits over the labels for every token: [batch, tokens, labels]; config.id2label names
    them."""

    task = tasks.TOKEN_CLASSIFICATION


class MultipleChoice(Pipeline):
    """Logits over several texts that answer one question: [batch, choices].

    forward takes [batch, choices, tokens], and its hidden_states have the texts one below the
    other, [batch * choices, tokens, hidden]. In forward_packed the texts of the row are the
    choices of one question.
    """

    task = tasks.MULTIPLE_CHOICE
