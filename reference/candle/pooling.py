"""From one vector a token to one vector a text; the source is
rust_ports/models/src/pooling.rs."""

from reference.candle._native import cls_pooling, max_pooling, mean_pooling, normalize

__all__ = ["cls_pooling", "max_pooling", "mean_pooling", "normalize"]
