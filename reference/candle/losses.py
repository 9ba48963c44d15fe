"""The losses of the heads; the source is rust_ports/models/src/losses.rs."""

from reference.candle._native import (
    binary_cross_entropy,
    classification_loss,
    cross_entropy,
    mean_squared_error,
)

__all__ = ["binary_cross_entropy", "classification_loss", "cross_entropy", "mean_squared_error"]
