"""How the faults of reference/parity/faults.py are put into a port: what is replaced, and by what.

Each patch is a function from a port's modules to (target, name, replacement) triples. Both frameworks take axis= and
keepdims=, so the replacements are written once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Replacements = list[tuple[Any, str, Any]]


def _tanh_gelu(port: Any) -> Replacements:
    return [(port.layers.ACTIVATIONS, "gelu", port.layers.gelu_tanh)]


def _hard_coded_activation(port: Any) -> Replacements:
    return [(port.bert, "activation", lambda name: port.layers.gelu)]


def _mask_dropped(port: Any) -> Replacements:
    return [(port.bert, "padding_mask", lambda attention_mask: None)]


def _softmax_scale(port: Any) -> Replacements:
    def rescaled(attention: Callable[..., Any]) -> Callable[..., Any]:
        def attend(query: Any, key: Any, value: Any, **options: Any) -> Any:
            heads = query.shape[-3]
            return attention(query / math.sqrt(heads), key, value, **options)

        return attend

    names = ("scaled_dot_product_attention", "packed_attention")
    return [(port.bert, name, rescaled(getattr(port.bert, name))) for name in names]


def _epsilon_outside_the_root(port: Any) -> Replacements:
    def forward(self: Any, x: Any) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        deviation = port.xp.sqrt((centred * centred).mean(axis=-1, keepdims=True))
        return centred / (deviation + self.eps) * self.weight + self.bias

    return [(port.layers.LayerNorm, port.call, forward)]


def _residual_after_the_norm(port: Any) -> Replacements:
    def forward(self: Any, wide: Any, residual: Any) -> Any:
        return self.LayerNorm(self.dense(wide)) + residual

    return [(port.bert.BertOutput, port.call, forward)]


def _token_types_ignored(port: Any) -> Replacements:
    original = getattr(port.bert.BertEmbeddings, port.call)
    return [
        (
            port.bert.BertEmbeddings,
            port.call,
            lambda self, ids, types, cu_seqlens: original(self, ids, None, cu_seqlens),
        )
    ]


def _positions_from_zero(port: Any) -> Replacements:
    def position_ids(self: Any, input_ids: Any, cu_seqlens: Any) -> Any:
        if cu_seqlens is not None:
            return port.bert.positions(cu_seqlens)
        return port.xp.zeros_like(input_ids) + port.xp.arange(input_ids.shape[-1])

    return [(port.bert.BertEmbeddings, "position_ids", position_ids)]


def _with_additive_mask(port: Any, smallest: float) -> Replacements:
    def attend(query: Any, key: Any, value: Any, mask: Any = None) -> Any:
        scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])
        if mask is not None:
            hidden = port.xp.where(mask, port.xp.zeros_like(scores), port.xp.ones_like(scores))
            # Made in the scores' own dtype, where a number that is too large becomes infinity.
            scores = scores + hidden * (port.xp.ones_like(scores[..., :1]) * smallest)
        return port.xp.softmax(scores, axis=-1) @ value

    return [(port.bert, "scaled_dot_product_attention", attend)]


def _packed_texts_leak(port: Any) -> Replacements:
    def attend(query: Any, key: Any, value: Any, cu_seqlens: Any) -> Any:
        return port.attention.scaled_dot_product_attention(query, key, value)

    return [(port.bert, "packed_attention", attend)]


def _packed_positions_run_on(port: Any) -> Replacements:
    return [(port.bert, "positions", lambda cu_seqlens: port.xp.arange(int(cu_seqlens[-1])))]


def _cls_from_the_wrong_axis(port: Any) -> Replacements:
    return [(port.bert, "first_tokens", lambda hidden, cu_seqlens: hidden[0] if cu_seqlens is None else hidden)]


def _pooler_without_tanh(port: Any) -> Replacements:
    return [(port.bert.BertPooler, port.call, lambda self, first: self.dense(first))]


def _softmax_for_logits(port: Any) -> Replacements:
    head = port.heads.BertForTokenClassification
    original = head.score

    def score(self: Any, *arguments: Any) -> Any:
        return port.xp.softmax(original(self, *arguments), axis=-1)

    return [(head, "score", score)]


def _ignored_labels_counted(port: Any) -> Replacements:
    original = port.heads.cross_entropy

    def counting(logits: Any, labels: Any) -> Any:
        return original(logits, port.xp.where(labels < 0, port.xp.zeros_like(labels), labels))

    return [(port.heads, "cross_entropy", counting)]


def _mean_over_all_labels(port: Any) -> Replacements:
    original = port.heads.cross_entropy

    def diluted(logits: Any, labels: Any) -> Any:
        share = float((labels >= 0).sum()) / math.prod(labels.shape)
        return original(logits, labels) * share

    return [(port.heads, "cross_entropy", diluted)]


def _gradient_cut(port: Any) -> Replacements:
    original = getattr(port.bert.BertIntermediate, port.call)
    return [(port.bert.BertIntermediate, port.call, lambda self, hidden: port.detach(original(self, hidden)))]


def _pads_inside_the_mean(port: Any) -> Replacements:
    """The texts padded to one length and masked, and then the mean taken over every position."""
    original = port.model.forward

    def embed(self: Any, ids: Any, cu_seqlens: Any, types: Any, ways: Any, normalize: bool) -> Any:
        import numpy as np

        lengths = np.diff(cu_seqlens)
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        padded = [np.zeros_like(mask), np.zeros_like(mask)]
        for array, row in zip(padded, (ids, types), strict=True):
            array[mask == 1] = row
        vectors = original(self, padded[0], mask, padded[1], False)["last_hidden_state"].mean(axis=1)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if normalize else vectors

    return [(port.model, "embed", embed)]


def _pooling_config_ignored(port: Any) -> Replacements:
    original = port.model.embed
    return [
        (
            port.model,
            "embed",
            lambda self, ids, cu_seqlens, types, ways, normalize: original(
                self, ids, cu_seqlens, types, ("cls",), normalize
            ),
        )
    ]


def _normalize_squared(port: Any) -> Replacements:
    return [(port.pooling, "normalize", lambda vectors: vectors / (vectors * vectors).sum(axis=-1, keepdims=True))]


PATCHES: dict[str, Callable[[Any], Replacements]] = {
    "tanh_gelu": _tanh_gelu,
    "hard_coded_activation": _hard_coded_activation,
    "mask_dropped": _mask_dropped,
    "softmax_scale": _softmax_scale,
    "epsilon_outside_the_root": _epsilon_outside_the_root,
    "residual_after_the_norm": _residual_after_the_norm,
    "token_types_ignored": _token_types_ignored,
    "positions_from_zero": _positions_from_zero,
    "mask_by_multiplying": lambda port: _with_additive_mask(port, -math.inf),
    "mask_overflow": lambda port: _with_additive_mask(port, -1e9),
    "packed_texts_leak": _packed_texts_leak,
    "packed_positions_run_on": _packed_positions_run_on,
    "cls_from_the_wrong_axis": _cls_from_the_wrong_axis,
    "pooler_without_tanh": _pooler_without_tanh,
    "softmax_for_logits": _softmax_for_logits,
    "ignored_labels_counted": _ignored_labels_counted,
    "mean_over_all_labels": _mean_over_all_labels,
    "gradient_cut": _gradient_cut,
    "pads_inside_the_mean": _pads_inside_the_mean,
    "pooling_config_ignored": _pooling_config_ignored,
    "normalize_squared": _normalize_squared,
}
