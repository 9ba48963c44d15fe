"""Filling in hidden words (Devlin et al. 2018, section 3.1)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reference.backend import Model
from reference.errors import InputError
from reference.families.tasks import MASKED_LM, Task
from reference.inputs import Inputs, pack
from reference.learning import Example
from reference.masking import IGNORED, draw, thresholds
from reference.pipelines.batching import TOKENS_A_BATCH
from reference.pipelines.probabilities import log_softmax
from reference.training.objectives.objective import Given, Objective, setting
from reference.training.tokenizer.sources import training_texts


@dataclass(frozen=True)
class MaskedLM(Objective):
    """Words are hidden, each by itself, and the model says which they were.

    mask_prob: the share of tokens that are hidden.
    mask_share, random_share: of the hidden ones these shares become the mask and a random
        word; the rest stay as they are.
    """

    name: ClassVar[str] = "masked-lm"
    task: ClassVar[Task] = MASKED_LM
    columns: ClassVar[Mapping[str, str]] = {"text": "text"}

    mask_prob: float = setting(0.15, "the share of tokens that are hidden")
    mask_share: float = setting(0.8, "the share of the hidden ones that become the mask")
    random_share: float = setting(0.1, "the share of them that become a random word")

    def __post_init__(self) -> None:
        thresholds(self.mask_prob, self.mask_share, self.random_share)
        if self.mask_prob == 0:
            raise InputError("mask_prob is 0, which hides no word: there is nothing to learn")

    def samples(self, data: Any, columns: Mapping[str, str]) -> list[str]:
        return list(training_texts(data, columns["text"]))

    def rows(self, samples: Sequence[str], given: Given) -> list[np.ndarray]:
        """Long texts are cut into several rows of about one length, special tokens about
        each."""
        if given.tokenizer.of_model:
            raise InputError(
                "this model reads characters and answers with output tokens; it learns "
                "masked-characters"
            )
        if given.tokenizer.mask_token_id is None:
            raise InputError("this tokenizer has no mask, behind which words could be hidden")
        start, end = frame(given)
        room = given.max_tokens - len(start) - len(end)
        found = []
        for encoding in given.tokenizer(samples, truncation=False):
            inner = np.array(encoding[len(start) : len(encoding) - len(end)], np.int32)
            for part in np.array_split(inner, math.ceil(len(inner) / room) or 1):
                if len(part):
                    found.append(np.concatenate([start, part, end]).astype(np.int32))
        return found

    def example(self, rows: Sequence[np.ndarray], given: Given, seed: int) -> Example | None:
        inputs, answers = self._hidden(rows, given, seed)
        return Example(inputs, answers) if len(answers) else None

    def scores(
        self, model: Model, rows: Sequence[np.ndarray], given: Given
    ) -> dict[str, float]:
        """The words that are hidden are the same at every evaluation."""
        numbered = enumerate(_few(rows))
        hidden = (self._hidden(batch, given, seed) for seed, batch in numbered)
        return answer_scores(model, hidden, "are too short to hide a word of them")

    def _hidden(
        self, rows: Sequence[np.ndarray], given: Given, seed: int
    ) -> tuple[Inputs, np.ndarray]:
        """One packed row, of which the hidden words alone are to be scored, and which they
        were. Every port masks alike; candle's takes arrays as they are."""
        from reference.candle.masking import mask_tokens

        ids, bounds = pack(rows)
        special = np.isin(ids, special_ids(given))
        draws = draw((1, len(ids)), given.config.vocab_size, seed)
        masked, labels = mask_tokens(
            ids[None],
            special[None],
            draws,
            given.tokenizer.mask_token_id,
            probability=self.mask_prob,
            mask_share=self.mask_share,
            random_share=self.random_share,
        )
        places = np.flatnonzero(labels[0] != IGNORED)
        return Inputs(masked[0], None, None, bounds, places), labels[0][places]


def answer_scores(
    model: Model, hidden: Iterable[tuple[Inputs, np.ndarray]], otherwise: str
) -> dict[str, float]:
    """How well a model tells what was hidden, of batches and their answers; `otherwise` says
    what is wrong with rows in which nothing was."""
    loss, right, count = 0.0, 0, 0
    for inputs, answers in hidden:
        if not len(answers):
            continue
        logits = model.forward(inputs)["logits"]
        found = log_softmax(logits)[np.arange(len(answers)), answers]
        loss -= float(found.sum(dtype=np.float64))
        right += int((logits.argmax(axis=-1) == answers).sum())
        count += len(answers)
    if not count:
        raise InputError(f"the rows held out {otherwise}")
    mean = loss / count
    perplexity = math.exp(mean) if mean < 700 else math.inf
    return {"loss": mean, "perplexity": perplexity, "accuracy": right / count}


def _few(rows: Sequence[np.ndarray]) -> Iterator[Sequence[np.ndarray]]:
    """The rows in their order, a few at a time."""
    batch, held = [], 0
    for row in rows:
        if batch and held + len(row) > TOKENS_A_BATCH:
            yield batch
            batch, held = [], 0
        batch.append(row)
        held += len(row)
    if batch:
        yield batch


def frame(given: Given) -> tuple[list[int], list[int]]:
    """The special tokens that go before a text and after it."""
    (encoding,) = given.tokenizer(["a"], truncation=False)
    special = encoding.special_tokens_mask
    start = special.index(0) if 0 in special else len(special)
    end = special[::-1].index(0) if 0 in special else 0
    return list(encoding[:start]), list(encoding[len(encoding) - end :])


def special_ids(given: Given) -> list[int]:
    """Ids of no word: no text is hidden behind them."""
    tokenizer = given.tokenizer
    return sorted({*tokenizer.special_ids, *tokenizer.special_tokens.values()})
