"""Cutting what was encoded whole: special tokens stay, and each text keeps its beginning or, if
its tokenizer cuts on the left, its end.

The tokenizers library can cut by itself, but keeps the length in the tokenizer, where two
threads that want two lengths would change it under one another.
"""

from __future__ import annotations

from collections.abc import Sequence

from reference.errors import InputError


def kept_tokens(
    sequence_ids: Sequence[int | None], max_length: int, side: str = "right"
) -> list[int]:
    """The positions that stay when an encoding is cut to max_length tokens; `sequence_ids` tell
    each token's text, 0 or 1, and None for a special token."""
    places = [
        [token for token, sequence in enumerate(sequence_ids) if sequence == text]
        for text in (0, 1)
    ]
    special = [token for token, sequence in enumerate(sequence_ids) if sequence is None]
    if len(special) > max_length:
        raise InputError(
            f"max_length is {max_length}, but this tokenizer adds {len(special)} special tokens"
        )
    lengths = kept_lengths(len(places[0]), len(places[1]), max_length - len(special))
    kept = [
        tokens[len(tokens) - length :] if side == "left" else tokens[:length]
        for tokens, length in zip(places, lengths, strict=True)
    ]
    return sorted([*special, *kept[0], *kept[1]])


def kept_lengths(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of each text stay: the longer one is cut first, and if both must be, each
    gets half.

    This is truncate_encodings of the tokenizers library: of an odd room the longer text
    gets the larger half, and the second one if they are alike.
    """
    if first + second <= room:
        return first, second
    shorter = min(first, second, room // 2)
    longer = room - shorter
    return (longer, shorter) if first > second else (shorter, longer)
