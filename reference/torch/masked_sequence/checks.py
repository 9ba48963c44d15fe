"""What a detection model refuses before it computes anything."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reference.errors import InputError, shown
from reference.masking import IGNORED


def check_indices(
    name: str, indices: Any, input_ids: Tensor, like: Tensor | None = None
) -> Tensor:
    """Where detections are: int64, [batch, detections], and every one of them a token of its
    row, padded entries included."""
    if indices is None:
        raise InputError(f"{name} is missing: at which tokens are the detections?")
    if not isinstance(indices, Tensor) or indices.dtype != torch.int64:
        found = indices.dtype if isinstance(indices, Tensor) else type(indices).__name__
        raise InputError(f"{name} is {found}; it must be a tensor of int64")
    if indices.dim() != 2 or len(indices) != len(input_ids):
        raise InputError(
            f"{name} has shape {tuple(indices.shape)}; it must be [{len(input_ids)}, "
            "detections], a row for each text"
        )
    if like is not None and indices.shape != like.shape:
        raise InputError(
            f"{name} has shape {tuple(indices.shape)}; mask_indices has {tuple(like.shape)}, "
            "and they must agree"
        )
    tokens = input_ids.shape[1]
    outside = (indices < 0) | (indices >= tokens)
    if bool(outside.any()):
        row, place = torch.nonzero(outside)[0].tolist()
        raise InputError(
            f"{name}[{row}, {place}] is {indices[row, place].item()}; the texts have tokens 0 "
            f"to {tokens - 1} here. Padded entries must lie in them too"
        )
    return indices


def check_ids(input_ids: Any, attention_mask: Any) -> None:
    if not isinstance(input_ids, Tensor) or input_ids.dim() != 2:
        found = tuple(input_ids.shape) if isinstance(input_ids, Tensor) else shown(input_ids)
        raise InputError(f"input_ids is {found}; it must be a tensor [batch, tokens]")
    shape = getattr(attention_mask, "shape", ())
    if attention_mask is not None and shape != input_ids.shape:
        raise InputError(
            f"attention_mask has shape {tuple(shape)}; input_ids has "
            f"{tuple(input_ids.shape)}, and they must agree"
        )


def check_real(
    name: str, indices: Tensor, attention_mask: Tensor | None, counted: Tensor
) -> None:
    """No detection that counts is on padding of its text."""
    if attention_mask is None:
        return
    on_pad = (attention_mask.gather(1, indices) == 0) & counted
    if bool(on_pad.any()):
        row, place = torch.nonzero(on_pad)[0].tolist()
        raise InputError(
            f"{name}[{row}, {place}] is {indices[row, place].item()}, which is padding of its "
            "text; only a detection whose label is ignored may be there"
        )


def check_order(indices: Tensor, ends: Tensor, counted: Tensor) -> None:
    """The last token of a detection is not before its first."""
    turned = (ends < indices) & counted
    if bool(turned.any()):
        row, place = torch.nonzero(turned)[0].tolist()
        raise InputError(
            f"mask_ends[{row}, {place}] is {ends[row, place].item()}, which is before "
            f"mask_indices[{row}, {place}], {indices[row, place].item()}"
        )


@torch.compiler.disable
def check_places(
    input_ids: Any,
    attention_mask: Any,
    mask_indices: Any,
    mask_ends: Any,
    labels: Any,
    task: str,
) -> None:
    """Looks at values, which no compiler can."""
    check_ids(input_ids, attention_mask)
    mask_indices = check_indices("mask_indices", mask_indices, input_ids)
    counted = torch.ones_like(mask_indices, dtype=torch.bool)
    ranks = {"multilabel": 3, "multiclass": 2}
    if isinstance(labels, Tensor) and labels.dim() == ranks[task]:
        own = labels[..., 0] if task == "multilabel" else labels
        if own.shape == mask_indices.shape:  # or else the loss refuses them
            counted = own != IGNORED
    check_real("mask_indices", mask_indices, attention_mask, counted)
    if mask_ends is not None:
        check_indices("mask_ends", mask_ends, input_ids, mask_indices)
        check_real("mask_ends", mask_ends, attention_mask, counted)
        check_order(mask_indices, mask_ends, counted)
