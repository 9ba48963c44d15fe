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


@pytest.mark.parametrize("window", [None, 2])
def test_the_packed_kernel_is_asked_for_what_the_plain_form_computes(monkeypatch, window):
    """The kernel itself runs on GPUs only: here something stands in for it that takes what its
    documentation says."""

    def varlen_attn(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, window_size):
        assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32 and max_q == max_k == 9
        context = torch.empty_like(query)  # [tokens, heads, head_dim]
        for start, end in itertools.pairwise(cu_seq_q.tolist()):
            parts = (x[start:end].transpose(0, 1) for x in (query, key, value))
            apart = torch.arange(end - start)[:, None] - torch.arange(end - start)
            left, right = (reach if reach >= 0 else end for reach in window_size)
            near = (apart <= left) & (-apart <= right)
            found = attention.scaled_dot_product_attention(*parts, near)
            context[start:end] = found.transpose(0, 1)
        return context

    cu_seqlens = torch.tensor([0, 4, 13, 14])
    parts = torch.randn(3, 2, 14, 8, dtype=torch.float64)
    plain = attention.packed_attention(*parts, cu_seqlens, window)
    assert not fused.has_packed_kernel(parts[0])
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_attn)
    monkeypatch.setattr(fused, "has_packed_kernel", lambda query: True)
    found = attention.packed_attention(*parts, cu_seqlens, window)
    torch.testing.assert_close(found, plain, atol=1e-13, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of NVIDIA's")
@pytest.mark.parametrize("window", [None, 64])
def test_the_packed_kernel_is_as_near_as_its_dtype_allows(window):
    """As near to float64 as the plain form in the same dtype."""
    cu_seqlens = torch.tensor([0, 40, 353, 354, 600], device="cuda")
    exact = torch.randn(3, 4, 600, 64, dtype=torch.float64, device="cuda")
    truth = attention.packed_attention(*exact, cu_seqlens, window)
    half = exact.half()
    assert fused.has_packed_kernel(half[0])
    kernel = attention.packed_attention(*half, cu_seqlens, window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused, "has_packed_kernel", lambda query: False)
        plain = attention.packed_attention(*half, cu_seqlens, window)
    error, allowed = ((x - truth).abs().max() for x in (kernel, plain))
    assert error <= 2 * allowed


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
