"""The losses of detections, and what labels may be."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Num
from torch import Tensor

from reference.errors import InputError
from reference.masking import IGNORED


def multilabel_loss(
    logits: Float[Tensor, "*batch detections labels"],
    labels: Num[Tensor, "*batch detections labels"],
    pos_weight: Float[Tensor, "labels"] | None = None,
    class_weights: Float[Tensor, "labels"] | None = None,
    items: Tensor | int | None = None,
) -> Float[Tensor, ""]:
    """The binary cross entropy of every channel that counts, over `items`, or else over how
    many those are. Where none does, it is zero, and so is its gradient."""
    counted = counted_channels(labels)
    # Twice, so that what is not counted cannot bring a NaN into the gradient.
    kept = torch.where(counted, logits, 0.0)
    answers = torch.where(counted, labels, 0).to(logits.dtype)
    each = F.binary_cross_entropy_with_logits(
        kept, answers, weight=class_weights, pos_weight=pos_weight, reduction="none"
    )
    total = torch.where(counted, each, 0.0).sum()
    return total / (counted.sum().clamp(min=1) if items is None else items)


def multiclass_loss(
    logits: Float[Tensor, "*batch detections labels"],
    labels: Num[Tensor, "*batch detections"],
    class_weights: Float[Tensor, "labels"] | None = None,
    items: Tensor | int | None = None,
) -> Float[Tensor, ""]:
    """The cross entropy of every detection that counts, over `items`, or else over how many
    those are; weighted, over what they weigh together. Where none does, it is zero, and so is
    its gradient."""
    counted = labels != IGNORED
    kept = torch.where(counted[..., None], logits, 0.0)
    answers = torch.where(counted, labels, 0)
    each = F.cross_entropy(
        kept.flatten(0, -2), answers.flatten(), weight=class_weights, reduction="none"
    )
    own = torch.where(counted.flatten(), each, 0.0)
    if items is not None:
        return own.sum() / items
    share = torch.ones_like(each) if class_weights is None else class_weights[answers.flatten()]
    weight = torch.where(counted.flatten(), share, 0.0).sum()
    return own.sum() / torch.where(weight > 0, weight, 1.0)


def counted_channels(labels: Num[Tensor, "*batch detections labels"]) -> Tensor:
    """Not those of an ignored detection, which has -100 in its first channel, nor one that is
    ignored by itself."""
    return (labels != IGNORED) & (labels[..., :1] != IGNORED)


def check_labels(labels: Any, logits: Tensor, task: str) -> Tensor:
    """Labels of the rank, the shape, the kind and the range that the task's loss takes."""
    if not isinstance(labels, Tensor):
        raise InputError(f"labels are a {type(labels).__name__}; they must be a tensor")
    shape = tuple(logits.shape) if task == "multilabel" else tuple(logits.shape[:2])
    axes = "[batch, detections, labels]" if task == "multilabel" else "[batch, detections]"
    if labels.dim() != len(shape):
        raise InputError(
            f"labels have shape {tuple(labels.shape)}; those of a {task} model are {axes}"
        )
    if tuple(labels.shape) != shape:
        raise InputError(f"labels have shape {tuple(labels.shape)}; here it must be {shape}")
    if labels.is_complex():
        raise InputError(f"labels hold {labels.dtype}; they must be numbers")
    if task == "multilabel":
        sound = ((labels >= 0) & (labels <= 1)) | (labels == IGNORED)
        meant = "0, 1, what lies between, or -100 for what does not count"
    else:
        if labels.is_floating_point() or labels.dtype == torch.bool:
            raise InputError(f"labels hold {labels.dtype}; classes are whole numbers")
        sound = ((labels >= 0) & (labels < logits.shape[-1])) | (labels == IGNORED)
        meant = f"0 to {logits.shape[-1] - 1}, or -100 for what does not count"
    if not bool(sound.all()):
        odd = labels[~sound].flatten()[0].item()
        raise InputError(f"labels hold {odd}; a label is {meant}")
    return labels if task == "multilabel" else labels.long()
