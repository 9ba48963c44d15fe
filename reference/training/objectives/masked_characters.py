"""Filling in hidden words, for a model that reads characters: some in a row are masked, and
what is asked for at the first of them is the output token that they were."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from reference.backend import Model
from reference.checks import check_name, check_whole
from reference.errors import InputError
from reference.families.tasks import MASKED_LM, Task
from reference.inputs import Inputs
from reference.learning import Example
from reference.masking import IGNORED
from reference.negatives import Candidates, candidates, draw
from reference.training.characters.preprocessor import CHARACTERS, MLMPreprocessor
from reference.training.objectives.masked_lm import MaskedLM, answer_scores
from reference.training.objectives.objective import Given, Objective, setting
from reference.training.tokenizer.sources import training_texts

SAMPLED_SOFTMAX, NEGATIVE_SAMPLING, SOFTMAX = LOSSES = (
    "sampled-softmax",
    "negative-sampling",
    "softmax",
)
USUAL_NEGATIVES = 256
ROWS_AT_ONCE = 64  # of what is held out


@dataclass(frozen=True)
class MaskedCharacters(Objective):
    """Spans of characters are hidden, and the model says which output token each of them was.

    mlm_loss: among which answers it chooses: all ("softmax"), or the right one and some
        negatives, by a softmax that stands for the whole one ("sampled-softmax") or each by
        itself ("negative-sampling").
    num_negatives: how many negatives, drawn anew for each batch.

    What is masked the preprocessor says that lies beside the characters.
    """

    name: ClassVar[str] = "masked-characters"
    task: ClassVar[Task] = MASKED_LM
    columns: ClassVar[Mapping[str, str]] = {"text": "text"}

    mlm_loss: str = setting(
        SAMPLED_SOFTMAX, f"how an answer is told from others: {', '.join(LOSSES)}"
    )
    num_negatives: int | None = setting(
        None,
        f"wrong answers beside the right ones; by default {USUAL_NEGATIVES}, or half of all",
    )

    def __post_init__(self) -> None:
        check_name(self.mlm_loss, LOSSES, "mlm_loss")
        if self.num_negatives is not None:
            check_whole("num_negatives", self.num_negatives, 1)

    def samples(self, data: Any, columns: Mapping[str, str]) -> list[str]:
        return list(training_texts(data, columns["text"]))

    def rows(self, samples: Sequence[str], given: Given) -> list[str]:
        """Long texts are cut into several rows of about one length."""
        if not given.tokenizer.of_model:
            raise InputError(
                f"{self.name} is for a model that reads characters, whose folder has a "
                f"{CHARACTERS}; others learn {MaskedLM.name}"
            )
        self._check_negatives(given)
        found = []
        for text in samples:
            parts = math.ceil(len(text) / given.max_tokens)
            for part in range(parts):
                ends = (len(text) * end // parts for end in (part, part + 1))
                found.append(text[slice(*ends)])
        return found

    def example(self, rows: Sequence[str], given: Given, seed: int) -> Example | None:
        inputs, answers = hidden(rows, given, seed)
        if not len(answers):
            return None
        if self.mlm_loss == SOFTMAX:
            return Example(inputs, answers)
        negatives = draw(self._negatives(given), given.config.outputs, seed)
        found = candidates(answers, negatives)
        if self.mlm_loss == SAMPLED_SOFTMAX:
            chosen = {"candidates": found.ids, "offsets": found.offsets}
            return Example(_with(inputs, **chosen), found.labels)
        return Example(_with(inputs, candidates=found.ids), _one_by_one(found))

    def scores(self, model: Model, rows: Sequence[str], given: Given) -> dict[str, float]:
        """Among all answers; what is hidden is the same at every evaluation."""
        batches = (hidden(batch, given, seed) for seed, batch in enumerate(_few(rows)))
        return answer_scores(model, batches, "have no span that is long enough to be hidden")

    def _negatives(self, given: Given) -> int:
        usual = min(USUAL_NEGATIVES, max(1, given.config.outputs // 2))
        return usual if self.num_negatives is None else self.num_negatives

    def _check_negatives(self, given: Given) -> None:
        """Before the first step, and not in it."""
        if self.mlm_loss != SOFTMAX and self._negatives(given) >= given.config.outputs:
            raise InputError(
                f"num_negatives is {self._negatives(given)}, but there are "
                f"{given.config.outputs} output tokens, the right one among them; draw fewer, "
                "or choose among all with mlm_loss='softmax'"
            )


def hidden(rows: Sequence[str], given: Given, seed: int) -> tuple[Inputs, np.ndarray]:
    """One packed row, of which the beginnings of hidden spans alone are to be scored, and which
    output tokens these were."""
    masked = preprocessor_of(given).masked(rows, np.random.default_rng(seed))
    real = masked.attention_mask != 0
    bounds = np.cumsum([0, *real.sum(axis=1)], dtype=np.int64)
    labels = masked.labels[real]
    places = np.flatnonzero(labels != IGNORED)
    return Inputs(masked.input_ids[real], None, None, bounds, places), labels[places]


def preprocessor_of(given: Given) -> MLMPreprocessor:
    """That of the run's folder, read once."""
    file = given.tokenizer_folder / CHARACTERS
    return _loaded(given.tokenizer_folder, file.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _loaded(folder: Path, changed: int) -> MLMPreprocessor:
    return MLMPreprocessor.load(folder)


def _one_by_one(found: Candidates) -> np.ndarray:
    """1 for the answer, 0 for a negative, and IGNORED for what is another's answer alone."""
    labels = np.where(np.isneginf(found.offsets), float(IGNORED), 0.0)
    labels[np.arange(len(found.labels)), found.labels] = 1.0
    return labels


def _with(inputs: Inputs, **arrays: np.ndarray) -> Inputs:
    return Inputs(**vars(inputs) | arrays)


def _few(rows: Sequence[str]) -> Iterator[Sequence[str]]:
    return (rows[first : first + ROWS_AT_ONCE] for first in range(0, len(rows), ROWS_AT_ONCE))
