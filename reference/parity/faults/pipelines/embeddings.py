"""Bugs between a text's tokens and its vector, and between two vectors and their score."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reference.inputs import pad
from reference.parity.faults.fault import Patch
from reference.parity.faults.pipelines.fault import PipelineFault, Pipelines
from reference.sentence import SentenceSettings
from reference.sentence.modules import Dense, Normalize

Patches = Callable[[Pipelines], list[Patch]]


def _settings(change: Callable[[SentenceSettings, int], SentenceSettings]) -> Patches:
    """Other settings than the folder's; the number is that of the model's hidden size."""

    def patches(code: Pipelines) -> list[Patch]:
        plain = code.vectors.read_sentence_settings

        def read(folder: Any, hidden_size: int, usual: Any = None) -> SentenceSettings:
            return change(plain(folder, hidden_size, usual), hidden_size)

        return [(code.vectors, "read_sentence_settings", read)]

    return patches


def _without_dense(settings: SentenceSettings, hidden_size: int) -> SentenceSettings:
    kept = tuple(module for module in settings.modules if not isinstance(module, Dense))
    return replace(settings, modules=kept, size=hidden_size * len(settings.pooling))


def _without_prompts(settings: SentenceSettings, _: int) -> SentenceSettings:
    return replace(settings, prompts=dict.fromkeys(settings.prompts, ""))


def _padded(pool: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Patches:
    """A batch with padding, whose hidden states [batch, tokens, hidden] and mask [batch,
    tokens] are pooled in this way."""

    def patches(code: Pipelines) -> list[Patch]:
        def embed(self: Any, sequences: Any, wanted: Any, skip: int) -> np.ndarray:
            ids, mask = pad(sequences, self.config.pad_token_id or 0)
            pooled = pool(self.forward(ids, mask)["last_hidden_state"], mask)
            return wanted.finish(Normalize()(pooled) if wanted.unit_first else pooled)

        return [(code.vectors.Vectors, "_embed", embed)]

    return patches


def _unit_before_the_cut(code: Pipelines) -> list[Patch]:
    plain = code.wanted.Wanted.finish

    def finish(self: Any, vectors: np.ndarray) -> np.ndarray:
        return plain(replace(self, size=sys.maxsize), vectors)[:, : self.size]

    return [(code.wanted.Wanted, "finish", finish)]


def _pads_in_the_sum_of_maxima(code: Pipelines) -> list[Patch]:
    def max_sim(texts: Sequence[np.ndarray], references: Sequence[np.ndarray]) -> np.ndarray:
        longest = max(map(len, references))
        padded = [np.pad(tokens, ((0, longest - len(tokens)), (0, 0))) for tokens in references]
        best = [[(text @ tokens.T).max(axis=1) for tokens in padded] for text in texts]
        return np.array([[row.sum() for row in rows] for rows in best], np.float32)

    return [(code.similarity, "max_sim", max_sim)]


FAULTS = (
    PipelineFault(
        "pooling_ignored",
        "encode",
        "the mean of all tokens where 1_Pooling asks for [CLS]",
        _settings(lambda settings, _: replace(settings, pooling=("mean",))),
    ),
    PipelineFault(
        "dense_left_out",
        "encode",
        "the pooled vector returned, before the module Dense that modules.json has after it",
        _settings(_without_dense),
    ),
    PipelineFault(
        "prompt_forgotten",
        "encode",
        "texts without the words, query: for one, that the model has learned to see there",
        _settings(_without_prompts),
    ),
    PipelineFault(
        "unit_before_the_cut",
        "encode",
        "vectors scaled to length one and then cut: their dot products are no cosines any more",
        _unit_before_the_cut,
    ),
    PipelineFault(
        "pad_for_the_last_token",
        "encode",
        "the vector in the last column of the batch, a pad's in every text but the longest",
        _padded(lambda hidden, mask: hidden[:, -1]),
    ),
    PipelineFault(
        "pads_in_the_maximum",
        "encode",
        "pads set to zero before the maximum is taken, which is then never negative",
        _padded(lambda hidden, mask: (hidden * mask[..., None]).max(axis=1)),
    ),
    PipelineFault(
        "pads_in_the_sum_of_maxima",
        "similarity",
        "MaxSim over pads that were set to zero: where all real tokens are unlike, a pad wins",
        _pads_in_the_sum_of_maxima,
    ),
)
