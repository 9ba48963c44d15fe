"""Sentence embeddings as the folder describes them, computed from the oracle's hidden states:
the reading and the arithmetic are written here once more, apart from the pipeline's."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from reference.checkpoint import Checkpoint
from reference.errors import CheckpointError
from reference.files import read_json


def sentence_embeddings(
    checkpoint: Checkpoint, hidden: np.ndarray, real: np.ndarray
) -> np.ndarray:
    """One vector a text as modules.json describes it, in the dtype of the hidden states."""
    modules = read_modules(checkpoint)
    vectors = np.stack(
        [
            _pool(row[its_real], modules["Pooling"])
            for row, its_real in zip(hidden, real, strict=True)
        ]
    )
    if list(modules)[2:3] == ["Normalize"]:  # what a port does; the pipeline does the rest
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return vectors


def read_modules(checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """Kind of each module of modules.json -> its settings; read here once more, apart from the
    pipeline's reading."""
    folder = checkpoint.home
    path = folder / "modules.json"
    modules = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    settings = {}
    for module in modules:
        kind, its_config = (
            module["type"].rsplit(".", 1)[-1],
            folder / module["path"] / "config.json",
        )
        settings[kind] = read_json(its_config, CheckpointError) if kind == "Pooling" else {}
    return settings


def _pool(tokens: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """One text's real tokens [tokens, hidden] to one vector, the poolings side by side."""
    places = np.arange(1, len(tokens) + 1, dtype=tokens.dtype)
    ways = {
        "cls": ("pooling_mode_cls_token", lambda: tokens[0]),
        "max": ("pooling_mode_max_tokens", lambda: tokens.max(axis=0)),
        "mean": ("pooling_mode_mean_tokens", lambda: tokens.mean(axis=0)),
        "mean_sqrt_len_tokens": (
            "pooling_mode_mean_sqrt_len_tokens",
            lambda: tokens.sum(axis=0) / np.sqrt(places[-1]),
        ),
        "weightedmean": (
            "pooling_mode_weightedmean_tokens",
            lambda: np.average(tokens, axis=0, weights=places),
        ),
        "lasttoken": ("pooling_mode_lasttoken", lambda: tokens[-1]),
    }
    named = settings.get("pooling_mode")
    chosen = [named] if isinstance(named, str) else named
    if chosen is None:
        chosen = [way for way, (switch, _) in ways.items() if settings.get(switch)] or ["mean"]
    return np.concatenate([ways[way][1]() for way in chosen])
