"""Convolutions over the positions of a text: a linear layer over each position and its
neighbours.

Axes: batch, tokens, features, as everywhere. Weights are stored as PyTorch's modules have them.
"""

import mlx.core as mx
from jaxtyping import Float
from mlx import nn


def windows(
    x: Float[mx.array, "batch tokens features"], width: int
) -> Float[mx.array, "batch tokens window"]:
    """Each position's own features and its neighbours', side by side, those of an earlier
    position first; beyond either end are zeros. Of an even number of positions the one more is
    behind."""
    before = (width - 1) // 2
    padded = mx.pad(x, ((0, 0), (before, width - 1 - before), (0, 0)))
    shifted = [padded[:, start : start + x.shape[1]] for start in range(width)]
    return mx.concatenate(shifted, axis=-1)


class Convolution(nn.Module):
    """Every position from itself and its neighbours, `width` positions in all; the length
    stays."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.weight = mx.zeros((outputs, inputs, width))
        self.bias = mx.zeros((outputs,))

    def __call__(
        self, x: Float[mx.array, "batch tokens inputs"]
    ) -> Float[mx.array, "batch tokens outputs"]:
        weight = self.weight.swapaxes(1, 2).flatten(1)  # [outputs, width * inputs]
        return windows(x, self.weight.shape[2]) @ weight.T + self.bias


class StridedConvolution(nn.Module):
    """One position from `stride` neighbours, and none of them twice: the text is so many times
    shorter. Its length is a multiple of the stride."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.weight = mx.zeros((outputs, inputs, stride))
        self.bias = mx.zeros((outputs,))

    def __call__(
        self, x: Float[mx.array, "batch tokens inputs"]
    ) -> Float[mx.array, "batch shorter outputs"]:
        stride = self.weight.shape[2]
        together = x.reshape(x.shape[0], -1, stride * x.shape[2])
        weight = self.weight.swapaxes(1, 2).flatten(1)  # [outputs, stride * inputs]
        return together @ weight.T + self.bias


class TransposedConvolution(nn.Module):
    """`stride` positions from each: the text is so many times longer."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.weight = mx.zeros((inputs, outputs, stride))
        self.bias = mx.zeros((outputs,))

    def __call__(
        self, x: Float[mx.array, "batch tokens inputs"]
    ) -> Float[mx.array, "batch longer outputs"]:
        inputs, outputs, stride = self.weight.shape
        weight = self.weight.transpose(2, 1, 0).reshape(stride * outputs, inputs)
        apart = x @ weight.T  # [batch, tokens, stride * outputs]
        return apart.reshape(x.shape[0], -1, outputs) + self.bias
