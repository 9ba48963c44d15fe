"""How far from the oracle is too far: noise floors, measured where that is possible, and the gate over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reference.parity.report import Row

# Spacing of each dtype's numbers just above 1.
EPSILONS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}

# A floor is never below this many epsilons of the tensor's largest value: a small tensor may be right to the last
# digit by luck, and a port that rounds once more is no worse for it.
LEAST_EPSILONS = 4

# A port may be twice as far from the truth as Transformers is in the same dtype.
FACTOR = 2.0

# In float64 the oracle is no measure of its own error, so the gate is a share of the tensor's largest value. Torch and
# candle compute in full; MLX evaluates erf and exp in single precision even there (it is 4e-7 off in practice).
FLOAT64_TOLERANCE = {"mlx": 1e-5}
FLOAT64_DEFAULT = 1e-10
FLOAT64_ARITHMETIC = {"mlx": EPSILONS["float32"]}


@dataclass(frozen=True)
class Gate:
    """The noise floor of every tensor, and how many times over it a port may be."""

    floors: Mapping[str, float]
    factor: float

    def row(self, backend: str, tensor: str, found: np.ndarray | None, truth: np.ndarray) -> Row:
        """Hold one tensor against the oracle, element by element; a missing or misshapen one is infinitely wrong."""
        fits = found is not None and found.shape == truth.shape
        worst, floor = error(found, truth) if fits else float("inf"), self.floors[tensor]
        ratio = 0.0 if worst == 0 else float(np.divide(worst, floor, where=floor > 0, out=np.array(np.inf)))
        return Row(backend, tensor, worst, floor, ratio, passed=bool(ratio <= self.factor))


def error(found: np.ndarray, truth: np.ndarray) -> float:
    """The largest difference; NaN and infinity in `found` are infinitely wrong."""
    if found.size == 0:
        return 0.0
    difference = np.abs(found.astype(np.float64) - truth)
    return float(difference.max()) if np.isfinite(difference).all() else float("inf")


def measured_gate(truth: Mapping[str, np.ndarray], noisy: Mapping[str, np.ndarray], dtype: str) -> Gate:
    """Floors from Transformers' own error in `dtype`."""
    least = LEAST_EPSILONS * EPSILONS[dtype]
    largest = _largest_gradient(truth)
    floors = {}
    for name, tensor in truth.items():
        scale = max(_magnitude(tensor), largest if is_gradient(name) else 0.0)
        floors[name] = max(error(noisy[name], tensor), least * scale)
    return Gate(floors, FACTOR)


def float64_gate(truth: Mapping[str, np.ndarray], backend: str) -> Gate:
    """Floors as a share of each tensor's largest value; the gate is the floor itself."""
    tolerance = FLOAT64_TOLERANCE.get(backend, FLOAT64_DEFAULT)
    # Some gradients, a key bias's for one, are zero but for rounding of terms as large as the other gradients.
    least = 64 * FLOAT64_ARITHMETIC.get(backend, EPSILONS["float64"]) * _largest_gradient(truth)
    floors = {
        name: max(tolerance * _magnitude(tensor), least if is_gradient(name) else 0.0) for name, tensor in truth.items()
    }
    return Gate(floors, 1.0)


def is_gradient(name: str) -> bool:
    return name.startswith("gradients.")


def _largest_gradient(truth: Mapping[str, np.ndarray]) -> float:
    return max((_magnitude(tensor) for name, tensor in truth.items() if is_gradient(name)), default=0.0)


def _magnitude(tensor: np.ndarray) -> float:
    return float(np.abs(tensor).max()) if tensor.size else 0.0
