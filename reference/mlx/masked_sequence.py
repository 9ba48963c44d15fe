"""A head at chosen positions, on the encoder of any family.

Axes: batch, detections, hidden, as in book/notation.md; of a packed row the detections stand in
a row too.
"""

import mlx.core as mx
from jaxtyping import Float, Num
from mlx import nn

from reference.errors import InputError
from reference.families.config import EncoderConfig
from reference.families.detections import NORM_EPSILON
from reference.inputs import Inputs
from reference.masking import IGNORED
from reference.mlx.heads import EncoderOutput, Head
from reference.mlx.layers import LayerNorm, Linear, gelu
from reference.mlx.losses import cross_entropy

Vectors = Float[mx.array, "*texts detections hidden"]
Logits = Float[mx.array, "*texts detections labels"]


class DetectionHead(nn.Module):
    """Linear, GELU, norm, Linear."""

    def __init__(self, hidden: int, labels: int) -> None:
        super().__init__()
        self.dense = Linear(hidden, hidden)
        self.norm = LayerNorm(hidden, NORM_EPSILON)
        self.classifier = Linear(hidden, labels)

    def __call__(self, vectors: Vectors) -> Logits:
        return self.classifier(self.norm(gelu(self.dense(vectors))))


def span_vectors(hidden: Float[mx.array, "*batch tokens hidden"], inputs: Inputs) -> Vectors:
    """A vector for each detection, from those of some of its tokens."""
    if inputs.spans is None:
        raise InputError("mask_indices is missing: at which tokens are the detections?")
    tokens = hidden.reshape(-1, hidden.shape[-1])[inputs.spans]
    return (tokens * inputs.shares.astype(hidden.dtype)[..., None]).sum(-2)


class MaskedSequence(Head):
    """Scores over the labels for each detection, on the encoder of any family."""

    def __init__(self, config: EncoderConfig, encoder: nn.Module) -> None:
        self.base = config.detections.base
        super().__init__(config, encoder)
        self.detection_head = DetectionHead(config.hidden_size, config.num_labels)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Logits:
        return self.detection_head(span_vectors(outputs.last_hidden_state, inputs))

    def loss(self, logits: Logits, labels: Num[mx.array, "..."]) -> Float[mx.array, ""]:
        """Where no detection counts it is zero, and so are its gradients."""
        on_it = self.config.detections
        weights = on_it.class_weights and mx.array(on_it.class_weights, dtype=logits.dtype)
        if self.config.problem_type == "single_label_classification":
            return multiclass_loss(logits, labels, weights)
        pos_weight = on_it.pos_weight and mx.array(on_it.pos_weight, dtype=logits.dtype)
        return multilabel_loss(logits, labels, pos_weight, weights)


def multilabel_loss(
    logits: Logits,
    labels: Num[mx.array, "*texts detections labels"],
    pos_weight: Float[mx.array, "labels"] | None = None,
    class_weights: Float[mx.array, "labels"] | None = None,
) -> Float[mx.array, ""]:
    """The mean binary cross entropy of every channel that counts. Where none does, it is zero,
    and so is its gradient.

    With a weight p for what is there, it is w ((1 - y) x + (1 + (p - 1) y) log(1 + exp(-x))).
    """
    kept = (labels != IGNORED) & (labels[..., :1] != IGNORED)
    # Replaced before it is computed with, so that no NaN which stands there reaches a gradient.
    logits = mx.where(kept, logits, 0)
    answers = mx.where(kept, labels, 0).astype(logits.dtype)
    there = 1 if pos_weight is None else 1 + (pos_weight - 1) * answers
    below = mx.maximum(-logits, 0) + mx.log1p(mx.exp(-mx.abs(logits)))
    losses = (1 - answers) * logits + there * below
    losses = losses if class_weights is None else class_weights * losses
    return mx.where(kept, losses, 0).sum() / mx.maximum(kept.sum(), 1).astype(logits.dtype)


def multiclass_loss(
    logits: Logits,
    labels: Num[mx.array, "*texts detections"],
    class_weights: Float[mx.array, "labels"] | None = None,
) -> Float[mx.array, ""]:
    """The cross entropy of every detection that counts; weighted, over what they weigh
    together. Where none does, it is zero, and so is its gradient."""
    loss = cross_entropy(logits, labels, IGNORED, class_weights)
    kept = labels != IGNORED
    shares = 1 if class_weights is None else class_weights[mx.where(kept, labels, 0)]
    return mx.where(mx.where(kept, shares, 0).sum() > 0, loss, 0)
