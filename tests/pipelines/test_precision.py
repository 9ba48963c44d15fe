"""Vectors in fewer bits, as sentence-transformers packs them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sentence_transformers.util.quantization import quantize_embeddings

import reference
from reference.errors import InputError
from reference.pipelines.precision import PRECISIONS, check_precision, quantize

TEXTS = ["A cat sleeps.", "Rain fell on the stone wall.", "42", "a bird"]


@pytest.fixture(scope="module")
def model(minilm):
    return reference.load(minilm)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_vectors_of_a_batch(model, precision):
    vectors = model.encode(TEXTS)
    expected = quantize_embeddings(vectors, precision)
    found = model.encode(TEXTS, precision=precision)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    empty = model.encode([], precision=precision)
    assert empty.dtype == expected.dtype and empty.shape == (0, expected.shape[1])


@pytest.mark.parametrize("precision", ["int8", "uint8"])
def test_given_ranges_make_batches_comparable(model, precision):
    vectors = model.encode(TEXTS)
    ranges = np.stack([vectors.min(axis=0), vectors.max(axis=0)])
    alone = model.encode(TEXTS[1], precision=precision, ranges=ranges)
    expected = quantize_embeddings(vectors, precision, ranges)
    assert np.abs(alone.astype(int) - expected[1]).max() <= 1  # rounding, at a step's edge
    parts = list(model.encode_parts(iter(TEXTS), precision=precision, ranges=ranges.tolist()))
    np.testing.assert_array_equal(parts[0][1], expected)


def test_cut_before_it_is_packed(model):
    assert model.encode(TEXTS, truncate_dim=12, precision="ubinary").shape == (4, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "precision 'int4' is unknown; it is one of float32, int8"),
        ({"precision": "int8", "texts": ["one"]}, "the ranges of 1 vectors say nothing"),
        ({"precision": "binary", "ranges": [[0], [1]]}, "ranges are for int8 and uint8"),
        ({"precision": "int8", "ranges": [[0], [1]]}, r"shape \(2, 1\).*shape \(2, 384\)"),
        ({"precision": "int8", "ranges": "wide"}, "ranges must be an array of numbers"),
        (
            {"precision": "int8", "ranges": np.array([[1.0] * 384, [0.0] * 384])},
            "least numbers in",
        ),
        ({"truncate_dim": 385}, "truncate_dim is 385, but this model's vectors have 384"),
        ({"truncate_dim": 0}, "truncate_dim is 0"),
        (
            {"truncation": "cut"},
            "truncation 'cut' is unknown; it is one of warn, error",
        ),
    ],
)
def test_what_cannot_be_done(minilm, options, message, backend):
    with pytest.raises(InputError, match=message):
        reference.load(minilm, backend=backend).encode(**{"texts": TEXTS} | options)


def test_parts_need_ranges(model):
    with pytest.raises(InputError, match="int8 needs ranges where vectors come in parts"):
        model.encode_parts(TEXTS, precision="int8")


numbers = st.floats(-1, 1, width=32)


@given(arrays(np.float32, (5, 9), elements=numbers), st.sampled_from(PRECISIONS))
def test_it_is_what_sentence_transformers_does(vectors, precision):
    found = quantize(vectors, precision, None)
    expected = quantize_embeddings(vectors, precision)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@given(arrays(np.float32, (6, 4), elements=numbers))
def test_a_byte_keeps_a_number_within_a_step(vectors):
    ranges = check_precision("uint8", [[-1] * 4, [1] * 4], 4)
    back = quantize(vectors, "uint8", ranges) * (2 / 255) - 1
    assert np.abs(back - vectors).max() <= 2 / 255 + 1e-6
