"""The random draws of masked language modelling, made once for every framework, and a count of
what came of them.

Devlin et al. 2018, section 3.1: of the tokens that are chosen, most become [MASK], some become
a random word, and some stay as they are, so that the model cannot rely on seeing a mask where
it has to answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.checks import check_whole
from reference.errors import InputError

IGNORED = -100  # the label of what was not chosen, which no loss counts


@dataclass(frozen=True)
class Draws:
    """What chance decides about each token of a batch; all three arrays have the shape of its
    ids."""

    # float32 in [0, 1): a token is chosen where this lies below the probability.
    chosen: np.ndarray
    # float32 in [0, 1): below the mask's share it is masked, then comes the random words' share
    action: np.ndarray
    word: np.ndarray  # int64: the word that takes its place if it is to be a random one


def draw(shape: int | Sequence[int], vocab_size: int, seed: int) -> Draws:
    """Draws for ids of that shape; random words come from the whole vocabulary. The same seed
    gives the same draws."""
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

    start: np.float32  # a word, or the first of a span, is chosen below this
    masked: np.float32
    random: np.float32


def thresholds(
    probability: float, mask_share: float, random_share: float, min_span: int = 1
) -> Thresholds:
    """Check the shares. With spans fewer words may start one: each start takes its neighbours
    along, and a word is left out only where none of the `min_span` starts that reach it
    happens."""
    shares = {
        "probability": probability,
        "mask_share": mask_share,
        "random_share": random_share,
    }
    for name, share in shares.items():
        if (
            isinstance(share, bool)
            or not isinstance(share, (int, float, np.number))
            or not 0 <= share <= 1
        ):
            raise InputError(f"{name} is {share!r:.80}; it must lie between 0 and 1")
    if mask_share + random_share > 1 + 1e-9:
        raise InputError(
            f"mask_share {mask_share} and random_share {random_share} add up to more than 1"
        )
    min_span = check_whole("min_span", min_span, 1)
    start = probability
    if min_span > 1 and probability < 1:
        # 1 - (1 - probability)^(1 / min_span)
        start = -math.expm1(math.log1p(-probability) / min_span)
    return Thresholds(
        np.float32(start), np.float32(mask_share), np.float32(mask_share + random_share)
    )


def check_batch(
    array_type: type,
    input_ids: Any,
    special_tokens_mask: Any,
    draws: Draws,
    mask_token_id: int,
    word_ids: Any | None = None,
) -> None:
    """Everything is for one batch, of the port's own arrays, and the draws are of the types of
    `draw`: a float64 would be cut elsewhere."""
    others = {"special_tokens_mask": special_tokens_mask} | (
        {} if word_ids is None else {"word_ids": word_ids}
    )
    for name, array in ({"input_ids": input_ids} | others).items():
        if not isinstance(array, array_type):
            raise InputError(
                f"{name} is of type {_name(type(array))}; this port takes {_name(array_type)}"
            )
        if not re.search(r"\b(u?int\d+|bool)_?$", str(array.dtype)):
            raise InputError(f"{name} is of dtype {array.dtype}; it must hold whole numbers")
    shape = tuple(input_ids.shape)
    if len(shape) != 2:
        raise InputError(f"input_ids has shape {shape}; it must be [batch, tokens]")
    dtypes = {"chosen": np.float32, "action": np.float32, "word": np.int64}
    others |= {f"draws.{name}": getattr(draws, name) for name in dtypes}
    for name, array in others.items():
        if tuple(array.shape) != shape:
            raise InputError(
                f"{name} has shape {tuple(array.shape)}; the ids have {shape}, and they must "
                "agree"
            )
    for name, dtype in dtypes.items():
        if others[f"draws.{name}"].dtype != dtype:
            raise InputError(
                f"draws.{name} is {others[f'draws.{name}'].dtype}; it must be {np.dtype(dtype)}"
            )
    check_whole("mask_token_id", mask_token_id, 0)


def _name(array_type: type) -> str:
    return f"{array_type.__module__}.{array_type.__name__}".removeprefix("builtins.")


@dataclass(frozen=True)
class Shares:
    """How many tokens were chosen, and what became of them."""

    chosen: int
    masked: int
    random: int
    kept: int

    def departures(
        self, mask_share: float = 0.8, random_share: float = 0.1, risk: float = 1e-9
    ) -> dict[str, float]:
        """How far each count is from its share of the chosen, in units of what chance allows:
        above 1 means a bug.

        Each chosen token meets its fate by itself, so every count is binomial; `allowance`
        bounds it. A random word that happens to be the right one counts as kept, which over a
        vocabulary of thousands no count notices.
        """
        shares = {
            "masked": mask_share,
            "random": random_share,
            "kept": 1 - mask_share - random_share,
        }
        return {
            name: abs(getattr(self, name) - self.chosen * share)
            / allowance(self.chosen, share, risk)
            for name, share in shares.items()
        }


def count_shares(
    input_ids: np.ndarray, masked_ids: np.ndarray, labels: np.ndarray, mask_token_id: int
) -> Shares:
    """Count what a masking has done, from the ids before, the ids after and the labels."""
    chosen = labels != IGNORED
    masked = chosen & (masked_ids == mask_token_id)
    kept = chosen & ~masked & (masked_ids == input_ids)
    return Shares(
        int(chosen.sum()),
        int(masked.sum()),
        int((chosen & ~masked & ~kept).sum()),
        int(kept.sum()),
    )


def allowance(count: int, share: float, risk: float = 1e-9) -> float:
    """How far the number of events among `count` may lie from `count * share`, if each happens
    by itself with probability `share`: further happens with a probability of at most `risk`.

    Bernstein's inequality, 2 exp(-t^2 / (2 variance + 2 t / 3)) = risk, solved for t (Boucheron
    et al. 2013, chapter 2).
    """
    if not 0 < risk < 1:
        raise InputError(f"risk is {risk!r:.80}; it must lie between 0 and 1, and be neither")
    log = math.log(2 / risk)
    return log / 3 + math.sqrt((log / 3) ** 2 + 2 * log * count * share * (1 - share))
