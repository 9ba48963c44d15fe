"""Which texts of a packed row go through attention together.

Attention is some thirty operations on each text, and on a CPU MLX takes longer to begin one of
them than a short text takes to go through it. Texts of about one length are laid out as one
padded batch instead.
"""

from dataclasses import dataclass
from functools import lru_cache

import mlx.core as mx
import numpy as np
from jaxtyping import Bool, Int

PADDING = 0.25  # so many pads there may be to a token
SCORES = 1 << 17  # so many there may be in a head, of several texts


@dataclass(frozen=True)
class Alike:
    """Some texts: where each head of their tokens stands in a row of all tokens' heads, and
    which of these tokens are none."""

    places: Int[mx.array, "texts heads longest"]
    mask: Bool[mx.array, "texts 1 1 longest"] | None


@lru_cache(maxsize=8)  # every layer asks for the same
def alike(
    bounds: tuple[int, ...], heads: int
) -> tuple[tuple[Alike, ...], Int[mx.array, "tokens heads"]]:
    """The texts between these bounds in groups; and where each head of each token of the row
    stands in all groups, [texts, heads, longest] each, one below the other."""
    starts, lengths, head = np.array(bounds[:-1]), np.diff(bounds), np.arange(heads)
    order, first = np.zeros((bounds[-1], heads), np.int32), 0
    found = []
    for group in _groups(lengths):
        column = np.arange(lengths[group[0]])
        real = column < lengths[group, None]
        places = np.where(real, starts[group, None] + column, starts[group, None])
        text, token = (where[:, None] for where in np.nonzero(real))
        order[places[real]] = first + (text * heads + head) * len(column) + token
        first += real.size * heads
        mask = None if real.all() else mx.array(real[:, None, None])
        by_head = places[:, None] * heads + head[:, None]
        found.append(Alike(mx.array(by_head.astype(np.int32)), mask))
    return tuple(found), mx.array(order)


def _groups(lengths: np.ndarray) -> list[np.ndarray]:
    """Texts from the longest to the shortest; a group ends where padding the next one would
    make it too wide."""
    order = np.argsort(-lengths, kind="stable")
    found: list[list[int]] = []
    for text in order:
        if found:
            longest, count = lengths[found[-1][0]], len(found[-1]) + 1
            tokens += lengths[text]
            wide = longest * count > (1 + PADDING) * tokens
            if not wide and longest**2 * count <= SCORES:
                found[-1].append(text)
                continue
        found.append([text])
        tokens = lengths[text]
    return [np.array(group) for group in found]
