"""Small models with random weights in which every part matters, so that a comparison leaves a port nothing to hide."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from reference.architectures import ARCHITECTURES
from reference.errors import ConfigError
from reference.parity.oracle import quiet

SIZES = {
    "vocab_size": 61,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 80,
    "type_vocab_size": 2,
}


def random_checkpoint(folder: Path, architecture: str = "BertModel", seed: int = 0, **config: Any) -> Path:
    """Build the architecture in Transformers, draw its weights and save it with save_pretrained."""
    if architecture not in ARCHITECTURES:
        raise ConfigError(f"architecture {architecture!r} is unknown; it is one of {', '.join(ARCHITECTURES)}")
    model_class = getattr(transformers, architecture)
    model = model_class(model_class.config_class(**SIZES | config))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(draw(key, tuple(parameter.shape), seed)))
    with quiet():
        model.save_pretrained(folder)
    return folder


def draw(key: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Random values for one parameter, the same wherever it stands in the model.

    As drawn for training, biases are 0, norms are 1 and attention is nearly even: leaving one of them out would
    hardly show. Here a weight keeps the size of what passes through it, so that scores of attention differ by about
    one, and biases and norms are far from neutral.
    """
    digest = hashlib.sha256(f"{seed} {key}".encode()).digest()
    values = np.random.default_rng(list(digest)).standard_normal(shape)
    if "embeddings." in key and len(shape) == 2:
        return values
    if len(shape) == 2:
        return values / np.sqrt(shape[1])
    neutral = 1.0 if key.endswith(("LayerNorm.weight", "layer_norm.weight")) else 0.0
    return neutral + 0.3 * values
