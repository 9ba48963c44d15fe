"""Late chunking (Günther et al. 2024): a long text is read once as a whole, and the tokens of
each chunk are pooled then, so that a chunk's vector knows what stands around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reference.errors import InputError, shown
from reference.text import Encoding

Chunk = tuple[int, int]  # the first character, and the one after the last


def check_chunks(chunks: Any, length: int) -> list[Chunk]:
    """Spans of characters in a text of that length, in order and apart."""
    try:
        found = [(first, end) for first, end in chunks]
    except (TypeError, ValueError):
        found = [(None, None)]
    if not all(_is_place(value) for chunk in found for value in chunk):
        raise InputError(
            f"chunks is {shown(chunks)}; it must be a list of (first character, end) pairs, of "
            "whole numbers"
        )
    last = 0
    for number, (first, end) in enumerate(found):
        if not last <= first < end <= length:
            raise InputError(
                f"chunks[{number}] is {shown((first, end))}; chunks follow one another within "
                f"the {length} characters of the text, and none is empty"
            )
        last = end
    if not found:
        raise InputError("chunks is empty; name at least one")
    return [(int(first), int(end)) for first, end in found]


def _is_place(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def chunk_members(
    encoding: Encoding, chunks: Sequence[Chunk], shift: int = 0
) -> list[list[int]]:
    """The tokens of each chunk: those whose first character is in it, `shift` characters of a
    prompt being before the text. Special tokens, and those of a prompt, go to the first chunk
    or, at the end, to the last."""
    real = [
        token
        for token, (_, end) in enumerate(encoding.offsets)
        if not encoding.special_tokens_mask[token] and end > shift
    ]
    starts = [encoding.offsets[token][0] - shift for token in real]
    members = [
        [token for token, start in zip(real, starts, strict=True) if first <= start < last]
        for first, last in chunks
    ]
    for number, tokens in enumerate(members):
        if not tokens:
            raise InputError(
                f"chunks[{number}], {tuple(chunks[number])}, has no token that begins in it"
            )
    members[0] = [*range(real[0]), *members[0]]
    members[-1] += range(real[-1] + 1, len(encoding))
    return members


def _weighted(tokens: np.ndarray) -> np.ndarray:
    weights = np.arange(1, len(tokens) + 1, dtype=tokens.dtype)
    return weights @ tokens / weights.sum()


POOL = {
    "cls": lambda tokens: tokens[0],
    "max": lambda tokens: tokens.max(axis=0),
    "mean": lambda tokens: tokens.mean(axis=0),
    "mean_sqrt_len_tokens": lambda tokens: tokens.sum(axis=0) / np.sqrt(len(tokens)),
    "weightedmean": _weighted,
    "lasttoken": lambda tokens: tokens[-1],
}


def pool_chunks(
    hidden: np.ndarray, members: Sequence[list[int]], ways: Sequence[str]
) -> np.ndarray:
    """The hidden states of each chunk's tokens pooled, in each of the ways, side by side."""
    return np.stack(
        [np.concatenate([POOL[way](hidden[tokens]) for way in ways]) for tokens in members]
    )
