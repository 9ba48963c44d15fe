"""The losses of the heads, chosen as Transformers chooses them."""

import mlx.core as mx
from jaxtyping import Float, Int, Num

from reference.errors import ConfigError


def cross_entropy(
    logits: Float[mx.array, "*batch labels"],
    labels: Int[mx.array, "*batch"],
    ignore_index: int = -100,
    class_weights: Float[mx.array, "labels"] | None = None,
) -> Float[mx.array, ""]:
    """The mean of -log softmax(logits)[label] over the labels that are not ignore_index; NaN
    where none is left. A label weighs in that mean as its class does.

    MLX cannot drop rows by a mask. An ignored row is replaced before it is computed with, so
    that nothing which stands in it, not even a NaN, reaches the loss or a gradient.
    """
    # (1) labels that are to be ignored are left out
    kept = labels != ignore_index
    logits = mx.where(kept[..., None], logits, 0)
    # (2) the log softmax at every right answer
    # Softmax does not see the largest taken away, but exp would overflow with it.
    logits = logits - mx.stop_gradient(logits.max(axis=-1, keepdims=True))
    classes = mx.where(kept, labels, 0)
    chosen = mx.take_along_axis(logits, classes[..., None], axis=-1).squeeze(-1)
    total = _sum_last(mx.exp(logits))
    losses = mx.where(kept, mx.log(total) - chosen, 0)
    # (3) the loss is their mean, in which classes may weigh
    count = kept.sum()
    if class_weights is not None:
        weights = mx.where(kept, class_weights[classes], 0)
        losses, count = losses * weights, weights.sum()
    # The stand-in keeps the gradient of an empty mean at zero, where 0/0 would make it NaN; so
    # it is in PyTorch.
    mean = losses.sum() / mx.where(count > 0, count, 1)
    return mx.where(count > 0, mean, mx.nan).astype(logits.dtype)


def binary_cross_entropy(
    logits: Float[mx.array, "*batch"],
    labels: Float[mx.array, "*batch"],
    ignore_index: int | None = None,
) -> Float[mx.array, ""]:
    """The mean over independent yes-or-no questions, those with the label ignore_index left
    out, in the form that no large logit overflows.

    -y log σ(x) - (1 - y) log(1 - σ(x)) = max(x, 0) - x y + log(1 + exp(-|x|))
    """
    if ignore_index is not None:  # replaced, as by cross_entropy
        kept = labels != ignore_index
        logits, labels = mx.where(kept, logits, 0), mx.where(kept, labels, 0)
    losses = mx.maximum(logits, 0) - logits * labels + mx.log1p(mx.exp(-mx.abs(logits)))
    if ignore_index is None:
        return _mean(losses)
    count = kept.sum()
    mean = mx.where(kept, losses, 0).sum() / mx.maximum(count, 1)
    return mx.where(count > 0, mean, mx.nan).astype(logits.dtype)


def mean_squared_error(
    predictions: Float[mx.array, "*batch"], labels: Float[mx.array, "*batch"]
) -> Float[mx.array, ""]:
    """The mean of the squared differences."""
    return _mean((predictions - labels).square())


def classification_loss(
    logits: Float[mx.array, "batch labels"],
    labels: Num[mx.array, "batch"] | Num[mx.array, "batch labels"],
    problem_type: str | None,
    num_labels: int,
) -> Float[mx.array, ""]:
    """The loss that problem_type names; without one, the labels decide, as in Transformers."""
    if problem_type is None:
        if num_labels == 1:
            problem_type = "regression"
        elif not mx.issubdtype(labels.dtype, mx.floating):
            problem_type = "single_label_classification"
        else:
            problem_type = "multi_label_classification"

    if problem_type == "single_label_classification":
        return cross_entropy(logits, labels.reshape(-1))
    labels = labels.astype(logits.dtype).reshape(logits.shape)
    if problem_type == "regression":
        return mean_squared_error(logits, labels)
    if problem_type == "multi_label_classification":
        return binary_cross_entropy(logits, labels)
    raise ConfigError(f"problem_type is {problem_type!r}, which is not implemented")


def _mean(values: Float[mx.array, "*batch"]) -> Float[mx.array, ""]:
    """The mean, axis by axis. MLX adds the numbers of one reduction up in a row, and in float32
    a sum of tens of thousands loses two digits that way; sums of sums, which PyTorch makes by
    itself, do not."""
    while values.ndim > 1:
        values = values.mean(axis=-1)
    return values.mean()


def _sum_last(x: Float[mx.array, "*batch labels"]) -> Float[mx.array, "*batch"]:
    """The sum over the last axis, in blocks. On a CPU MLX adds number after number, and every
    step rounds: over 30,000 words it would be off by 6e-5 of itself."""
    size = 128
    rest = -x.shape[-1] % size
    blocks = mx.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, rest)]).reshape(*x.shape[:-1], -1, size)
    return blocks.sum(axis=-1).sum(axis=-1)
