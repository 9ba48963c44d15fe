"""From one vector a token to one vector a text; the source is
rust_ports/models/src/pooling.rs."""

from reference.candle._native import (
    cls_pooling,
    cosine_similarity,
    last_token_pooling,
    max_pooling,
    mean_pooling,
    mean_sqrt_len_pooling,
    normalize,
    pool,
    weighted_mean_pooling,
    without_prompt,
)

__all__ = [
    "cls_pooling",
    "cosine_similarity",
    "last_token_pooling",
    "max_pooling",
    "mean_pooling",
    "mean_sqrt_len_pooling",
    "normalize",
    "pool",
    "weighted_mean_pooling",
    "without_prompt",
]
