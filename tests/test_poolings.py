"""Every way of pooling, in every port, against sentence-transformers' own module: padded on
either side and flattened, with a prompt that is left out and without."""

from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers.sentence_transformer.modules import Pooling
from sentence_transformers.util import cos_sim

from reference import backend as ports
from reference.candle import pooling as candle_pooling
from reference.families import ARCHITECTURES
from reference.inputs import Inputs, pack
from reference.mlx import pooling as mlx_pooling
from reference.sentence.pooling import WAYS
from reference.torch import pooling as torch_pooling
from tests.conftest import BACKENDS, TINY

SIZE = 5
POOLS = {
    "torch": lambda hidden, mask, *rest: torch_pooling.pool(
        torch.from_numpy(hidden), torch.from_numpy(mask), *rest
    ),
    "mlx": lambda hidden, mask, *rest: mlx_pooling.pool(
        mx.array(hidden), mx.array(mask), *rest
    ),
    "candle": candle_pooling.pool,
}
batches = st.lists(st.integers(1, 9), min_size=1, max_size=4)
chosen = st.lists(st.sampled_from(WAYS), min_size=1, max_size=6, unique=True)


def draw(lengths: list[int], left: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Token vectors and the mask of texts of these lengths."""
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    mask = mask[:, ::-1].copy() if left else mask
    random = np.random.default_rng(seed)
    return random.normal(0, 2, (*mask.shape, SIZE)).astype(np.float32), mask


def theirs(ways: list[str], skip: int, features: dict[str, Any]) -> np.ndarray:
    module = Pooling(SIZE, tuple(ways), include_prompt=False)
    return module(features | {"prompt_length": skip})["sentence_embedding"].numpy()


@pytest.mark.parametrize("backend", BACKENDS)
@given(batches, st.booleans(), chosen, st.integers(0, 10), st.integers(0, 99))
def test_padded(
    backend: str, lengths: list[int], left: bool, ways: list[str], skip: int, seed: int
) -> None:
    """The same for a text that has no token left: to the bit of a NaN or an infinity."""
    hidden, mask = draw(lengths, left, seed)
    found = np.asarray(POOLS[backend](hidden, mask, tuple(ways), skip))
    batch = {"token_embeddings": torch.tensor(hidden), "attention_mask": torch.tensor(mask)}
    np.testing.assert_allclose(found, theirs(ways, skip, batch), rtol=0, atol=2e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@given(batches, chosen, st.integers(0, 10), st.integers(0, 99))
def test_flattened(
    backend: str, lengths: list[int], ways: list[str], skip: int, seed: int
) -> None:
    """Where a text has tokens left; where it has none, their two forms differ."""
    hidden, mask = draw(lengths, False, seed)
    left = np.array(lengths) > skip
    found = np.asarray(POOLS[backend](hidden, mask, tuple(ways), skip))
    row = {
        "token_embeddings": torch.tensor(hidden[mask == 1])[None],
        "cu_seq_lens_q": torch.tensor(np.cumsum([0, *lengths])),
    }
    expected = theirs(ways, skip, row)
    np.testing.assert_allclose(found[left], expected[left], rtol=0, atol=2e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_side_of_the_padding_does_not_matter(backend: str) -> None:
    hidden, mask = draw([4, 3, 6], False, 0)
    turned = np.stack(
        [np.roll(row, -sum(its), 0) for row, its in zip(hidden, mask, strict=True)]
    )
    for skip in (0, 2):
        right, left = (
            np.asarray(POOLS[backend](rows, real, WAYS, skip))
            for rows, real in ((hidden, mask), (turned, mask[:, ::-1].copy()))
        )
        np.testing.assert_allclose(right, left, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@given(batches, st.booleans(), chosen, st.integers(0, 3), st.integers(0, 99))
def test_half_precision_is_added_up_as_theirs_is(
    dtype: torch.dtype, lengths: list[int], left: bool, ways: list[str], skip: int, seed: int
) -> None:
    hidden, mask = draw(lengths, left, seed)
    half = torch.tensor(hidden).to(dtype)
    found = torch_pooling.pool(half, torch.tensor(mask), tuple(ways), skip)
    assert found.dtype == dtype
    batch = {"token_embeddings": half, "attention_mask": torch.tensor(mask)}
    module = Pooling(SIZE, tuple(ways), include_prompt=False)
    expected = module(batch | {"prompt_length": skip})["sentence_embedding"]
    steps = 2 * torch.finfo(dtype).eps  # the last bit may fall either way
    torch.testing.assert_close(found, expected, rtol=steps, atol=steps)


@pytest.mark.parametrize("backend", BACKENDS)
@given(batches, chosen, st.booleans(), st.integers(0, 4), st.integers(0, 9))
def test_a_model_embeds_packed_texts(
    backend: str, lengths: list[int], ways: list[str], unit: bool, skip: int, seed: int
) -> None:
    """Its hidden states, pooled by sentence-transformers in its flattened form."""
    lengths = [length + skip for length in lengths]
    model = tiny_model(backend)
    random = np.random.default_rng(seed)
    ids, bounds = pack([random.integers(2, 40, length).tolist() for length in lengths])
    inputs = Inputs(ids, cu_seqlens=bounds)
    hidden = torch.tensor(model.forward(inputs)["last_hidden_state"])
    module = Pooling(TINY["hidden_size"], tuple(ways), include_prompt=False)
    row = {"token_embeddings": hidden[None], "cu_seq_lens_q": torch.tensor(bounds)}
    expected = module(row | {"prompt_length": skip})["sentence_embedding"]
    expected = torch.nn.functional.normalize(expected) if unit else expected
    found = model.embed(inputs, tuple(ways), unit, skip)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    if skip == 0:
        np.testing.assert_array_equal(found, model.embed(inputs, tuple(ways), unit))


@pytest.mark.parametrize("backend", BACKENDS)
def test_cosines_are_those_of_sentence_transformers(backend: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(5, SIZE)).astype(np.float32)
    vectors[4] = 0  # of a direction that is none
    room, array = {
        "torch": (torch_pooling, torch.from_numpy),
        "mlx": (mlx_pooling, mx.array),
        "candle": (candle_pooling, np.asarray),
    }[backend]
    found = room.cosine_similarity(array(vectors), array(vectors[:3]))
    np.testing.assert_allclose(found, cos_sim(vectors, vectors[:3]), atol=1e-6)


MODELS: dict[str, ports.Model] = {}


def tiny_model(backend: str) -> ports.Model:
    if backend not in MODELS:
        kind = ARCHITECTURES["BertModel"]
        config = kind.family.config(**kind.family.tiny | TINY)
        random = np.random.default_rng(5)
        tensors = {
            key: random.normal(0, 0.3, shape).astype(np.float32)
            for key, shape in kind.shapes(config, pooler=False).items()
        }
        MODELS[backend] = ports.build(backend, config, kind, tensors)
    return MODELS[backend]
