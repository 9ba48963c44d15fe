"""Bugs around a model: in what it is handed and in what is made of its results. They can be
seeded in every port."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.backend import Model
from reference.masking import IGNORED
from reference.parity.faults.fault import Fault


class Around:
    """A model with something around it; what a fault does not touch passes through."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


class MaskDropped(Around):
    def forward(self, ids: Any, mask: Any, types: Any, states: bool) -> dict[str, Any]:
        return self.model.forward(ids, None, types, states)

    def trace(self, ids: Any, mask: Any, types: Any) -> dict[str, np.ndarray]:
        return self.model.trace(ids, None, types)


class TypesIgnored(Around):
    def forward(self, ids: Any, mask: Any, types: Any, states: bool) -> dict[str, Any]:
        return self.model.forward(ids, mask, None, states)

    def trace(self, ids: Any, mask: Any, types: Any) -> dict[str, np.ndarray]:
        return self.model.trace(ids, mask, None)


class PadsInTheMean(Around):
    def embed(
        self, ids: Any, cu_seqlens: Any, types: Any, ways: Any, normalize: bool
    ) -> np.ndarray:
        lengths = np.diff(cu_seqlens)
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        padded, padded_types = np.zeros_like(mask), np.zeros_like(mask)
        padded[mask == 1], padded_types[mask == 1] = ids, types
        vectors = self.model.forward(padded, mask, padded_types, False)[
            "last_hidden_state"
        ].mean(axis=1)
        return (
            vectors / np.linalg.norm(vectors, axis=-1, keepdims=True) if normalize else vectors
        )


class PoolingIgnored(Around):
    def embed(
        self, ids: Any, cu_seqlens: Any, types: Any, ways: Any, normalize: bool
    ) -> np.ndarray:
        return self.model.embed(ids, cu_seqlens, types, ("mean",), normalize)


class SquaredNorm(Around):
    def embed(
        self, ids: Any, cu_seqlens: Any, types: Any, ways: Any, normalize: bool
    ) -> np.ndarray:
        vectors = self.model.embed(ids, cu_seqlens, types, ways, False)
        return vectors / np.square(vectors).sum(axis=-1, keepdims=True)


class SoftmaxForLogits(Around):
    def forward(self, ids: Any, mask: Any, types: Any, states: bool) -> dict[str, Any]:
        outputs = self.model.forward(ids, mask, types, states)
        weights = np.exp(outputs["logits"] - outputs["logits"].max(axis=-1, keepdims=True))
        return outputs | {"logits": weights / weights.sum(axis=-1, keepdims=True)}


class IgnoreIndexForgotten(Around):
    def gradients(
        self, ids: Any, mask: Any, types: Any, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        return self.model.gradients(ids, mask, types, np.where(labels == IGNORED, 0, labels))


class MeanOverAllLabels(Around):
    def gradients(
        self, ids: Any, mask: Any, types: Any, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        loss, gradients = self.model.gradients(ids, mask, types, labels)
        share = float((labels != IGNORED).mean())
        return loss * share, {
            key: array * np.float32(share) for key, array in gradients.items()
        }


FAULTS = (
    Fault(
        "mask_dropped",
        "a batch that attends to its padding: right for one text, wrong for two of different "
        "length",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.self \(",
        around=MaskDropped,
    ),
    Fault(
        "token_types_ignored",
        "every token is of the first type: right until a pair of texts comes",
        departs=r"^embeddings \(",
        around=TypesIgnored,
    ),
    Fault(
        "pads_inside_the_mean",
        "the mean over all positions, padded ones included",
        departs=r"^sentence_embedding;",
        settings={"pooling": "mean"},
        around=PadsInTheMean,
    ),
    Fault(
        "pooling_config_ignored",
        "mean pooling where 1_Pooling/config.json asks for [CLS]",
        departs=r"^sentence_embedding;",
        settings={"pooling": "cls"},
        around=PoolingIgnored,
    ),
    Fault(
        "normalize_squared",
        "vectors divided by the square of their length: every cosine is right, no length is",
        departs=r"^sentence_embedding;",
        settings={"pooling": "mean", "normalize": True},
        around=SquaredNorm,
    ),
    Fault(
        "softmax_for_logits",
        "probabilities returned where raw scores are promised; the best label is the same",
        departs=r"^logits;",
        architecture="BertForSequenceClassification",
        around=SoftmaxForLogits,
    ),
    Fault(
        "ignored_labels_counted",
        "cross entropy takes the label -100 for class 0",
        departs=r"^loss;",
        architecture="BertForTokenClassification",
        around=IgnoreIndexForgotten,
    ),
    Fault(
        "mean_over_all_labels",
        "the loss divided by all positions, not by those that have a label",
        departs=r"^loss;",
        architecture="BertForMaskedLM",
        around=MeanOverAllLabels,
    ),
)
