"""The gate for arrays of one's own."""

import numpy as np

from reference.parity.arrays import compare_arrays
from reference.parity.report import Report

TRUTH = {"mean": np.array([1.0, -3.0]), "max": np.array([[2.0]])}
NOISY = {"mean": np.array([1.0, -3.0 + 1e-5]), "max": np.array([[2.0]])}


def test_twice_the_error_of_transformers_passes_and_more_does_not():
    right = {"mean": np.array([1.0 + 1.9e-5, -3.0]), "max": np.array([[2.0 + 1e-6]])}
    wrong = right | {"mean": np.array([1.0, -3.0 - 2.1e-5])}
    report = compare_arrays("two arrays", TRUTH, NOISY, {"torch": right, "mlx": wrong})
    assert [(row.backend, row.tensor, row.passed) for row in report.rows] == [
        ("torch", "mean", True),
        ("torch", "max", True),
        ("mlx", "mean", False),
        ("mlx", "max", True),
    ]
    assert "error against Transformers in float64" in str(report)
    theirs = compare_arrays("two arrays", TRUTH, NOISY, {"torch": right}, oracle="a book")
    assert "error against a book in float64" in str(Report.from_dict(theirs.to_dict()))
    assert not report.passed and report.first_divergence["torch"] is None
    assert "mean" in str(report.first_divergence["mlx"])
