"""Scaled dot-product attention, padded and packed; the source is
rust_ports/models/src/attention.rs."""

from reference.candle._native import (
    blockwise_attention,
    merge_heads,
    packed_attention,
    pad_packed,
    padding_mask,
    positions,
    scaled_dot_product_attention,
    sliding_window_mask,
    split_heads,
)

__all__ = [
    "blockwise_attention",
    "merge_heads",
    "packed_attention",
    "pad_packed",
    "padding_mask",
    "positions",
    "scaled_dot_product_attention",
    "sliding_window_mask",
    "split_heads",
]
