"""Scaled dot-product attention, padded and packed; the source is rust_ports/encoders/src/attention.rs."""

from reference.candle._native import (
    merge_heads,
    packed_attention,
    pad_packed,
    padding_mask,
    positions,
    scaled_dot_product_attention,
    split_heads,
)

__all__ = [
    "merge_heads",
    "packed_attention",
    "pad_packed",
    "padding_mask",
    "positions",
    "scaled_dot_product_attention",
    "split_heads",
]
