"""Bugs of MPNet: the bias of relative positions, and what it takes over from RoBERTa."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from reference.families.mpnet import BUCKETS, PAD
from reference.parity.faults.fault import Code, Fault, Patch
from reference.parity.faults.seeding import edited

ATTENTION = r"^layer {0}, encoder\.layer\.{0}\.attention\.attn\.o\.input \("
TABLE = r"relative_attention_bias\.weight$"


def _without_bias(code: Code) -> list[Patch]:
    plain = code.mpnet.attend_to
    return [(code.mpnet, "attend_to", lambda inputs, **_: plain(inputs))]


def _bias_in_the_first_layer(code: Code) -> list[Patch]:
    """As in T5, where only the first layer has the table and hands the bias on."""

    def encode(self: Any, hidden: Any, inputs: Any) -> Any:
        bias, states = self.position_bias(inputs.longest), [hidden]
        for layer in self.layer:
            states.append(layer(states[-1], code.attention.attend_to(inputs, bias=bias)))
            bias = None
        return states

    return [(code.mpnet.MPNetEncoder, code.call, encode)]


def _query_minus_key(code: Code) -> list[Patch]:
    plain = code.mpnet.relative_position_bucket
    return [(code.mpnet, "relative_position_bucket", lambda distance: plain(-distance))]


def _scaled_with_the_scores(code: Code) -> list[Patch]:
    """The bias added first, and divided by √head_dim with what it was added to."""
    plain = code.mpnet.MPNetEncoder.position_bias

    def position_bias(self: Any, tokens: int) -> Any:
        hidden, heads = self.layer[0].attention.attn.q.weight.shape[0], self.layer[0]
        return plain(self, tokens) / (hidden / heads.attention.attn.heads) ** 0.5

    return [(code.mpnet.MPNetEncoder, "position_bias", position_bias)]


def _both_directions_alike(table: np.ndarray) -> np.ndarray:
    """The sign of the distance lost: every key counts as one before the query."""
    half = table[: BUCKETS // 2]
    return np.concatenate([half, half])


FAULTS = (
    Fault(
        "relative_bias_left_out",
        "absolute positions only: the table loads and nothing asks for it",
        "MPNetModel",
        departs=ATTENTION.format(0),
        patch=_without_bias,
    ),
    Fault(
        "relative_bias_in_the_first_layer_only",
        "the bias that all layers share added in the first of them",
        "MPNetModel",
        departs=ATTENTION.format(1),
        patch=_bias_in_the_first_layer,
    ),
    Fault(
        "relative_bias_without_direction",
        "one bucket for a distance, whether the key stands before the query or behind it",
        "MPNetModel",
        departs=ATTENTION.format(0),
        alter=edited((TABLE, _both_directions_alike)),
    ),
    Fault(
        "relative_bias_turned_round",
        "the distance taken from key to query, where it is from query to key",
        "MPNetModel",
        departs=ATTENTION.format(0),
        patch=_query_minus_key,
    ),
    Fault(
        "relative_bias_scaled",
        "the bias added before the scores are divided by the root of the head's width",
        "MPNetModel",
        departs=ATTENTION.format(0),
        patch=_scaled_with_the_scores,
    ),
    Fault(
        "mpnet_positions_not_offset",
        "positions counted from 0, not from the pad id on",
        "MPNetModel",
        departs=r"^embeddings \(",
        alter=edited(("position_embeddings", partial(np.roll, shift=PAD + 1, axis=0))),
    ),
)
