"""Bugs of attention: masks, scale, windows, packed rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reference.families.bert import BertConfig
from reference.inputs import Inputs
from reference.parity.faults.fault import Alteration, Code, Fault, Patch
from reference.parity.faults.seeding import Around, attention_of
from reference.parity.sample import Tensors


class MaskDropped(Around):
    def forward(self, inputs: Inputs, states: bool = False) -> dict[str, Any]:
        return self.model.forward(replace(inputs, attention_mask=None), states)

    def trace(self, inputs: Inputs, operations: Any) -> dict[str, np.ndarray]:
        return self.model.trace(replace(inputs, attention_mask=None), operations)


def _scores(code: Code, attention: Any) -> list[Patch]:
    """In the one place where a port's attention weighs its scores."""
    owner = code.fused if code.backend == "torch" else code.attention
    return [(owner, "scaled_dot_product_attention", attention)]


def _scaled_by(factor_of: Any) -> Any:
    """Attention whose scores are larger by a factor that depends on the query."""

    def patches(code: Code) -> list[Patch]:
        plain = code.attention.scaled_dot_product_attention

        def attention(query: Any, *others: Any) -> Any:
            return plain(query * factor_of(query), *others)

        return _scores(code, attention)

    return patches


def _head_dim(query: Any) -> int:
    return query.shape[-1]


def _hidden_size(query: Any) -> int:
    return query.shape[-3] * query.shape[-1]


def _additive_mask(lowest: float) -> Any:
    """A mask that is multiplied with a huge negative number in the scores' dtype and added."""

    def patches(code: Code) -> list[Patch]:
        def attention(query: Any, key: Any, value: Any, mask: Any, bias: Any) -> Any:
            scores = query @ key.swapaxes(-1, -2) / query.shape[-1] ** 0.5
            if mask is not None:
                scores = scores + (mask ^ True) * (scores[..., :1] * 0 + lowest)
            return code.framework.softmax(scores, -1) @ value

        return _scores(code, attention)

    return patches


def _leaking(code: Code) -> list[Patch]:
    plain = code.attention.scaled_dot_product_attention
    return [
        (
            code.attention,
            "packed_attention",
            lambda query, key, value, **bounds: plain(query, key, value),
        )
    ]


def _half_the_heads(config: BertConfig, tensors: Tensors) -> tuple[BertConfig, Tensors]:
    return replace(config, num_attention_heads=config.num_attention_heads // 2), tensors


def _windows(change: Any) -> Alteration:
    return lambda config, tensors: (
        replace(config, local_attention=change(config.local_attention)),
        tensors,
    )


def _windows_forget_the_mask(code: Code) -> list[Patch]:
    plain = code.modernbert.attend_to

    def attend_to(inputs: Inputs, window: Any = None, **others: Any) -> Any:
        seen = inputs if window is None else replace(inputs, attention_mask=None)
        return plain(seen, window, **others)

    return [(code.modernbert, "attend_to", attend_to)]


FAULTS = (
    Fault(
        "mask_dropped",
        "a batch that attends to its padding: right for one text, wrong for two of different "
        "length",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.self \(",
        around=MaskDropped,
    ),
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
        "packed_texts_leak",
        "every token of a packed row attends to the whole row",
        departs=r"^layer 0 of the packed row",
        patch=_leaking,
    ),
    Fault(
        "wrong_head_count",
        "half as many heads, each twice as wide: every shape still fits",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.self \(",
        alter=_half_the_heads,
    ),
    Fault(
        "window_off_by_one",
        "a window that reaches one token further on either side, as FlashAttention's argument "
        "counts",
        "ModernBertModel",
        departs=attention_of(1),
        alter=_windows(lambda width: width + 2),
    ),
    Fault(
        "window_taken_for_one_side",
        "local_attention tokens on each side, where it is the whole width",
        "ModernBertModel",
        departs=attention_of(1),
        alter=_windows(lambda width: 2 * width),
    ),
    Fault(
        "window_ignored",
        "local layers that attend to the whole text: right for every short one",
        "ModernBertModel",
        departs=attention_of(1),
        alter=_windows(lambda width: 10_000),
    ),
    Fault(
        "windows_forget_the_mask",
        "local layers that attend to padding: the window's mask takes the place of the "
        "padding's",
        "ModernBertModel",
        departs=attention_of(1),
        patch=_windows_forget_the_mask,
    ),
)
