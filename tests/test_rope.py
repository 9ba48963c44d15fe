"""Rotary positions: the tables against Transformers', the turn, its two forms, and what it is
for."""

import mlx.core as mx
import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.modernbert import modeling_modernbert

import reference.candle.rope
import reference.mlx.rope
import reference.torch.rope


def numbers(array) -> np.ndarray:
    return array.numpy() if isinstance(array, torch.Tensor) else np.array(array)


PORTS = {
    "torch": (reference.torch.rope, torch.tensor),
    "mlx": (reference.mlx.rope, mx.array),
    "candle": (reference.candle.rope, np.asarray),
}
ports = pytest.mark.parametrize(("rope", "array"), PORTS.values(), ids=PORTS)


def tables_of_transformers(
    positions: np.ndarray, head_dim: int, theta: float
) -> tuple[np.ndarray, np.ndarray]:
    config = transformers.ModernBertConfig(
        hidden_size=head_dim,
        num_attention_heads=1,
        rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": theta}},
    )
    embedding = modeling_modernbert.ModernBertRotaryEmbedding(config)
    cos, sin = embedding(torch.zeros(1), torch.from_numpy(positions)[None], "full_attention")
    return cos[0].numpy(), sin[0].numpy()


@ports
@pytest.mark.parametrize("head_dim", [16, 40, 64])
@pytest.mark.parametrize("theta", [100.0, 10_000.0, 160_000.0])
def test_frequencies_are_those_of_transformers_bit_by_bit(rope, array, head_dim, theta):
    """Another last bit would be an angle of 5e-4 at position 8,191, which no noise floor
    allows. 2i / 40 is no number of float32, and it is rounded before the power is taken."""
    config = transformers.ModernBertConfig(
        hidden_size=head_dim,
        num_attention_heads=1,
        rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": theta}},
    )
    expected, _ = modeling_modernbert.ModernBertRotaryEmbedding.compute_default_rope_parameters(
        config, layer_type="full_attention"
    )
    assert (numbers(rope.inverse_frequencies(head_dim, theta)) == expected.numpy()).all()


@ports
@given(
    head_dim=st.integers(1, 64).map(lambda pairs: 2 * pairs),
    theta=st.floats(2, 1e6),
    last=st.integers(0, 9000),
)
def test_tables_are_those_of_transformers_to_the_last_bits(rope, array, head_dim, theta, last):
    """PyTorch's power may be off by a unit in the last place, its reciprocal and ours are
    rounded: a frequency differs by at most 2^-22 of itself, which the position multiplies. The
    product is rounded once more; cos and sin are off by two units in the last place together at
    most, 2^-22."""
    positions = np.arange(max(0, last - 20), last + 1)
    turns = (
        positions[:, None] * reference.torch.rope.inverse_frequencies(head_dim, theta).numpy()
    )
    angle = turns * 2.0**-22 + np.spacing(turns.astype(np.float32))
    bound = np.concatenate([angle, angle], axis=1) + 2.0**-22
    expected = tables_of_transformers(positions, head_dim, theta)
    for found, right in zip(
        rope.rope_tables(array(positions), head_dim, theta), expected, strict=True
    ):
        assert (np.abs(numbers(found) - right) <= bound).all()


@ports
def test_the_turn_is_that_of_transformers(rope, array):
    query = np.random.default_rng(0).standard_normal((1, 3, 9, 16)).astype(np.float32)
    cos, sin = tables_of_transformers(np.arange(9), 16, 100.0)
    expected, _ = modeling_modernbert.apply_rotary_pos_emb(
        *2 * (torch.from_numpy(query),),
        *(torch.from_numpy(table)[None] for table in (cos, sin)),
    )
    np.testing.assert_allclose(
        numbers(rope.apply_rope(array(query), array(cos), array(sin))),
        expected.numpy(),
        atol=1e-6,
    )


@ports
@given(head_dim=st.integers(1, 16).map(lambda pairs: 2 * pairs), seed=st.integers(0, 99))
def test_interleaved_and_half_split_differ_by_a_permutation(rope, array, head_dim, seed):
    x = array(np.random.default_rng(seed).standard_normal((5, head_dim)).astype(np.float32))
    tables = rope.rope_tables(array(np.arange(5)), head_dim, 50.0)
    there_and_back = rope.pairs_to_halves(
        rope.apply_rope_interleaved(rope.halves_to_pairs(x), *tables)
    )
    np.testing.assert_allclose(
        numbers(there_and_back), numbers(rope.apply_rope(x, *tables)), atol=1e-6
    )
    assert (numbers(rope.pairs_to_halves(rope.halves_to_pairs(x))) == numbers(x)).all()
    assert (
        numbers(rope.rotate_pairs(rope.halves_to_pairs(x)))
        == numbers(rope.halves_to_pairs(rope.rotate_half(x)))
    ).all()


@ports
@given(shift=st.integers(0, 500), gap=st.integers(-30, 30))
def test_a_score_depends_on_the_distance_only(rope, array, shift, gap):
    generator = np.random.default_rng(1)
    query, key = generator.standard_normal((2, 1, 32)).astype(np.float32)

    def score(position: int) -> float:
        places = np.array([position, position + gap])
        cos, sin = rope.rope_tables(array(places), 32, 10_000.0)
        turned = [
            rope.apply_rope(array(x), cos[n : n + 1], sin[n : n + 1])
            for n, x in enumerate((query, key))
        ]
        return float(numbers(turned[0])[0] @ numbers(turned[1])[0])

    assert score(40 + shift) == pytest.approx(score(40), abs=2e-3)


@ports
def test_a_turn_keeps_lengths_and_leaves_position_0_alone(rope, array):
    x = np.random.default_rng(2).standard_normal((100, 8)).astype(np.float32)
    turned = numbers(
        rope.apply_rope(array(x), *rope.rope_tables(array(np.arange(100)), 8, 10_000.0))
    )
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=1), np.linalg.norm(x, axis=1), rtol=1e-6
    )
    assert (turned[0] == x[0]).all() and not np.allclose(turned[1:], x[1:])


@ports
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_rope_is_the_multiplication_of_complex_numbers(rope, array, dtype):
    """In float64 all the way, where that is asked for: apply_rope rounds, as Transformers does.
    MLX takes sines of float64 in single precision."""
    places, pairs, theta = np.arange(300), 10, 500.0
    angles = places[:, None] * theta ** (-np.arange(pairs) / pairs)
    x = np.random.default_rng(3).standard_normal((300, 2 * pairs)).astype(dtype)
    turned = (x[:, :pairs] + 1j * x[:, pairs:].astype(np.float64)) * np.exp(1j * angles)
    expected = np.concatenate([turned.real, turned.imag], axis=1)
    kinds = {"torch": torch, "mlx": mx}
    kind = getattr(kinds.get(rope.__name__.split(".")[1]), dtype, dtype)
    given = mx.array(x, dtype=kind) if isinstance(kind, mx.Dtype) else array(x)
    with mx.stream(mx.cpu):
        tables = rope.exact_rope_tables(array(places), 2 * pairs, theta, kind)
        found = numbers(rope.apply_exact_rope(given, *tables))
        rounded = numbers(rope.apply_rope(given, *tables))
    assert found.dtype == np.dtype(dtype)
    exact = dtype == "float64" and kind != mx.float64
    np.testing.assert_allclose(found, expected, atol=1e-12 if exact else 1e-4)
    assert not exact or np.abs(rounded - expected).max() > 1e-9
