"""The gate for arrays of one's own: one step of a model, a new pooling, anything with a truth
to hold it against."""

from __future__ import annotations

from collections.abc import Mapping

from reference.parity.divergence import first_divergence
from reference.parity.gate import Tally, Tensors, factor, noise_floors
from reference.parity.report import Report


def compare_arrays(
    title: str,
    truth: Tensors,
    noisy: Tensors,
    found: Mapping[str, Tensors],
    dtype: str = "float32",
    oracle: str = "Transformers",
) -> Report:
    """Hold arrays, by backend and then by name, against the truth by the noise floor.

    truth: what the oracle gives in float64.
    noisy: what it gives in `dtype`; its error is the noise floor.
    oracle: who that is, for the report's title.
    """
    floors = noise_floors(truth, noisy, dtype)
    rows, divergences = [], {}
    for backend, arrays in found.items():
        tally = Tally(backend, dtype)
        tally.add(arrays, truth, floors)
        rows += tally.rows()
        divergences[backend] = first_divergence(tally.rows(), {})
    return Report(title, dtype, factor(dtype), tuple(rows), divergences, oracle=oracle)
