"""What is on the encoder: a vector for each detection, and scores of it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class DetectionHead(nn.Module):
    """Linear, GELU, norm, Linear."""

    def __init__(self, hidden: int, labels: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.classifier = nn.Linear(hidden, labels)

    def forward(
        self, vectors: Float[Tensor, "*batch detections hidden"]
    ) -> Float[Tensor, "*batch detections labels"]:
        return self.classifier(self.norm(nn.functional.gelu(self.dense(vectors))))


def pooled(
    hidden: Float[Tensor, "batch tokens hidden"],
    first: Int[Tensor, "batch detections"],
    last: Int[Tensor, "batch detections"] | None,
    way: str,
) -> Float[Tensor, "batch detections hidden"]:
    """A vector for each detection, from its first token to its last."""

    def at(places: Tensor) -> Tensor:
        return hidden.gather(1, places[..., None].expand(-1, -1, hidden.shape[-1]))

    if last is None or way == "first":
        return at(first)
    if way == "first_last":
        return (at(first) + at(last)) / 2
    places = torch.arange(hidden.shape[1], device=hidden.device)
    inside = (places >= first[..., None]) & (places <= last[..., None])
    shares = inside.to(hidden.dtype) / inside.sum(-1, keepdim=True).clamp(min=1)
    return shares @ hidden
