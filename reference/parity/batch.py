"""What a comparison is run on: texts of very different lengths side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reference.architectures import Architecture
from reference.checkpoint import Checkpoint
from reference.checks import check_texts
from reference.config import EncoderConfig
from reference.errors import InputError
from reference.inputs import check_padded
from reference.text import read_tokenizer

# From one word to some seventy tokens; every fourth text goes into one batch, so that short
# ones are mostly padding.
TEXTS = (
    "Yes",
    "Where is the nearest railway station?",
    "A river that had been dammed for eighty years was let loose in autumn. Within weeks the "
    "salmon came back, first a "
    "few and then thousands, past the broken concrete and up into the cold streams where their "
    "ancestors had spawned; "
    "the people who had fought for it, and many who had fought against it, stood on the bridge "
    "and watched.",
    "12 apples, 7.5 % interest and an unpronounceable name: Szczebrzeszyn.",
    "Attention lets every token look at every other token of its own text, and at nothing "
    "else.",
    "¿Dónde está la biblioteca? 図書館はどこですか。",
    "Go on.",
    "The committee met on Tuesday; nobody could agree on the budget, so the decision was put "
    "off until spring, "
    "when the new figures would be in and the two members who had been travelling would be "
    "back.",
    "Thank you very much indeed, and give my regards to your mother when you see her on "
    "Sunday.",
    "Water boils at a lower temperature on a mountain, since the air above it weighs less; so "
    "pasta takes longer.",
    "def area(radius): return math.pi * radius ** 2",
    "Why?",
)
LENGTHS = (1, 2, 5, 17, 33, 50, 64, 70)  # of the random texts, where a folder has no tokenizer
BATCHES = 4


@dataclass(frozen=True)
class Batch:
    """A padded batch; the arrays are [batch, tokens]."""

    input_ids: np.ndarray
    attention_mask: np.ndarray
    token_type_ids: np.ndarray | None  # of a model that has token types
    choices: int | None = (
        None  # so many texts answer one question, where the model is asked to choose
    )

    @property
    def real(self) -> np.ndarray:
        return self.attention_mask.astype(bool)

    @property
    def arguments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What a model's forward is given: [batch, tokens], or [batch, choices, tokens]."""
        arrays = self.input_ids, self.attention_mask, self.token_type_ids
        if self.choices is None:
            return arrays
        shape = (-1, self.choices, self.input_ids.shape[1])
        return tuple(None if array is None else array.reshape(shape) for array in arrays)

    @property
    def packed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The real tokens in one row, their texts' cumulative lengths, and their types."""
        lengths = self.attention_mask.sum(axis=1)
        cu_seqlens = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        types = None if self.token_type_ids is None else self.token_type_ids[self.real]
        return self.input_ids[self.real], cu_seqlens, types

    def padded_on_the_right(self, pad_token_id: int) -> Batch:
        """The same texts with every pad behind them: what the packed row must equal, for
        positions count from a text's first token there."""
        order = np.argsort(1 - self.attention_mask, axis=1, kind="stable")
        ids, mask, types = (
            None if array is None else np.take_along_axis(array, order, axis=1)
            for array in (self.input_ids, self.attention_mask, self.token_type_ids)
        )
        return Batch(np.where(mask == 1, ids, pad_token_id), mask, types, self.choices)

    def asked_for(self, architecture: Architecture) -> Batch:
        """The batch as that architecture takes it: two texts, or all of an odd number, are
        choices of one question."""
        if architecture.task != "multiple-choice":
            return self
        return replace(self, choices=len(self.input_ids) if len(self.input_ids) % 2 else 2)


def make_batches(checkpoint: Checkpoint, texts: Sequence[str] | None = None) -> list[Batch]:
    """The texts, or a fixed set of them, through the checkpoint's tokenizer; random ids where
    it has none."""
    config = checkpoint.config
    if texts is None and not _has_tokenizer(checkpoint):
        return [
            random_batch(config, seed=seed).asked_for(checkpoint.architecture)
            for seed in range(BATCHES)
        ]
    sequences = read_tokenizer(checkpoint.folder, config)(
        TEXTS if texts is None else check_texts(texts)
    )
    if not sequences:
        raise InputError("texts is empty; a comparison needs at least one text")
    count = max(
        1, min(BATCHES, len(sequences) // 3)
    )  # a text alone is never padded, and hides a lost mask
    return [
        batch_of(config, sequences[start::count]).asked_for(checkpoint.architecture)
        for start in range(count)
    ]


def random_batch(
    config: EncoderConfig, lengths: Sequence[int] = LENGTHS, sides: str = "rl", seed: int = 0
) -> Batch:
    """Random words of the vocabulary, none of them the pad id; the rows are padded on the sides
    given, in turn."""
    generator = np.random.default_rng(seed)
    words = (
        np.delete(np.arange(config.vocab_size), config.pad_token_id or 0)
        if config.vocab_size > 1
        else np.zeros(1)
    )
    sequences = [
        generator.choice(words, min(length, config.max_tokens)).tolist() for length in lengths
    ]
    return batch_of(config, sequences, sides)


def batch_of(
    config: EncoderConfig, sequences: Sequence[Sequence[int]], sides: str = "r"
) -> Batch:
    """Lay sequences of ids out as a padded batch. In every other text the second half has the
    last token type, as a pair's second text would, where the model has more than one."""
    longest = max(map(len, sequences))
    input_ids = np.full((len(sequences), longest), config.pad_token_id or 0, np.int64)
    attention_mask, token_type_ids = np.zeros_like(input_ids), np.zeros_like(input_ids)
    for row, sequence in enumerate(sequences):
        start = longest - len(sequence) if sides[row % len(sides)] == "l" else 0
        input_ids[row, start : start + len(sequence)] = sequence
        attention_mask[row, start : start + len(sequence)] = 1
        if row % 2:
            token_type_ids[row, start + len(sequence) // 2 : start + len(sequence)] = (
                config.type_vocab_size - 1
            )
    return Batch(*check_padded(config, input_ids, attention_mask, token_type_ids))


def _has_tokenizer(checkpoint: Checkpoint) -> bool:
    return any(
        (checkpoint.folder / name).exists()
        for name in ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model")
    )
