"""The oracle with dropout: PyTorch's own function, which draws from a generator, gives way to
one that takes the package's draws, while Transformers' modules decide where it is called."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from reference.dropout import Dropout


@contextmanager
def dropping_as(
    model: nn.Module, dropout: Dropout | None, order: np.ndarray | None = None
) -> Iterator[None]:
    """A forward pass of training of an oracle's model; None is no dropout.

    order: the places of the batch's rows in the batch that the draws are for, where they are
        not in their order.
    """
    if dropout is None:
        yield
        return
    sites = itertools.count()

    def drop(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or p == 0:
            return x
        keep = dropout.keep(next(sites), x.shape, p)
        if order is not None:
            keep = keep[_rows(order, len(keep))]
        return torch.where(torch.from_numpy(keep), x, 0) * (1 / (1 - p) if p < 1 else 0)

    def attend(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        **options: Any,
    ) -> Tensor:
        """The kernel's documentation, line by line; only that a query that sees nothing gets
        zeros, as from the kernel."""
        if is_causal or options:
            raise AssertionError(f"the oracle's attention has options: {is_causal}, {options}")
        scores = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        if attn_mask is None:
            attn_mask = torch.ones((), dtype=torch.bool)
        if attn_mask.dtype != torch.bool:
            scores, attn_mask = scores + attn_mask, attn_mask > torch.finfo(scores.dtype).min
        lowest = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min)
        probabilities = lowest.softmax(dim=-1).masked_fill(~attn_mask, 0)
        return drop(probabilities, dropout_p) @ value

    kept = functional.dropout, functional.scaled_dot_product_attention
    functional.dropout, functional.scaled_dot_product_attention = drop, attend
    was_training = model.training
    try:
        model.train()
        yield
    finally:
        model.train(was_training)
        functional.dropout, functional.scaled_dot_product_attention = kept


def _rows(order: np.ndarray, rows: int) -> np.ndarray:
    """Of the texts, of which an example may have several."""
    choices = rows // len(order)
    return (order[:, None] * choices + np.arange(choices)).reshape(-1)
