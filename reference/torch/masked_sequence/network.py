"""The same head once more, on the encoders of this package, which take packed texts too. The
other one, on Transformers' encoders, is what it is held against."""

from jaxtyping import Float, Num
from torch import Tensor, nn

from reference.errors import InputError
from reference.families.config import EncoderConfig
from reference.families.detections import NORM_EPSILON
from reference.inputs import Inputs
from reference.torch.heads import EncoderOutput, Head
from reference.torch.layers import LayerNorm, Linear, activation
from reference.torch.masked_sequence.losses import multiclass_loss, multilabel_loss

Vectors = Float[Tensor, "*texts detections hidden"]


class DetectionHead(nn.Module):
    """Linear, GELU, norm, Linear."""

    def __init__(self, hidden: int, labels: int) -> None:
        super().__init__()
        self.dense = Linear(hidden, hidden)
        self.activation = activation("gelu")
        self.norm = LayerNorm(hidden, NORM_EPSILON)
        self.classifier = Linear(hidden, labels)

    def forward(
        self, vectors: Float[Tensor, "*texts detections hidden"]
    ) -> Float[Tensor, "*texts detections labels"]:
        return self.classifier(self.norm(self.activation(self.dense(vectors))))


def span_vectors(hidden: Float[Tensor, "*batch tokens hidden"], inputs: Inputs) -> Vectors:
    """A vector for each detection, from those of some of its tokens."""
    if inputs.spans is None:
        raise InputError("mask_indices is missing: at which tokens are the detections?")
    tokens = hidden.reshape(-1, hidden.shape[-1])[inputs.spans]
    return (tokens * inputs.shares.to(hidden.dtype).unsqueeze(-1)).sum(-2)


class MaskedSequence(Head):
    """Scores over the labels for each detection, on the encoder of any family."""

    def __init__(self, config: EncoderConfig, encoder: nn.Module) -> None:
        self.base = config.detections.base
        super().__init__(config, encoder)
        self.detection_head = DetectionHead(config.hidden_size, config.num_labels)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[Tensor, "*texts detections labels"]:
        return self.detection_head(span_vectors(outputs.last_hidden_state, inputs))

    def loss(
        self,
        logits: Float[Tensor, "*texts detections labels"],
        labels: Num[Tensor, "..."],
    ) -> Float[Tensor, ""]:
        """Where no detection counts it is zero, and so are its gradients."""
        on_it = self.config.detections
        weights = on_it.class_weights and logits.new_tensor(on_it.class_weights)
        if self.config.problem_type == "single_label_classification":
            return multiclass_loss(logits, labels, weights)
        pos_weight = on_it.pos_weight and logits.new_tensor(on_it.pos_weight)
        return multilabel_loss(logits, labels, pos_weight, weights)
