"""Training a small ModernBERT to fill in masked words: one plain loop in PyTorch.

The masking is the package's own, so are the model and its first weights; what is here is the text's way into batches,
the optimizer's steps, and an honest look at text that was held out.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tokenizers
import torch

from reference.config import ModernBertConfig
from reference.errors import InputError
from reference.initial import initial_tensors
from reference.masking import IGNORED, draw
from reference.torch.masking import mask_tokens
from reference.torch.port import build
from reference.training.baselines import Bigram, Unigram
from reference.training.recipe import Recipe
from reference.training.tokenizer import CLS, SEP

HELD_OUT = 40  # of so many modules one is kept out of training
# What held-out text is asked: 15 % of its words, all of them behind a mask, for a word left in place is no question.
QUESTIONS = {"probability": 0.15, "mask_share": 1.0, "random_share": 0.0}
Rows = list[list[int]]


def split(texts: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Texts to train on and texts held out. All texts of a module go the same way, for they repeat one another."""
    training, held_out = [], []
    for module, text in texts:
        (held_out if zlib.crc32(module.encode()) % HELD_OUT == 0 else training).append(text)
    return training, held_out


def cut(tokenizer: tokenizers.Tokenizer, texts: Sequence[str], max_tokens: int) -> Rows:
    """The ids of every text, special tokens included, the long ones cut into several rows of about one length."""
    start, end = tokenizer.token_to_id(CLS), tokenizer.token_to_id(SEP)
    rows = []
    # A docstring may say "[MASK]", and means the six characters.
    tokenizer.encode_special_tokens = True
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    tokenizer.encode_special_tokens = False
    for encoding in encodings:
        parts = math.ceil(len(encoding.ids) / (max_tokens - 2))
        rows += [[start, *part.tolist(), end] for part in np.array_split(encoding.ids, parts)] if parts else []
    return rows


def batches(rows: Rows, batch_tokens: int, generator: np.random.Generator) -> list[Rows]:
    """Rows of about one length together, as many as fit, in an order that chance decides."""
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]) + generator.uniform(0, 8))
    found: list[Rows] = [[]]
    longest = 0
    for row in (rows[place] for place in order):
        longest = max(longest, len(row))
        if found[-1] and longest * (len(found[-1]) + 1) > batch_tokens:
            found.append([])
            longest = len(row)
        found[-1].append(row)
    return [found[place] for place in generator.permutation(len(found))]


def pad(rows: Rows, pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask of a batch."""
    longest = max(map(len, rows))
    ids = torch.tensor([row + [pad_id] * (longest - len(row)) for row in rows])
    lengths = torch.tensor([[len(row)] for row in rows])
    return ids, (torch.arange(longest) < lengths).long()


def masked_batches(
    rows: Rows, recipe: Recipe, config: ModernBertConfig, mask_id: int, seed: int, **shares: float
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Masked ids, attention mask and labels of every batch of one pass over the rows."""
    for number, batch in enumerate(batches(rows, recipe.batch_tokens, np.random.default_rng(seed))):
        ids, mask = pad(batch, config.pad_token_id)
        special = (ids == config.pad_token_id) | (ids == config.cls_token_id) | (ids == config.sep_token_id)
        draws = draw(ids.shape, config.vocab_size, seed=1_000_000 * seed + number)
        masked, labels = mask_tokens(ids, special, draws, mask_id, **shares)
        if (labels != IGNORED).any():
            yield masked, mask, labels


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """A straight rise, then half a cosine down to a hundredth."""
    rise = max(1, round(recipe.warmup * steps))
    if step < rise:
        return recipe.learning_rate * (step + 1) / rise
    done = (step - rise) / max(1, steps - rise)
    return recipe.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def train(
    rows: Rows,
    config: ModernBertConfig,
    mask_id: int,
    recipe: Recipe,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, np.ndarray]:
    """The tensors of a model that has seen the rows `recipe.epochs` times, masked anew each time."""
    if not rows:
        raise InputError("there is no text to train on")
    model = build(config, "ModernBertForMaskedLM", initial_tensors(config, seed=recipe.seed), "float32")
    parameters = {key: model.network.get_parameter(key).requires_grad_() for key in model.keys}
    # Norms and biases are few and have to be where they are; only matrices are pulled towards zero.
    groups = [
        {"params": [value for value in parameters.values() if value.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [value for value in parameters.values() if value.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True)
    seeds = [1000 * recipe.seed + epoch + 1 for epoch in range(recipe.epochs)]
    passes = [batches(rows, recipe.batch_tokens, np.random.default_rng(seed)) for seed in seeds]
    step, steps, started, smooth = 0, sum(map(len, passes)), time.monotonic(), math.nan
    for seed in seeds:
        for ids, mask, labels in masked_batches(rows, recipe, config, mask_id, seed, probability=recipe.probability):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps, recipe)
            loss = model.network(ids, mask, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters.values(), recipe.max_norm)
            optimizer.step()
            smooth = loss.item() if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss.item()
            step += 1
            if step % 50 == 0 or step == steps:
                minutes = (time.monotonic() - started) / 60
                report(f"step {step:>6} of {steps}  loss {smooth:.3f}  {minutes:.1f} min")
    return model.state()


@dataclass(frozen=True)
class Score:
    """How well hidden words are found: the mean of -log p(word), and how often the likeliest is the right one."""

    loss: float
    accuracy: float
    words: int


def evaluate(
    rows: Rows, config: ModernBertConfig, tensors: dict[str, np.ndarray], mask_id: int, recipe: Recipe
) -> Score:
    """The model on held-out rows, of which 15 % of the words are hidden behind a mask."""
    network = build(config, "ModernBertForMaskedLM", tensors, "float32").network
    losses, right = [], []
    with torch.inference_mode():
        for ids, mask, labels in masked_batches(rows, recipe, config, mask_id, 0, **QUESTIONS):
            asked = labels != IGNORED
            logits = network(ids, mask, labels=labels).logits  # of the hidden words only: sparse_prediction
            losses.append(torch.nn.functional.cross_entropy(logits, labels[asked], reduction="none"))
            right.append(logits.argmax(dim=-1) == labels[asked])
    return _score(torch.cat(losses).double().mean().item(), torch.cat(right))


def evaluate_baseline(
    rows: Rows, config: ModernBertConfig, baseline: Unigram | Bigram, mask_id: int, recipe: Recipe
) -> Score:
    """A baseline on the very same questions."""
    loss, right = 0.0, []
    for ids, _, labels in masked_batches(rows, recipe, config, mask_id, 0, **QUESTIONS):
        for row, place in (labels != IGNORED).nonzero().tolist():
            before = int(ids[row, place - 1])
            probabilities = baseline.predict(None if before == mask_id else before)
            answer = int(labels[row, place])
            loss -= math.log(probabilities[answer])
            right.append(int(probabilities.argmax()) == answer)
    return _score(loss / len(right), torch.tensor(right))


def _score(loss: float, right: torch.Tensor) -> Score:
    return Score(loss, right.double().mean().item(), len(right))
