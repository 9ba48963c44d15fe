"""Bugs about the character encoder, not in it: which ids characters have, and what stands for
all answers in training. A port's outputs are right with any of them.

Each puts other functions or numbers in the place of the package's own for as long as it is
open: with patched(FAULTS["unknown_taken_for_pad"].patch()): ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from reference import negatives
from reference.negatives import Candidates, Negatives, log_uniform
from reference.parity.faults.cases import InTheWild
from reference.parity.faults.fault import Patch
from reference.text import characters


@dataclass(frozen=True)
class CharacterFault(InTheWild):
    """One bug, and where it shows: in "ids", in "offsets", or in the "gradient" of a confident
    model."""

    name: str
    story: str
    shows: str
    patch: Callable[[], list[Patch]]


def _unknown_is_pad() -> list[Patch]:
    return [(characters, "UNKNOWN_ID", characters.PAD_ID)]


def _mask_is_a_character() -> list[Patch]:
    """The first character has the id that hides another."""
    return [(characters, "FIRST", characters.MASK_ID)]


def _positive_as_it_is() -> list[Patch]:
    plain = negatives.candidates

    def candidates(answers: np.ndarray, drawn: Negatives) -> Candidates:
        found = plain(answers, drawn)
        offsets = found.offsets.copy()
        offsets[np.arange(len(found.labels)), found.labels] = 0.0
        return replace(found, offsets=offsets)

    return [(negatives, "candidates", candidates)]


def _nothing_corrected() -> list[Patch]:
    plain = negatives.candidates

    def candidates(answers: np.ndarray, drawn: Negatives) -> Candidates:
        found = plain(answers, drawn)
        return replace(found, offsets=np.where(np.isneginf(found.offsets), -np.inf, 0.0))

    return [(negatives, "candidates", candidates)]


def _expected_of_draws() -> list[Patch]:
    """As if a word could be drawn twice: the number of draws times its share, which for a
    frequent one is more than 1."""

    def expected(self: Negatives, ids: np.ndarray) -> np.ndarray:
        return self.tries * log_uniform(ids, self.size)

    return [(Negatives, "expected", expected)]


FAULTS = {
    fault.name: fault
    for fault in (
        CharacterFault(
            "unknown_taken_for_pad",
            "a character without an id of its own has that of padding, and is not read at all",
            "ids",
            _unknown_is_pad,
        ),
        CharacterFault(
            "mask_shared_with_a_character",
            "the most frequent character has the id of the mask, so that much seems hidden",
            "ids",
            _mask_is_a_character,
        ),
        CharacterFault(
            "positives_uncorrected",
            "the right answer's logit as it is, beside negatives whose logits are corrected: "
            "another estimate than the one that is meant, though one that also converges",
            "offsets",
            _positive_as_it_is,
        ),
        CharacterFault(
            "sampled_without_correction",
            "no logit corrected: frequent words, drawn more often, count for more",
            "gradient",
            _nothing_corrected,
        ),
        CharacterFault(
            "inclusion_by_draws",
            "the draws' shares added up for how likely a word is among different ones",
            "gradient",
            _expected_of_draws,
        ),
    )
}
