"""Training a small ModernBERT to fill in masked words.

The masking is the package's own, so are the model and its first weights; what is here is the
text's way into batches, and an honest look at text that was held out.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import tokenizers

from reference.backend import Model, learner
from reference.errors import InputError
from reference.families.initial import initial_tensors
from reference.families.modernbert import ModernBertConfig
from reference.inputs import Inputs, pad
from reference.learning import Example
from reference.masking import IGNORED, draw
from reference.pipelines.probabilities import log_softmax
from reference.training.baselines import Bigram, Unigram
from reference.training.checkpoints import Checkpoints
from reference.training.loop import Progress, Step, fit, groups
from reference.training.recipe import Recipe
from reference.training.tokenizer.hugging_face import CLS, SEP

HELD_OUT = 40  # of so many modules one is kept out of training
Rows = list[list[int]]


def split(texts: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Texts to train on and texts held out. All texts of a module go the same way, for they
    repeat one another."""
    training, held_out = [], []
    for module, text in texts:
        (held_out if is_held_out(module) else training).append(text)
    return training, held_out


def is_held_out(module: str) -> bool:
    return zlib.crc32(module.encode()) % HELD_OUT == 0


def cut(tokenizer: tokenizers.Tokenizer, texts: Sequence[str], max_tokens: int) -> Rows:
    """The ids of every text, special tokens included, the long ones cut into several rows of
    about one length."""
    start, end = tokenizer.token_to_id(CLS), tokenizer.token_to_id(SEP)
    rows = []
    # A docstring may say "[MASK]", and means the six characters.
    tokenizer.encode_special_tokens = True
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    tokenizer.encode_special_tokens = False
    for encoding in encodings:
        parts = math.ceil(len(encoding.ids) / (max_tokens - 2))
        rows += (
            [[start, *part.tolist(), end] for part in np.array_split(encoding.ids, parts)]
            if parts
            else []
        )
    return rows


def batches(rows: Rows, batch_tokens: int, generator: np.random.Generator) -> list[Rows]:
    """Rows of about one length together, as many as fit, in an order that chance decides."""
    found = groups([len(row) for row in rows], batch_tokens, generator)
    return [[rows[place] for place in group] for group in found]


def masked(
    batch: Rows, config: ModernBertConfig, mask_id: int, seed: int, **shares: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masked ids, labels and attention mask of one batch. Of a few short rows it may be that
    nothing is masked.

    Every port masks alike; candle's takes arrays as they are."""
    from reference.candle.masking import mask_tokens

    ids, mask = pad(batch, config.pad_token_id)
    special = (mask == 0) | (ids == config.cls_token_id) | (ids == config.sep_token_id)
    draws = draw(ids.shape, config.vocab_size, seed)
    return *mask_tokens(ids, special, draws, mask_id, **shares), mask


def questions(
    rows: Rows, config: ModernBertConfig, mask_id: int, recipe: Recipe
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Masked ids, labels and attention mask of held-out rows: 15 % of their words are hidden,
    each behind a mask, for a word left in place is no question."""
    for number, batch in enumerate(
        batches(rows, recipe.batch_tokens, np.random.default_rng(0))
    ):
        ids, labels, mask = masked(
            batch, config, mask_id, number, probability=0.15, mask_share=1.0, random_share=0.0
        )
        if (labels != IGNORED).any():
            yield ids, labels, mask


def train(
    rows: Rows,
    config: ModernBertConfig,
    mask_id: int,
    recipe: Recipe,
    report: Callable[[Progress], None] = lambda progress: None,
    backend: str = "torch",
    device: str | None = None,
    checkpoints: Checkpoints | None = None,
) -> dict[str, np.ndarray]:
    """The tensors of a model that has seen the rows `recipe.epochs` times, masked anew each
    time; from the last of the checkpoints on, if there is one."""
    if not rows:
        raise InputError("there is no text to train on")
    # Words that nobody asks for are not scored. It changes neither the loss nor the weights.
    sparse = replace(config, sparse_prediction=True)
    saved = None if checkpoints is None else checkpoints.latest()
    first = initial_tensors(config, seed=recipe.seed) if saved is None else saved.tensors
    subject = learner(
        backend, sparse, "ModernBertForMaskedLM", first, recipe.adamw, device=device
    )
    plan = [
        Step([partial(_example, batch, config, mask_id, 1_000_000 * seed + number, recipe)])
        for seed in (1000 * recipe.seed + epoch + 1 for epoch in range(recipe.epochs))
        for number, batch in enumerate(
            batches(rows, recipe.batch_tokens, np.random.default_rng(seed))
        )
    ]
    options = {"checkpoints": checkpoints, "saved": saved, "seed": recipe.seed}
    return fit(subject, plan, recipe.schedule, recipe.max_norm, report, **options).tensors


def _example(
    batch: Rows, config: ModernBertConfig, mask_id: int, seed: int, recipe: Recipe
) -> Example | None:
    ids, labels, mask = masked(batch, config, mask_id, seed, probability=recipe.probability)
    return Example(Inputs(ids, mask), labels) if (labels != IGNORED).any() else None


@dataclass(frozen=True)
class Score:
    """How well hidden words are found: the mean of -log p(word), and how often the likeliest is
    the right one."""

    loss: float
    accuracy: float
    words: int


def scored_at(asked: np.ndarray, ids: np.ndarray, mask: np.ndarray) -> Inputs:
    """A padded batch as a packed row, of which only the tokens that are asked for are scored:
    scores of a whole vocabulary cost more than a small model's layers."""
    real = mask == 1
    ends = np.cumsum([0, *real.sum(axis=1)])
    return Inputs(ids[real], cu_seqlens=ends, places=np.flatnonzero(asked[real]))


def evaluate(
    model: Model, rows: Rows, config: ModernBertConfig, mask_id: int, recipe: Recipe
) -> Score:
    """A model of any port on the questions of held-out rows."""
    losses, right = [], []
    for ids, labels, mask in questions(rows, config, mask_id, recipe):
        asked = labels != IGNORED
        logits, answers = model.forward(scored_at(asked, ids, mask))["logits"], labels[asked]
        losses.append(-log_softmax(logits)[np.arange(len(answers)), answers])
        right.append(logits.argmax(axis=-1) == answers)
    return _score(np.concatenate(losses).mean(), np.concatenate(right))


def evaluate_baseline(
    baseline: Unigram | Bigram,
    rows: Rows,
    config: ModernBertConfig,
    mask_id: int,
    recipe: Recipe,
) -> Score:
    """A baseline on the very same questions."""
    loss, right = 0.0, []
    for ids, labels, _ in questions(rows, config, mask_id, recipe):
        for row, place in np.argwhere(labels != IGNORED).tolist():
            before = int(ids[row, place - 1])
            probabilities = baseline.predict(None if before == mask_id else before)
            answer = int(labels[row, place])
            loss -= math.log(probabilities[answer])
            right.append(int(probabilities.argmax()) == answer)
    return _score(loss / len(right), np.array(right))


def _score(loss: float, right: np.ndarray) -> Score:
    return Score(float(loss), float(right.mean()), len(right))
