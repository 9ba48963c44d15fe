"""Labels by a model of inference: does the text entail a sentence with the label in it?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.errors import ConfigError, InputError
from reference.families.tasks import TEXT_CLASSIFICATION
from reference.pipelines.choices import Choices, Template
from reference.pipelines.choosing import Asked, Choosing, cut_to
from reference.pipelines.probabilities import log_sum_exp
from reference.text import Encoding

TEMPLATE = "This example is {label}."
NOT = {"not", "non", "no"}


@dataclass(frozen=True)
class Verdicts:
    """Which logit says that a text entails a sentence, and which that it contradicts it."""

    entailment: int
    contradiction: int | None


class ZeroShotEntailment(Choosing):
    """For checkpoints that were trained on natural language inference (Yin et al. 2019).

    template: the hypothesis; it has {label} once, where the label stands, or its description.
        The text is the premise, and the only one of both that is cut.

    Which logit is the entailment's is read in the checkpoint's own id2label, and a checkpoint
    whose labels name none is refused. The probabilities are the softmax of the labels'
    entailment logits. With multi_label that of a label is the softmax of entailment against
    contradiction; where id2label names no contradiction, against all other logits together; and
    of a single logit it is the sigmoid.
    """

    task = TEXT_CLASSIFICATION
    gives_mass = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.verdicts = find_verdicts(self.config.id2label, self.checkpoint.folder)

    def _questions(
        self, choices: Choices, template: str | None, multi: bool, letters: bool
    ) -> list[str]:
        if letters:
            raise InputError(
                "letters are answers at a mask; this checkpoint is asked if a text entails "
                "a sentence: leave letters=False"
            )
        made = Template(TEMPLATE if template is None else template, ["label"])
        return [made.fill({"label": label})[0] for label in choices.meanings]

    def _scores(self, texts: Sequence[str], first: int, asked: Asked) -> Iterable[np.ndarray]:
        pairs: list[Encoding] = []
        questions = asked.questions
        for number, text in enumerate(texts, first):
            whole = self.tokenizer(
                [text] * len(questions), questions, truncation=False, first=number
            )
            cut = [self._cut(pair, number) for pair in whole]
            asked.cuts.see([max(cut, key=lambda pair: pair.cut)])
            pairs += cut
        logits = np.array(self._logits(pairs, asked.batch_size)).astype(np.float64)
        entails = logits[:, self.verdicts.entailment]
        if not asked.multi:
            return entails.reshape(len(texts), 1, len(questions))
        both = np.stack([entails, self._against(logits)], axis=1)
        return both.reshape(len(texts), len(questions), 2)

    def _against(self, logits: np.ndarray) -> np.ndarray:
        if self.verdicts.contradiction is not None:
            return logits[:, self.verdicts.contradiction]
        others = np.delete(logits, self.verdicts.entailment, axis=1)
        return log_sum_exp(others) if others.shape[1] else np.zeros(len(logits))

    def _cut(self, pair: Encoding, number: int) -> Encoding:
        limit = self.tokenizer.max_length
        if len(pair) <= limit:
            return pair
        premise = [token for token, text in enumerate(pair.sequence_ids) if text == 0]
        cut = cut_to(pair, premise, limit, self.tokenizer.vocabulary.side)
        if cut is None:
            raise InputError(
                f"the template and its label have {len(pair) - len(premise)} tokens, which "
                f"leaves no room for texts[{number}]: this model takes {limit}"
            )
        return cut


def find_verdicts(id2label: Mapping[int, str], where: Any) -> Verdicts:
    """By the words of the labels, in capitals or not: "entailment" and "contradiction", or the
    "not_entailment" of those that know only two answers."""
    words = {number: re.findall("[a-z]+", name.lower()) for number, name in id2label.items()}
    about = {n: any(word.startswith("entail") for word in its) for n, its in words.items()}
    denied = {n for n, its in words.items() if about[n] and NOT & set(its)}
    entails = [n for n in words if about[n] and n not in denied]
    against = [n for n, its in words.items() if any(w.startswith("contradict") for w in its)]
    against = against or sorted(denied)
    if len(entails) != 1 or len(against) > 1:
        names = ", ".join(f"{name!r:.40}" for name in list(id2label.values())[:10])
        raise ConfigError(
            f"{where}: zero-shot classification asks for entailment, which must be one of the "
            f"checkpoint's labels, and contradiction at most one; its id2label has {names}"
        )
    return Verdicts(entails[0], against[0] if against else None)
