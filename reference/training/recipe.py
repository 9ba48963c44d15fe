"""The numbers that decide what a training run makes of a text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import tokenizers

from reference.checkpoint import SMALL_MODERNBERT
from reference.families.modernbert import ModernBertConfig
from reference.learning import AdamW
from reference.training.schedule import Schedule
from reference.training.tokenizer.hugging_face import CLS, PAD, SEP

BETAS = (0.9, 0.98)  # a second moment that follows sooner suits short runs
FLOOR = 0.01  # of the learning rate, at the end


class _Steps:
    """What every recipe says of its steps, and how the loop takes it."""

    learning_rate: float
    weight_decay: float
    warmup: float  # the share of all steps in which the learning rate rises
    max_norm: float

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.learning_rate, self.warmup, "cosine", FLOOR)

    @property
    def adamw(self) -> AdamW:
        return AdamW(self.weight_decay, BETAS)


@dataclass(frozen=True)
class Recipe(_Steps):
    """What a run is given, beside the text."""

    vocab_size: int = 6144
    hidden_size: int = 192
    num_hidden_layers: int = 4
    num_attention_heads: int = 3
    intermediate_size: int = 288
    local_attention: int = 32
    max_tokens: int = 128  # of a row
    batch_tokens: int = 4096
    epochs: int = 6
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup: float = 0.05  # the share of all steps in which the learning rate rises
    max_norm: float = 1.0
    probability: float = 0.3  # as in ModernBERT's training; BERT's 0.15 in the evaluation
    seed: int = 42

    @property
    def longest(self) -> int:
        """How many tokens a text may have. Rotation has no table of positions to run out of:
        longer texts than the rows may be given, too."""
        return 4 * self.max_tokens

    def config(self, tokenizer: tokenizers.Tokenizer) -> ModernBertConfig:
        """The configuration of the model."""
        pad, start, end = map(tokenizer.token_to_id, (PAD, CLS, SEP))
        return ModernBertConfig(
            architectures=("ModernBertForMaskedLM",),
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            intermediate_size=self.intermediate_size,
            local_attention=self.local_attention,
            max_position_embeddings=self.longest,
            pad_token_id=pad,
            cls_token_id=start,
            bos_token_id=start,
            sep_token_id=end,
            eos_token_id=end,
        )


@dataclass(frozen=True)
class FineTuning(_Steps):
    """What a run that goes on from a trained model is given, beside the text."""

    task: str
    texts: int  # at most, of each package
    max_tokens: int  # of a row
    base: str = SMALL_MODERNBERT
    batch_tokens: int = 2048
    epochs: int = 3
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1  # the share of all steps in which the learning rate rises
    max_norm: float = 1.0
    seed: int = 42


@dataclass(frozen=True)
class Search:
    """What `fit` is given to make an embedding model of a trained model, beside the pairs."""

    task: str
    texts: int | None  # pairs at most, of each package; None is all
    max_tokens: int  # of a text
    base: str = SMALL_MODERNBERT
    both: bool = True  # bodies are to find their first lines, too
    batch_size: int = 512  # pairs, each of which is a wrong answer to the others
    epochs: int = 11
    learning_rate: float = 2e-3
    schedule: str = "linear"
    warmup: float = 0.1  # the share of all steps in which the learning rate rises
    weight_decay: float = 0.01
    clip: float = 1.0
    validation_split: float = 0.02  # by which the best of the epochs is chosen
    seed: int = 42

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `fit`."""
        own = {"task", "texts", "base"}
        return {name: value for name, value in asdict(self).items() if name not in own}


@dataclass(frozen=True)
class Typos:
    """What the models are given that are held against each other on mistyped texts. Both are of
    about the same size, see the same texts as often, and learn the task in as many steps; the
    second tower of the one for characters has learned to tag besides."""

    task: str
    texts: int | None  # at most, of each package; None is all
    characters: int = 240  # the beginning of a text that all of them are given
    slips: float = 0.1  # the share of letters that are mistyped in half of the texts, if any
    batch_size: int = 64
    pretraining_epochs: int = 3
    epochs: int = 6  # over each text twice
    learning_rate: float = 1e-3
    chosen_by: float = 0.1  # the share of texts by which the best of the epochs is chosen
    # Of the model of characters, in two towers; all else is as it comes.
    n_conv_filters: int = 96
    hidden_dim: int = 192
    # Of the one of pieces.
    pieces: int = 4096
    hidden_size: int = 96
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    intermediate_size: int = 192
    seed: int = 42


@dataclass(frozen=True)
class Declarations:
    """What `fit` is given to tell the types of parameters from what is written about them."""

    task: str
    texts: int | None  # at most, of each package; None is all
    max_tokens: int = 256  # of a row
    base: str = SMALL_MODERNBERT
    chosen_by: float = 0.08  # the share of texts by which the epoch and thresholds are chosen
    span_pooling: str = "mean"
    batch_size: int = 16
    epochs: int = 3
    learning_rate: float = 5e-4
    schedule: str = "linear"
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 42

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `fit`."""
        own = {"task", "texts", "base", "chosen_by"}
        return {name: value for name, value in asdict(self).items() if name not in own}


# Of docstrings the first tokens tell most of the package; of lists of parameters each entry
# counts.
RECIPES: dict[str, FineTuning | Search | Typos | Declarations] = {
    "packages": FineTuning("packages", texts=600, max_tokens=64),
    "parameters": FineTuning("parameters", texts=120, max_tokens=256),
    "search": Search("search", texts=None, max_tokens=128),
    "typos": Typos("typos", texts=600),
    "declarations": Declarations("declarations", texts=600),
}
