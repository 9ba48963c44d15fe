"""The weights that a model begins with before it has learned anything, as Transformers draws
them."""

from __future__ import annotations

import math
import zlib

import numpy as np

from reference.architectures import Architecture, architecture_for, expected_shapes
from reference.checks import check_whole
from reference.config import EncoderConfig, ModernBertConfig

# RoBERTa counts positions from the padding's id on, and keeps that position for pads.
_ROBERTA_PADDED = ("word_embeddings.weight", "position_embeddings.weight")


def initial_tensors(
    config: EncoderConfig,
    architecture: Architecture | None = None,
    seed: int = 0,
    pooler: bool = False,
) -> dict[str, np.ndarray]:
    """Key -> float32 array for every tensor of the architecture, by default of the one that the
    config names.

    Norms begin as the identity, biases at zero, and everything else is normally distributed:
    BERT's with one standard deviation for all, ModernBERT's truncated, and narrower where a
    layer writes to the residual stream, so that the sum of all layers begins no larger than one
    of them. Each tensor has a generator of its own, which its name
    seeds: what it begins with does not depend on what else there is.
    """
    seed = check_whole("seed", seed, 0)
    architecture = architecture or architecture_for(config)
    needs_pooler = pooler or architecture.name == "BertForSequenceClassification"
    shapes = expected_shapes(config, architecture, needs_pooler)
    return {key: _initial(key, shape, config, seed) for key, shape in shapes.items()}


def _initial(key: str, shape: tuple[int, ...], config: EncoderConfig, seed: int) -> np.ndarray:
    if key.endswith("bias"):
        return np.zeros(shape, np.float32)
    if len(shape) == 1:  # of matrices and vectors only a norm's scale is a vector and no bias
        return np.ones(shape, np.float32)
    generator = np.random.default_rng([seed, zlib.crc32(key.encode())])
    if isinstance(config, ModernBertConfig):
        # Transformers truncates at three where the configuration says nothing
        # (ModernBertPreTrainedModel).
        return _normal(
            generator,
            shape,
            _modernbert_std(key, config),
            config.initializer_cutoff_factor or 3.0,
        )
    values = _normal(generator, shape, config.initializer_range, math.inf)
    padded = ("word_embeddings.weight",) if config.model_type == "bert" else _ROBERTA_PADDED
    if key.endswith(padded) and config.pad_token_id is not None:
        values[config.pad_token_id] = 0
    return values


def _modernbert_std(key: str, config: ModernBertConfig) -> float:
    """ModernBertPreTrainedModel._init_weights, by a tensor's name."""
    if key.startswith("classifier."):
        return config.hidden_size**-0.5
    if key.endswith(".Wo.weight") or key.startswith(("head.dense.", "decoder.")):
        return config.initializer_range / math.sqrt(2 * config.num_hidden_layers)
    return config.initializer_range


def _normal(
    generator: np.random.Generator, shape: tuple[int, ...], std: float, cutoff: float
) -> np.ndarray:
    """Normally distributed; what lies further out than `cutoff` standard deviations is drawn
    again."""
    values = generator.standard_normal(shape)
    while (outside := np.abs(values) > cutoff).any():
        values[outside] = generator.standard_normal(np.count_nonzero(outside))
    return (std * values).astype(np.float32)
