"""A PyTorch module whose linear layers multiply in eight bits: the same rounding as in
rust_ports/kernels, written apart from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

INT8 = "int8"
GROUP = 32  # so many numbers along the inputs share a scale
MOST = 127  # the largest whole number


def in_int8(model: nn.Module) -> nn.Module:
    """The module, of which every linear layer rounds its weight, now, and what it is given,
    each time. A weight that an embedding has too is rounded in the layer only."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.weight = nn.Parameter(rounded(module.weight.data), requires_grad=False)
            plain = module.forward
            module.forward = lambda x, plain=plain: plain(rounded(x))
    return model


def rounded(x: Tensor) -> Tensor:
    """Each group of numbers on the last axis as whole numbers times a scale, of which the
    largest is 127."""
    inputs = x.shape[-1]
    filled = nn.functional.pad(x, (0, -inputs % GROUP))
    groups = filled.unflatten(-1, (-1, GROUP))
    largest = groups.abs().amax(-1, keepdim=True)
    over = torch.where(largest > 0, MOST / largest, 0)
    return ((groups * over).round() * (largest / MOST)).flatten(-2)[..., :inputs]
