"""Bugs around a model: in what it is handed and in what is made of its results. They can be
seeded in every port."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reference.backend import Model
from reference.inputs import Inputs
from reference.masking import IGNORED
from reference.parity.faults.fault import Fault


class Around:
    """A model with something around it; what a fault does not touch passes through."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


class MaskDropped(Around):
    def forward(self, inputs: Inputs, states: bool = False) -> dict[str, Any]:
        return self.model.forward(replace(inputs, attention_mask=None), states)

    def trace(self, inputs: Inputs, operations: Any) -> dict[str, np.ndarray]:
        return self.model.trace(replace(inputs, attention_mask=None), operations)


class TypesIgnored(Around):
    def forward(self, inputs: Inputs, states: bool = False) -> dict[str, Any]:
        return self.model.forward(replace(inputs, token_type_ids=None), states)

    def trace(self, inputs: Inputs, operations: Any) -> dict[str, np.ndarray]:
        return self.model.trace(replace(inputs, token_type_ids=None), operations)


class PadsInTheMean(Around):
    def embed(self, inputs: Inputs, ways: Any, normalize: bool) -> np.ndarray:
        lengths = np.diff(inputs.cu_seqlens)
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        padded, types = np.zeros_like(mask), np.zeros_like(mask)
        padded[mask == 1], types[mask == 1] = inputs.input_ids, inputs.token_type_ids
        hidden = self.model.forward(Inputs(padded, mask, types))["last_hidden_state"]
        vectors = hidden.mean(axis=1)
        length = np.linalg.norm(vectors, axis=-1, keepdims=True)
        return vectors / length if normalize else vectors


class PoolingIgnored(Around):
    def embed(self, inputs: Inputs, ways: Any, normalize: bool) -> np.ndarray:
        return self.model.embed(inputs, ("mean",), normalize)


class SquaredNorm(Around):
    def embed(self, inputs: Inputs, ways: Any, normalize: bool) -> np.ndarray:
        vectors = self.model.embed(inputs, ways, False)
        return vectors / np.square(vectors).sum(axis=-1, keepdims=True)


class SoftmaxForLogits(Around):
    def forward(self, inputs: Inputs, states: bool = False) -> dict[str, Any]:
        outputs = self.model.forward(inputs, states)
        logits = outputs["logits"]
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return outputs | {"logits": weights / weights.sum(axis=-1, keepdims=True)}


class IgnoreIndexForgotten(Around):
    def gradients(
        self, inputs: Inputs, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        return self.model.gradients(inputs, np.where(labels == IGNORED, 0, labels))


class MeanOverAllLabels(Around):
    def gradients(
        self, inputs: Inputs, labels: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        loss, gradients = self.model.gradients(inputs, labels)
        share = float((labels != IGNORED).mean())
        return loss * share, {k: array * np.float32(share) for k, array in gradients.items()}


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
