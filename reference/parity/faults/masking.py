"""Bugs of the masking strategy. A port's outputs and gradients are right with any of them: only
counts show it.

Each is written around `mask_tokens`, over the draws and masks that it is handed, so it can be
seeded in every port: faulty =
FAULTS["shares_one_after_another"].around(reference.torch.masking.mask_tokens)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reference.errors import InputError
from reference.masking import Draws
from reference.parity.faults.cases import InTheWild

MaskTokens = Callable[..., tuple[Any, Any]]  # a port's mask_tokens
MASK, RANDOM, KEEP = 0.0, 0.85, 0.95  # draws that mean just this where the shares are 80/10/10


@dataclass(frozen=True)
class MaskingFault(InTheWild):
    """One bug, and the shares that it comes to where 80/10/10 is meant; None where it leaves
    them alone."""

    name: str
    story: str
    redraw: Callable[[Draws], Draws] | None = None
    shares: tuple[float, float, float] | None = None  # masked, random, kept

    def around(self, mask_tokens: MaskTokens) -> MaskTokens:
        """The same function with the bug in it, for the usual shares."""

        def faulty(
            input_ids: Any,
            special_tokens_mask: Any,
            draws: Draws,
            mask_token_id: int,
            **options: Any,
        ) -> Any:
            if {"mask_share", "random_share"} & options.keys():
                raise InputError(
                    "a fault of masking is made for the shares 80/10/10; leave mask_share, "
                    "random_share out"
                )
            if self.redraw is None:
                return mask_tokens(
                    input_ids, special_tokens_mask * 0, draws, mask_token_id, **options
                )
            return mask_tokens(
                input_ids, special_tokens_mask, self.redraw(draws), mask_token_id, **options
            )

        return faulty


def _one_after_another(draws: Draws) -> Draws:
    """First a tenth becomes random words; then nine tenths *of what is left*, by a draw of its
    own, become [MASK]."""
    random, second = _two_draws(draws.action, 0.1)
    return _decided(draws, random=random, masked=~random & (second < 0.9))


def _tenth_of_the_rest(draws: Draws) -> Draws:
    """First eight tenths become [MASK]; then a tenth *of what is left* become random words,
    where half is meant."""
    masked, second = _two_draws(draws.action, 0.8)
    return _decided(draws, random=~masked & (second < 0.1), masked=masked)


def _two_draws(uniform: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether a first draw falls below the share, and a second draw for where it does not.

    What is left of a uniform number above the share, stretched to [0, 1), is a uniform number
    again.
    """
    return uniform < share, (uniform - share) / (1 - share)


def _decided(draws: Draws, random: np.ndarray, masked: np.ndarray) -> Draws:
    action = np.select([masked, random], [MASK, RANDOM], KEEP)
    return replace(draws, action=action.astype(np.float32))


FAULTS = {
    fault.name: fault
    for fault in (
        MaskingFault(
            "shares_one_after_another",
            "random words are drawn first and masks from the rest, each share as if it were of "
            "the whole: 81/10/9",
            _one_after_another,
            (0.81, 0.10, 0.09),
        ),
        MaskingFault(
            "a_tenth_of_the_rest",
            "masks are drawn first, then a tenth of the fifth that is left, where half of it "
            "is meant: 80/2/18",
            _tenth_of_the_rest,
            (0.80, 0.02, 0.18),
        ),
        MaskingFault("special_tokens_masked", "[CLS], [SEP] and padding are chosen like words"),
    )
}
