"""Rotary position embedding; the source is rust_ports/models/src/rope.rs."""

import numpy as np

from reference.candle._native import (
    apply_exact_rope,
    apply_rope,
    apply_rope_interleaved,
    exact_rope_tables,
    halves_to_pairs,
    inverse_frequencies,
    pairs_to_halves,
    rope_tables,
    rotate_half,
    rotate_pairs,
)

__all__ = [
    "Tables",
    "apply_exact_rope",
    "apply_rope",
    "apply_rope_interleaved",
    "exact_rope_tables",
    "halves_to_pairs",
    "inverse_frequencies",
    "pairs_to_halves",
    "rope_tables",
    "rotate_half",
    "rotate_pairs",
]

Tables = tuple[np.ndarray, np.ndarray]
