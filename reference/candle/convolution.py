"""Convolutions over the positions of a text; the source is
rust_ports/models/src/convolution.rs."""

import numpy as np

from reference.candle import _native
from reference.candle._native import windows

__all__ = ["Convolution", "StridedConvolution", "TransposedConvolution", "windows"]


class Convolution:
    """Every position from itself and its neighbours, `width` positions in all; the length
    stays. Weight and bias are NumPy's, and zeros until they are set."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        self.weight = np.zeros((outputs, inputs, width), np.float32)
        self.bias = np.zeros(outputs, np.float32)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """[batch, tokens, inputs] to [batch, tokens, outputs]."""
        return _native.convolved(x, self.weight, self.bias)


class StridedConvolution:
    """One position from `stride` neighbours, and none of them twice: the text is so many times
    shorter. Its length is a multiple of the stride."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        self.weight = np.zeros((outputs, inputs, stride), np.float32)
        self.bias = np.zeros(outputs, np.float32)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """[batch, tokens, inputs] to [batch, tokens / stride, outputs]."""
        return _native.shortened(x, self.weight, self.bias)


class TransposedConvolution:
    """`stride` positions from each: the text is so many times longer."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        self.weight = np.zeros((inputs, outputs, stride), np.float32)
        self.bias = np.zeros(outputs, np.float32)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """[batch, tokens, inputs] to [batch, stride * tokens, outputs]."""
        return _native.lengthened(x, self.weight, self.bias)
