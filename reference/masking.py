"""The random draws of masked language modelling, made once for every framework, and what may be asked of them.

Devlin et al. 2018, section 3.1: of the tokens that are chosen, most become [MASK], some become a random word, and some
stay as they are, so that the model cannot rely on seeing a mask where it has to answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reference.errors import InputError
from reference.inputs import check_whole

IGNORED = -100  # the label of what was not chosen, which no loss counts


@dataclass(frozen=True)
class Draws:
    """What chance decides about each token of a batch; all three arrays have the shape of its ids."""

    chosen: np.ndarray  # float32 in [0, 1): a token is chosen where this lies below the probability
    action: np.ndarray  # float32 in [0, 1): below the mask's share it is masked, then comes the random words' share
    word: np.ndarray  # int64: the word that takes its place if it is to be a random one


def draw(shape: int | Sequence[int], vocab_size: int, seed: int) -> Draws:
    """Draws for ids of that shape; random words come from the whole vocabulary. The same seed gives the same draws."""
    vocab_size, seed = check_whole("vocab_size", vocab_size, 1), check_whole("seed", seed, 0)
    sizes = [shape] if isinstance(shape, (int, np.integer)) else list(shape)
    sizes = [check_whole("a size of the shape", size, 0) for size in sizes]
    generator = np.random.default_rng(seed)
    return Draws(
        generator.random(sizes, dtype=np.float32),
        generator.random(sizes, dtype=np.float32),
        generator.integers(vocab_size, size=sizes),
    )


@dataclass(frozen=True)
class Thresholds:
    """Where the draws are cut, in float32 like the draws themselves."""

    start: np.float32  # a token, or the first of a span, is chosen below this
    masked: np.float32
    random: np.float32


def thresholds(probability: float, mask_share: float, random_share: float, min_span: int = 1) -> Thresholds:
    """Check the shares. With spans fewer tokens may start one: each start takes its neighbours along, and a token is
    left out only where none of the `min_span` starts that reach it happens."""
    shares = {"probability": probability, "mask_share": mask_share, "random_share": random_share}
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, (int, float, np.number)) or not 0 <= share <= 1:
            raise InputError(f"{name} is {share!r:.80}; it must lie between 0 and 1")
    if mask_share + random_share > 1 + 1e-9:
        raise InputError(f"mask_share {mask_share} and random_share {random_share} add up to more than 1")
    min_span = check_whole("min_span", min_span, 1)
    start = probability
    if min_span > 1 and probability < 1:
        start = -math.expm1(math.log1p(-probability) / min_span)  # 1 - (1 - probability)^(1 / min_span)
    return Thresholds(np.float32(start), np.float32(mask_share), np.float32(mask_share + random_share))


def check_draws(draws: Draws, shape: Sequence[int]) -> None:
    """Draws are for one shape of batch."""
    for name in ("chosen", "action", "word"):
        found = getattr(draws, name).shape
        if tuple(found) != tuple(shape):
            raise InputError(f"draws.{name} has shape {tuple(found)}; the ids have {tuple(shape)}, and they must agree")
