"""The torch port: the fused kernel against the plain form, pooling in half precision, and
packed input."""

import itertools

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference.torch import attention, fused
from reference.torch.pooling import POOLING, mean_pooling, normalize


@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 40),
    st.sampled_from([4, 8, 32]),
    st.integers(0, 99),
    st.booleans(),
    st.booleans(),
)
def test_the_fused_attention_is_the_plain_one(
    batch, heads, tokens, head_dim, seed, masked, biased
):
    generator = torch.Generator().manual_seed(seed)
    query, key, value = torch.randn(
        3, batch, heads, tokens, head_dim, generator=generator, dtype=torch.float64
    )
    lengths = torch.randint(1, tokens + 1, (batch, 1), generator=generator)
    mask = attention.padding_mask((torch.arange(tokens) < lengths).long())
    bias = torch.randn(heads, tokens, tokens, generator=generator, dtype=torch.float64)
    options = (mask if masked else None, bias if biased else None)
    plain = attention.scaled_dot_product_attention(query, key, value, *options)
    found = fused.scaled_dot_product_attention(query, key, value, *options)
    torch.testing.assert_close(found, plain, atol=1e-13, rtol=0)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 99))
def test_packed_attention_stays_within_each_text(lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    cu_seqlens = torch.tensor([0, *np.cumsum(lengths)])
    query, key, value = torch.randn(
        3, 2, sum(lengths), 8, generator=generator, dtype=torch.float64
    )
    packed = attention.packed_attention(query, key, value, cu_seqlens)
    for start, end in itertools.pairwise(cu_seqlens.tolist()):
        text = slice(start, end)
        alone = attention.scaled_dot_product_attention(
            query[:, text], key[:, text], value[:, text]
        )
        torch.testing.assert_close(packed[:, text], alone, atol=1e-13, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_row_without_tokens_has_the_mean_zero(dtype):
    hidden = torch.ones(2, 3, 4, dtype=dtype)
    pooled = mean_pooling(hidden, torch.tensor([[0, 0, 0], [1, 1, 0]]))
    assert pooled.dtype == dtype and pooled.tolist() == [[0] * 4, [1] * 4]


def test_what_stands_at_padding_does_not_matter():
    hidden, mask = torch.randn(2, 4, 8), torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1]])
    poisoned = torch.where(mask.bool()[..., None], hidden, torch.nan)
    for pooling in POOLING.values():
        assert torch.equal(pooling(hidden, mask), pooling(poisoned, mask))


def test_normalize_is_torchs_own():
    vectors = torch.cat([torch.randn(5, 8), torch.zeros(1, 8), torch.full((1, 8), 1e-20)])
    torch.testing.assert_close(normalize(vectors), torch.nn.functional.normalize(vectors))


def test_axes_are_checked_by_name():
    with pytest.raises(
        jaxtyping.TypeCheckError, match=r"mean_pooling.*\n.*parameter 'attention_mask'"
    ):
        mean_pooling(torch.ones(2, 3, 4), torch.ones(2, 5, dtype=torch.long))
