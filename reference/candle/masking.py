"""The masking strategy of masked language modelling; the source is
rust_ports/models/src/masking.rs."""

import numpy as np

from reference.candle import _native
from reference.candle._native import spread, word_bounds
from reference.masking import Draws, check_batch, thresholds

__all__ = ["mask_tokens", "spread", "word_bounds"]


def mask_tokens(
    input_ids: np.ndarray,
    special_tokens_mask: np.ndarray,
    draws: Draws,
    mask_token_id: int,
    probability: float = 0.15,
    mask_share: float = 0.8,
    random_share: float = 0.1,
    word_ids: np.ndarray | None = None,
    min_span: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Ids with some tokens hidden, and labels: the original id where a token was chosen, -100
    elsewhere.

    All arrays are [batch, tokens]. special_tokens_mask: 1 at whatever is never chosen.
    word_ids: the number of each token's word; then words are chosen as a whole. min_span:
    choose at least so many words in a row, or tokens where there are no word_ids.
    """
    check_batch(np.ndarray, input_ids, special_tokens_mask, draws, mask_token_id, word_ids)
    # Rust cuts for itself; this words the errors alike.
    thresholds(probability, mask_share, random_share, min_span)
    parts = draws.chosen, draws.action, draws.word
    shares = mask_share, random_share
    return _native.mask_tokens(
        input_ids,
        special_tokens_mask,
        parts,
        mask_token_id,
        probability,
        shares,
        word_ids,
        min_span,
    )
