"""The MLX losses on inputs large enough for float32 sums to go wrong."""

import mlx.core as mx
import numpy as np

from reference.mlx.losses import binary_cross_entropy, mean_squared_error


def test_means_over_many_numbers_keep_their_digits():
    """A flat mean over 100,000 numbers is off by 1e-5 here; six halvings of a float32 ulp are allowed."""
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((2, 256, 384)).astype("float32")
    exact = np.square(a.astype("f8") - b).mean()
    assert abs(mean_squared_error(mx.array(a), mx.array(b)).item() - exact) < 8 * 2**-23 * exact
    yes = (b > 0).astype("float32")
    exact = (np.logaddexp(0, a.astype("f8")) - a.astype("f8") * yes).mean()
    assert abs(binary_cross_entropy(mx.array(a), mx.array(yes)).item() - exact) < 8 * 2**-23 * exact
