"""The weights that a model begins with before it has learned anything, as Transformers draws
them where it has such a model."""

from __future__ import annotations

import zlib

import numpy as np

from reference.checks import check_whole
from reference.families import Architecture, architecture_for
from reference.families.config import EncoderConfig


def initial_tensors(
    config: EncoderConfig,
    architecture: Architecture | None = None,
    seed: int = 0,
    pooler: bool = False,
) -> dict[str, np.ndarray]:
    """Key -> float32 array for every tensor of the architecture, by default of the one that the
    config names.

    Norms begin as the identity, biases at zero, and everything else is normally distributed as
    the family says. Each tensor has a generator of its own, which its name seeds: what it
    begins with does not depend on what else there is.
    """
    seed = check_whole("seed", seed, 0)
    architecture = architecture or architecture_for(config)
    shapes = architecture.shapes(config, pooler or architecture.has_pooler())
    return {
        key: _initial(key, shape, config, architecture, seed) for key, shape in shapes.items()
    }


def _initial(
    key: str,
    shape: tuple[int, ...],
    config: EncoderConfig,
    architecture: Architecture,
    seed: int,
) -> np.ndarray:
    if len(shape) == 1:
        return np.full(shape, architecture.family.first_vector(key, config), np.float32)
    generator = np.random.default_rng([seed, zlib.crc32(key.encode())])
    values = _normal(generator, shape, *architecture.family.first_weight(key, config))
    zero = architecture.family.zero_row(key, config)
    if zero is not None:
        values[zero] = 0
    return values


def _normal(
    generator: np.random.Generator, shape: tuple[int, ...], std: float, cutoff: float
) -> np.ndarray:
    """Normally distributed; what is further out than `cutoff` standard deviations is drawn
    again."""
    values = generator.standard_normal(shape)
    while (outside := np.abs(values) > cutoff).any():
        values[outside] = generator.standard_normal(np.count_nonzero(outside))
    return (std * values).astype(np.float32)
