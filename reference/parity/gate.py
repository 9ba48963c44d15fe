"""How far from the oracle is too far: noise floors, measured where that is possible, and the
gate over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from reference.errors import InputError
from reference.parity.report import Row

# Spacing of each dtype's numbers just above 1; of int8, in which factors are rounded and their
# products are not, that of the sums.
EPSILONS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
EPSILONS["int8"] = EPSILONS["float32"]

# A floor is never below this many epsilons of the tensor's largest value: a small tensor may be
# right to the last digit by luck, and a port that rounds once more is no worse for it.
LEAST_EPSILONS = 4

# A port may be twice as far from the truth as Transformers is in the same dtype.
FACTOR = 2.0

# In float64 the oracle is no measure of its own error, so the gate is a share of the tensor's
# largest value. Torch and candle compute in full; MLX evaluates erf and exp in single precision
# even there (it is 4e-7 off in practice).
FLOAT64_TOLERANCE = {"mlx": 1e-5}
FLOAT64_DEFAULT = 1e-10
FLOAT64_ARITHMETIC = {"mlx": EPSILONS["float32"]}

# So many differences are in memory at once: the gradient of a table of words has millions of
# numbers, and what does not fit a cache takes four times as long.
BLOCK = 2**15

Tensors = Mapping[str, np.ndarray]


def noise_floors(truth: Tensors, noisy: Tensors, dtype: str) -> dict[str, float]:
    """Transformers' own error in `dtype`, tensor by tensor."""
    least = LEAST_EPSILONS * EPSILONS[dtype]
    magnitudes = _magnitudes(truth)
    largest = _largest_gradient(magnitudes)
    floors = {}
    for name, tensor in truth.items():
        measured = error(noisy[name], tensor)
        if not np.isfinite(measured):
            trouble = f"Transformers itself gives NaN or infinity in {dtype} ({name})"
            raise InputError(f"{trouble}; there is no error to measure a port by")
        scale = max(magnitudes[name], largest if is_gradient(name) else 0.0)
        floors[name] = max(measured, least * scale)
    return floors


def float64_floors(truth: Tensors, backend: str) -> dict[str, float]:
    """A share of each tensor's largest value."""
    tolerance = FLOAT64_TOLERANCE.get(backend, FLOAT64_DEFAULT)
    magnitudes = _magnitudes(truth)
    # Some gradients, a key bias's for one, are zero but for the rounding of terms as large as
    # other gradients.
    arithmetic = FLOAT64_ARITHMETIC.get(backend, EPSILONS["float64"])
    least = 64 * arithmetic * _largest_gradient(magnitudes)
    return {
        name: max(tolerance * magnitude, least if is_gradient(name) else 0.0)
        for name, magnitude in magnitudes.items()
    }


class Tally:
    """The largest error and the largest floor of each tensor of a backend, over the batches
    that were added.

    A floor from one batch is one draw of a rounding error, and now and then it is small by
    luck: Transformers' eager attention fails the gate that its sdpa attention sets in one to
    three of a hundred small models. Over several batches both sides of the comparison are
    largest values of more draws, and luck evens out, for gradients and losses as well.
    """

    def __init__(self, backend: str, dtype: str) -> None:
        self.backend = backend
        self.factor = factor(dtype)
        self.errors: dict[str, float] = {}
        self.floors: dict[str, float] = {}

    def add(self, found: Tensors, truth: Tensors, floors: Mapping[str, float]) -> None:
        """Hold tensors against the oracle, element by element; one that is missing is
        infinitely wrong."""
        for name, tensor in truth.items():
            worst = error(found[name], tensor) if name in found else float("inf")
            self.errors[name] = max(worst, self.errors.get(name, 0.0))
            self.floors[name] = max(floors[name], self.floors.get(name, 0.0))

    def rows(self) -> list[Row]:
        return [
            self._row(name, worst, self.floors[name]) for name, worst in self.errors.items()
        ]

    def _row(self, tensor: str, worst: float, floor: float) -> Row:
        ratio = worst / floor if floor > 0 else (0.0 if worst == 0 else float("inf"))
        return Row(self.backend, tensor, worst, floor, ratio, passed=ratio <= self.factor)


def factor(dtype: str) -> float:
    return 1.0 if dtype == "float64" else FACTOR


def error(found: np.ndarray, truth: np.ndarray) -> float:
    """The largest difference. NaN, infinity and another shape are infinitely wrong."""
    if np.shape(found) != truth.shape:
        return float("inf")
    differences = _blockwise_differences(found.ravel(), truth.ravel())
    worst = float(np.max([_magnitude(some) for some in differences], initial=0.0))
    return worst if np.isfinite(worst) else float("inf")


def _blockwise_differences(found: np.ndarray, truth: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, truth.size, BLOCK):
        some = slice(first, first + BLOCK)
        yield found[some].astype(np.float64) - truth[some]


def is_gradient(name: str) -> bool:
    return name.startswith("gradients.")


def is_traced(name: str) -> bool:
    return name.startswith("trace.")


def _magnitudes(truth: Tensors) -> dict[str, float]:
    return {name: _magnitude(tensor) for name, tensor in truth.items()}


def _largest_gradient(magnitudes: Mapping[str, float]) -> float:
    return max((size for name, size in magnitudes.items() if is_gradient(name)), default=0.0)


def _magnitude(tensor: np.ndarray) -> float:
    """The largest absolute value, without an array of them."""
    # Adding zero makes -0.0, which the largest of zeros may be, a zero that reads as one.
    return float(np.maximum(tensor.max(), -tensor.min())) + 0.0 if tensor.size else 0.0
