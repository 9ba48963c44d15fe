"""The losses of the heads, chosen as Transformers chooses them."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Num
from torch import Tensor

from reference.errors import ConfigError


def cross_entropy(
    logits: Float[Tensor, "*batch labels"],
    labels: Int[Tensor, "*batch"],
    ignore_index: int = -100,
    class_weights: Float[Tensor, "labels"] | None = None,
) -> Float[Tensor, ""]:
    """The mean of -log softmax(logits)[label] over the labels that are not ignore_index; NaN
    where none is left. A label weighs in that mean as its class does."""
    # (1) labels that are to be ignored are left out
    kept = labels != ignore_index
    # (2) the log softmax at every right answer
    log_probabilities = torch.log_softmax(logits[kept], dim=-1)
    chosen = log_probabilities.gather(-1, labels[kept].unsqueeze(-1)).squeeze(-1)
    # (3) the loss is their mean, in which classes may weigh
    if class_weights is None:
        return -chosen.mean()
    weights = class_weights[labels[kept]]
    return -(weights * chosen).sum() / weights.sum()


def binary_cross_entropy(
    logits: Float[Tensor, "*batch"],
    labels: Float[Tensor, "*batch"],
    ignore_index: int | None = None,
) -> Float[Tensor, ""]:
    """The mean over independent yes-or-no questions, those with the label ignore_index left
    out, in the form that no large logit overflows.

    -y log σ(x) - (1 - y) log(1 - σ(x)) = max(x, 0) - x y + log(1 + exp(-|x|))
    """
    if ignore_index is not None:
        kept = labels != ignore_index
        logits, labels = logits[kept], labels[kept]
    return (
        logits.clamp(min=0) - logits * labels + torch.log1p(torch.exp(-logits.abs()))
    ).mean()


def mean_squared_error(
    predictions: Float[Tensor, "*batch"], labels: Float[Tensor, "*batch"]
) -> Float[Tensor, ""]:
    """The mean of the squared differences."""
    return F.mse_loss(predictions, labels)


def classification_loss(
    logits: Float[Tensor, "batch labels"],
    labels: Num[Tensor, "batch"] | Num[Tensor, "batch labels"],
    problem_type: str | None,
    num_labels: int,
) -> Float[Tensor, ""]:
    """The loss that problem_type names; without one, the labels decide, as in Transformers."""
    if problem_type is None:
        if num_labels == 1:
            problem_type = "regression"
        elif not labels.is_floating_point():
            problem_type = "single_label_classification"
        else:
            problem_type = "multi_label_classification"

    if problem_type == "single_label_classification":
        return cross_entropy(logits, labels.reshape(-1))
    labels = labels.to(logits.dtype).reshape(logits.shape)
    if problem_type == "regression":
        return mean_squared_error(logits, labels)
    if problem_type == "multi_label_classification":
        return binary_cross_entropy(logits, labels)
    raise ConfigError(f"problem_type is {problem_type!r}, which is not implemented")
