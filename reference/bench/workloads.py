"""What the contestants work on: one text to wait for, and many to get through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reference.errors import InputError
from reference.text import Tokenizer

# A model that takes so many tokens is timed on long texts, unless its user says otherwise.
LONG = 4096


@dataclass(frozen=True)
class Workload:
    """One text to wait for and many to get through, and what the table calls them."""

    one_name: str
    one: str
    many_name: str
    many: list[str]
    repeats: int = 1  # of the one text in each round

    def map(self, change: Callable[[list[str]], list[str]]) -> Workload:
        """The same with other texts."""
        return replace(self, one=change([self.one])[0], many=change(self.many))


def mixed_texts(count: int, seed: int = 0) -> list[str]:
    """Made-up sentences of 6 to 90 words, most of them short, as a collection of real texts has
    them."""
    words = (
        "the a of model token vector attention layer mean text reads each row holds long short "
        "sentence number which between small large river stone window garden answer question "
        "simple measure weight table letter market winter summer carries follows returns "
        "writes under over because although never always seven hundred paper"
    ).split()
    generator = np.random.default_rng(seed)
    lengths = np.exp(generator.uniform(np.log(6), np.log(90), count)).astype(int)
    return [" ".join(generator.choice(words, length)) + "." for length in lengths]


def sentences(texts: Sequence[str]) -> Workload:
    """Texts as a collection of them has, and the one of them in the middle by length."""
    if not texts:
        raise InputError("a bench needs at least one text")
    return Workload(
        "one sentence",
        sorted(texts, key=len)[len(texts) // 2],
        "mixed lengths",
        list(texts),
        repeats=5,
    )


def long_texts(tokenizer: Tokenizer) -> Workload:
    """One text of 4,096 tokens, and 16 of 32 to 512 in no order: where padding and attention
    cost most."""
    if tokenizer.max_length < LONG:
        raise InputError(
            f"this model takes {tokenizer.max_length} tokens; the long workload has a text of "
            f"{LONG}"
        )
    lengths = np.random.default_rng(0).permutation(np.linspace(32, 512, 16).astype(int))
    many = [text_of(tokenizer, length, seed) for seed, length in enumerate(lengths)]
    return Workload(
        f"one text of {LONG:,}",
        text_of(tokenizer, LONG, 16),
        "16 texts of 32 to 512 tokens",
        many,
    )


def text_of(tokenizer: Tokenizer, tokens: int, seed: int = 0) -> str:
    """Made-up words that are as many tokens, special ones included, or as few less as a word
    has."""
    words = " ".join(mixed_texts(tokens // 6 + 1, seed)).split()[
        :tokens
    ]  # of at least six words each
    least, most = 1, len(words)
    while least < most:
        half = (least + most + 1) // 2
        fits = len(tokenizer([" ".join(words[:half])], max_length=2 * tokens + 2)[0]) <= tokens
        least, most = (half, most) if fits else (least, half - 1)
    return " ".join(words[:least])
