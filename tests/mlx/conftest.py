"""What the tests of the MLX port share: both Python ports of one random model, and how close
two results must be."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

import reference.mlx  # noqa: F401  (before any test module imports mlx.core, so that BLAS is the fast one)
from reference import backend
from reference.families import ARCHITECTURES, EncoderConfig

EPSILON = float(np.finfo(np.float32).eps)


@pytest.fixture(scope="session")
def close() -> Callable[..., None]:
    """Assert that no element differs by more than some float32 epsilons of the largest one."""

    def check(
        actual: object, expected: object, epsilons: float = 8, least: float = 0.0
    ) -> None:
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert actual.shape == expected.shape
        scale = max(np.abs(expected).max(initial=0), least)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=epsilons * EPSILON * scale)

    return check


@pytest.fixture(scope="session")
def within_the_floor() -> Callable[..., None]:
    """Assert that a float32 result is no further from the float64 one than twice PyTorch's
    float32 result is."""

    def check(
        actual: np.ndarray, float32: np.ndarray, float64: np.ndarray, scale: float = 0.0
    ) -> None:
        assert actual.shape == float64.shape
        least = 4 * EPSILON * max(np.abs(float64).max(initial=0), scale)
        floor = max(np.abs(float32 - float64).max(initial=0), least)
        assert np.abs(actual - float64).max(initial=0) <= 2 * floor

    return check


@pytest.fixture(scope="session")
def build() -> Callable[..., backend.Model]:
    """A model of random weights, the same ones for every port and dtype: build("mlx", config,
    "BertModel")."""

    def make(
        port: str, config: EncoderConfig, architecture: str, dtype: str = "float32"
    ) -> backend.Model:
        random = np.random.default_rng(5)
        kind = ARCHITECTURES[architecture]
        shapes = kind.shapes(config, pooler=kind.task.name == "base" or kind.has_pooler())
        tensors = {
            key: random.normal(0, 0.3, shape).astype(np.float32)
            for key, shape in shapes.items()
        }
        return backend.build(port, config, architecture, tensors, dtype)

    return make


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., EncoderConfig]:
    """A small configuration, of the family that the architecture belongs to."""

    def make(architecture: str = "BertModel", **changes: object) -> EncoderConfig:
        sizes = {
            "vocab_size": 50,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "intermediate_size": 40,
            "max_position_embeddings": 80,
            "id2label": {0: "a", 1: "b", 2: "c"},
        }
        family = ARCHITECTURES[architecture].family
        known = {field.name for field in dataclasses.fields(family.config)}
        sizes = {key: value for key, value in sizes.items() if key in known - {"hidden_size"}}
        own = family.tiny | sizes | ({} if "towers" in known else {"hidden_size": 24})
        return family.config(**own | changes)

    return make


@pytest.fixture(scope="session")
def draw_batch() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Ids and mask of texts of these lengths, padded on either side; 0 and 1 are kept for
    padding."""

    def make(
        lengths: list[int], pad: int = 0, left: bool = False, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(seed)
        longest = max(lengths)
        mask = (np.arange(longest) < np.array(lengths)[:, None]).astype(np.int64)
        mask = mask[:, ::-1].copy() if left else mask
        return np.where(mask == 1, random.integers(2, 50, mask.shape), pad), mask

    return make
