"""Bugs in the code of a port. They are patched in by name, alike in PyTorch and in MLX."""

from __future__ import annotations

from typing import Any

from reference.parity.faults.fault import Code, Fault, Patch


def _scaled_by(factor_of: Any) -> Any:
    """Attention whose scores are larger by a factor that depends on the query."""

    def patches(code: Code) -> list[Patch]:
        plain = code.attention.scaled_dot_product_attention

        def attention(query: Any, key: Any, value: Any, mask: Any = None) -> Any:
            return plain(query * factor_of(query), key, value, mask)

        return _scores(code, attention)

    return patches


def _scores(code: Code, attention: Any) -> list[Patch]:
    """In the one place where a port's attention weighs its scores."""
    owner = code.fused if code.backend == "torch" else code.attention
    return [(owner, "scaled_dot_product_attention", attention)]


def _head_dim(query: Any) -> int:
    return query.shape[-1]


def _hidden_size(query: Any) -> int:
    return query.shape[-3] * query.shape[-1]


def _additive_mask(lowest: float) -> Any:
    """A mask that is multiplied with a huge negative number in the scores' dtype and added."""

    def patches(code: Code) -> list[Patch]:
        def attention(query: Any, key: Any, value: Any, mask: Any = None) -> Any:
            scores = query @ key.swapaxes(-1, -2) / query.shape[-1] ** 0.5
            if mask is not None:
                scores = scores + (mask ^ True) * (scores[..., :1] * 0 + lowest)
            return code.framework.softmax(scores, -1) @ value

        return _scores(code, attention)

    return patches


def _epsilon_outside(code: Code) -> list[Patch]:
    def norm(self: Any, x: Any) -> Any:
        centred = x - x.mean(-1)[..., None]
        deviation = (centred * centred).mean(-1)[..., None] ** 0.5
        return centred / (deviation + self.eps) * self.weight + self.bias

    return [(code.layers.LayerNorm, code.call, norm)]


def _wrong_axis(code: Code) -> list[Patch]:
    plain = code.bert.first_tokens

    def first(hidden: Any, cu_seqlens: Any) -> Any:
        return plain(hidden, cu_seqlens) if cu_seqlens is not None else hidden[:, :, 0]

    return [(code.bert, "first_tokens", first)]


def _no_tanh(code: Code) -> list[Patch]:
    return [(code.bert.BertPooler, code.call, lambda self, first: self.dense(first))]


def _positions_run_on(code: Code) -> list[Patch]:
    plain = code.attention.positions
    return [(code.bert, "positions", lambda cu_seqlens: plain(cu_seqlens[[0, -1]]))]


def _leaking(code: Code) -> list[Patch]:
    plain = code.attention.scaled_dot_product_attention
    return [
        (
            code.attention,
            "packed_attention",
            lambda query, key, value, **bounds: plain(query, key, value),
        )
    ]


def _residual_after_norm(code: Code) -> list[Patch]:
    def output(self: Any, wide: Any, residual: Any) -> Any:
        return self.LayerNorm(self.dense(wide)) + residual

    return [(code.bert.BertOutput, code.call, output)]


def _cut_gradient(code: Code) -> list[Patch]:
    def output(self: Any, context: Any, residual: Any) -> Any:
        return self.LayerNorm(self.dense(context) + code.without_gradient(residual))

    return [(code.bert.BertSelfOutput, code.call, output)]


FAULTS = (
    Fault(
        "scale_missing",
        "attention scores not divided by the root of the head's width",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.self \(",
        patch=_scaled_by(lambda query: _head_dim(query) ** 0.5),
    ),
    Fault(
        "scale_of_the_hidden_size",
        "attention scores divided by the root of the hidden size, not of the head's width",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.self \(",
        patch=_scaled_by(lambda query: (_head_dim(query) / _hidden_size(query)) ** 0.5),
    ),
    Fault(
        "mask_by_multiplying",
        "a mask multiplied with -inf: zero times infinity is NaN",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.self \(",
        patch=_additive_mask(float("-inf")),
    ),
    Fault(
        "mask_overflow",
        "the same with -1e9, which works until float16 makes -inf of it",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.self \(",
        dtype="float16",
        patch=_additive_mask(-1e9),
    ),
    Fault(
        "epsilon_outside_the_root",
        "a norm that divides by √variance + ε where √(variance + ε) is meant",
        departs=r"^embeddings \(",
        settings={"layer_norm_eps": 1e-5},
        patch=_epsilon_outside,
    ),
    Fault(
        "cls_from_the_wrong_axis",
        "hidden[:, :, 0] for hidden[:, 0]: silent where a text has as many tokens as a vector "
        "has numbers",
        departs=r"^pooler\.dense \(",
        settings={"hidden_size": 70, "num_attention_heads": 5},
        patch=_wrong_axis,
    ),
    Fault(
        "pooler_without_tanh",
        "the pooler's projection returned as it is",
        departs=r"^pooler \(",
        patch=_no_tanh,
    ),
    Fault(
        "packed_positions_run_on",
        "positions that do not start again at each text of a packed row",
        departs=r"^the embeddings of the packed row",
        settings={"max_position_embeddings": 512},
        patch=_positions_run_on,
    ),
    Fault(
        "packed_texts_leak",
        "every token of a packed row attends to the whole row",
        departs=r"^layer 0 of the packed row",
        patch=_leaking,
    ),
    Fault(
        "residual_after_the_norm",
        "norm(x) + residual where BERT, a post-norm model, has norm(x + residual)",
        departs=r"^layer 0, encoder\.layer\.0\.output \(",
        patch=_residual_after_norm,
    ),
    Fault(
        "gradient_cut",
        "a residual detached from the graph: the forward pass and the loss are right, training "
        "is not",
        departs=r"gradient of ",
        patch=_cut_gradient,
    ),
)
