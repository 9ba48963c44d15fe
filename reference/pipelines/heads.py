"""The pipelines of the headed models; their conveniences are built on `forward`."""

from __future__ import annotations

from typing import Any

from reference.checks import check_switch
from reference.inputs import check_choices
from reference.pipelines.base import Pipeline


class MaskedLM(Pipeline):
    """Logits over the vocabulary at every position: [batch, tokens, vocab]."""

    task = "masked-lm"


class TextClassification(Pipeline):
    """Logits over the labels for every text: [batch, labels]; config.id2label names them."""

    task = "text-classification"


class TokenClassification(Pipeline):
    """Logits over the labels for every token: [batch, tokens, labels]; config.id2label names
    them."""

    task = "token-classification"


class MultipleChoice(Pipeline):
    """Logits over several texts that answer one question: [batch, choices]."""

    task = "multiple-choice"

    def forward(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        output_hidden_states: bool = False,
    ) -> dict[str, Any]:
        """Run a padded batch: ids, mask and token types [batch, choices, tokens]; hidden_states
        have the texts one below the other, [batch * choices, tokens, hidden]. In forward_packed
        the texts of the row are the choices of one question."""
        arrays = check_choices(self.config, input_ids, attention_mask, token_type_ids)
        return self.model.forward(
            *arrays, check_switch("output_hidden_states", output_hidden_states)
        )
