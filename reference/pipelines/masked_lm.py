"""Words for hidden tokens."""

from __future__ import annotations

from reference.families import tasks
from reference.pipelines.base import Pipeline


class MaskedLM(Pipeline):
    """Logits over the vocabulary at every position: [batch, tokens, vocab]."""

    name = "masked-lm"
    task = tasks.MASKED_LM
