"""Which of several texts answers a question."""

from __future__ import annotations

from reference.families import tasks
from reference.pipelines.base import Pipeline


class MultipleChoice(Pipeline):
    """Logits over several texts that answer one question: [batch, choices].

    forward takes [batch, choices, tokens], and its hidden_states have the texts one below the
    other, [batch * choices, tokens, hidden]. In forward_packed the texts of the row are the
    choices of one question.
    """

    name = "multiple-choice"
    task = tasks.MULTIPLE_CHOICE
