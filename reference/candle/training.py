"""Training on candle; the source is rust_ports/models/src/training.rs."""

from reference.candle._native import Learner, adamw, gradient_norm

__all__ = ["Learner", "adamw", "gradient_norm"]
