"""Convolutions over the positions of a text: a linear layer over each position and its
neighbours.

Axes: batch, tokens, features, as everywhere; PyTorch's own modules want the features before the
tokens. Weights are stored as those have them.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def windows(
    x: Float[Tensor, "batch tokens features"], width: int
) -> Float[Tensor, "batch tokens window"]:
    """Each position's own features and its neighbours', side by side, those of an earlier
    position first; beyond either end are zeros. Of an even number of positions the one more is
    behind."""
    before = (width - 1) // 2
    padded = F.pad(x, (0, 0, before, width - 1 - before))
    shifted = [padded[:, start : start + x.shape[1]] for start in range(width)]
    return torch.cat(shifted, dim=-1)


class Convolution(nn.Module):
    """Every position from itself and its neighbours, `width` positions in all; the length
    stays."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, width))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(
        self, x: Float[Tensor, "batch tokens inputs"]
    ) -> Float[Tensor, "batch tokens outputs"]:
        weight = self.weight.transpose(1, 2).flatten(1)  # [outputs, width * inputs]
        return F.linear(windows(x, self.weight.shape[2]), weight, self.bias)


class StridedConvolution(nn.Module):
    """One position from `stride` neighbours, and none of them twice: the text is so many times
    shorter. Its length is a multiple of the stride."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, stride))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(
        self, x: Float[Tensor, "batch tokens inputs"]
    ) -> Float[Tensor, "batch shorter outputs"]:
        stride = self.weight.shape[2]
        together = x.reshape(x.shape[0], -1, stride * x.shape[2])
        weight = self.weight.transpose(1, 2).flatten(1)  # [outputs, stride * inputs]
        return F.linear(together, weight, self.bias)


class TransposedConvolution(nn.Module):
    """`stride` positions from each: the text is so many times longer."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs, stride))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(
        self, x: Float[Tensor, "batch tokens inputs"]
    ) -> Float[Tensor, "batch longer outputs"]:
        inputs, outputs, stride = self.weight.shape
        weight = self.weight.permute(2, 1, 0).reshape(stride * outputs, inputs)
        apart = F.linear(x, weight)  # [batch, tokens, stride * outputs]
        return apart.reshape(x.shape[0], -1, outputs) + self.bias
