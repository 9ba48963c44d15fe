"""Bugs between the last hidden state and a text's vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.inputs import Inputs
from reference.parity.faults.fault import Fault
from reference.parity.faults.seeding import Around


class PadsInTheMean(Around):
    def embed(self, inputs: Inputs, ways: Any, normalize: bool, skip: int = 0) -> np.ndarray:
        lengths = np.diff(inputs.cu_seqlens)
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        padded, types = np.zeros_like(mask), np.zeros_like(mask)
        padded[mask == 1], types[mask == 1] = inputs.input_ids, inputs.token_type_ids
        hidden = self.model.forward(Inputs(padded, mask, types))["last_hidden_state"]
        vectors = hidden.mean(axis=1)
        length = np.linalg.norm(vectors, axis=-1, keepdims=True)
        return vectors / length if normalize else vectors


class PoolingIgnored(Around):
    def embed(self, inputs: Inputs, ways: Any, normalize: bool, skip: int = 0) -> np.ndarray:
        return self.model.embed(inputs, ("mean",), normalize, skip)


class SquaredNorm(Around):
    def embed(self, inputs: Inputs, ways: Any, normalize: bool, skip: int = 0) -> np.ndarray:
        vectors = self.model.embed(inputs, ways, False, skip)
        return vectors / np.square(vectors).sum(axis=-1, keepdims=True)


FAULTS = (
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
)
