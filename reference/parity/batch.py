"""What a comparison is run on: texts of very different lengths side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reference.checkpoint import Checkpoint
from reference.checks import check_texts
from reference.errors import InputError
from reference.families import EncoderConfig, Task
from reference.inputs import Inputs, check_padded
from reference.text import read_tokenizer

# From one word to some seventy tokens; every fourth text goes into one batch, so that short
# ones are mostly padding.
TEXTS = (
    "Yes",
    "Where is the nearest railway station?",
    "A river that had been dammed for eighty years was let loose in autumn. Within weeks "
    "the salmon came back, first a few and then thousands, past the broken concrete and up "
    "into the cold streams where their ancestors had spawned; the people who had fought "
    "for it, and many who had fought against it, stood on the bridge and watched.",
    "12 apples, 7.5 % interest and an unpronounceable name: Szczebrzeszyn.",
    "Attention lets every token look at every other token of its own text, and at nothing "
    "else.",
    "¿Dónde está la biblioteca? 図書館はどこですか。",
    "Go on.",
    "The committee met on Tuesday; nobody could agree on the budget, so the decision was "
    "put off until spring, when the new figures would be in and the two members who had "
    "been travelling would be back.",
    "Thank you very much indeed, and give my regards to your mother when you see her on "
    "Sunday.",
    "Water boils at a lower temperature on a mountain, since the air above it weighs less; "
    "so pasta takes longer.",
    "def area(radius): return math.pi * radius ** 2",
    "Why?",
)
# Of the random texts, where a folder has no tokenizer.
LENGTHS = (1, 2, 5, 17, 33, 50, 64, 70)
BATCHES = 4


@dataclass(frozen=True)
class Batch:
    """A batch in its two forms."""

    padded: Inputs  # [batch, tokens], or [batch, choices, tokens], as the model's task takes it

    @property
    def texts(self) -> Inputs:
        """One text a row: [texts, tokens]."""
        return self.padded.texts

    @property
    def real(self) -> np.ndarray:
        """Which tokens are no padding: [texts, tokens]."""
        return self.texts.real

    @property
    def packed(self) -> Inputs:
        """The real tokens in one row."""
        texts, real = self.texts, self.real
        types = None if texts.token_type_ids is None else texts.token_type_ids[real]
        lengths = np.cumsum([0, *real.sum(axis=1)], dtype=np.int64)
        row = Inputs(texts.input_ids[real], None, types, lengths)
        return self._with_spans(row, np.cumsum(real) - 1)

    def _with_spans(self, inputs: Inputs, places: np.ndarray) -> Inputs:
        """The same detections in another layout, in which each token is at that place."""
        if self.padded.spans is None:
            return inputs
        return replace(inputs, spans=places[self.padded.spans], shares=self.padded.shares)

    def padded_on_the_right(self, pad_token_id: int) -> Batch:
        """The same texts with every pad after them: what the packed row must equal, for
        positions count from a text's first token there."""
        order = np.argsort(~self.real, axis=1, kind="stable")
        texts = self.texts.map(lambda array: np.take_along_axis(array, order, axis=1))
        ids = np.where(texts.real, texts.input_ids, pad_token_id)
        texts = Inputs(ids, texts.attention_mask, texts.token_type_ids)
        shape = self.padded.input_ids.shape
        moved = texts.map(lambda array: array.reshape(shape))
        starts = np.arange(len(order))[:, None] * order.shape[1]
        return Batch(self._with_spans(moved, (np.argsort(order, axis=1) + starts).ravel()))

    def asked_for(self, task: Task, config: EncoderConfig) -> Batch:
        """The same texts as that task takes them."""
        return Batch(task.arrange(self.texts, config))


def make_batches(
    checkpoint: Checkpoint, texts: Sequence[str] | None = None, seed: int = 0
) -> list[Batch]:
    """The texts, or a fixed set of them, through the checkpoint's tokenizer; ids drawn by the
    seed where it has none."""
    config, task = checkpoint.config, checkpoint.architecture.task
    if texts is None and not _has_tokenizer(checkpoint):
        first = seed * BATCHES
        drawn = [random_batch(config, seed=first + number) for number in range(BATCHES)]
        return [batch.asked_for(task, config) for batch in drawn]
    texts = check_texts(TEXTS if texts is None else texts)
    if not texts:
        raise InputError("texts is empty; a comparison needs at least one text")
    sequences = read_tokenizer(checkpoint.folder, config)(texts)
    # A text alone is never padded, and hides a lost mask.
    count = max(1, min(BATCHES, len(sequences) // 3))
    batches = [batch_of(config, sequences[start::count]) for start in range(count)]
    return [batch.asked_for(task, config) for batch in batches]


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
    return Batch(check_padded(config, input_ids, attention_mask, token_type_ids))


def _has_tokenizer(checkpoint: Checkpoint) -> bool:
    return any(
        (checkpoint.folder / name).exists()
        for name in (
            "tokenizer.json",
            "vocab.txt",
            "sentencepiece.bpe.model",
            "characters.json",
        )
    )
