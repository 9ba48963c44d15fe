"""Bugs of rotary positions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reference.families.modernbert import ModernBertConfig
from reference.parity.faults.fault import Code, Fault, Patch
from reference.parity.faults.seeding import attention_of, with_settings
from reference.parity.sample import Tensors


def _bases_swapped(
    config: ModernBertConfig, tensors: Tensors
) -> tuple[ModernBertConfig, Tensors]:
    full, sliding = (
        config.rope_parameters["full_attention"],
        config.rope_parameters["sliding_attention"],
    )
    return replace(
        config, rope_parameters={"full_attention": sliding, "sliding_attention": full}
    ), tensors


def _pairs_side_by_side(code: Code) -> list[Patch]:
    return [(code.modernbert, "apply_rope", code.rope.apply_rope_interleaved)]


def _values_turned_too(code: Code) -> list[Patch]:
    def attention(self: Any, hidden: Any, tables: Any, attend: Any) -> Any:
        turn = lambda x: code.rope.apply_rope(x, *tables)
        parts = self.Wqkv(hidden).reshape(*hidden.shape[:-1], 3, -1)
        query, key, value = (
            code.attention.split_heads(parts[..., part, :], self.heads) for part in range(3)
        )
        return self.Wo(code.attention.merge_heads(attend(turn(query), turn(key), turn(value))))

    return [(code.modernbert.ModernBertAttention, code.call, attention)]


FAULTS = (
    Fault(
        "rope_bases_swapped",
        "the global layers' RoPE base in the local ones and the other way about",
        "ModernBertModel",
        departs=attention_of(0),
        alter=_bases_swapped,
    ),
    Fault(
        "rope_parameters_ignored",
        "the default RoPE bases whatever the configuration says, for its keys have new names",
        "ModernBertModel",
        settings={
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": 5_000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 300.0},
            }
        },
        departs=attention_of(0),
        alter=with_settings(rope_parameters=None),
    ),
    Fault(
        "rope_interleaved",
        "neighbouring features turned as pairs, where the checkpoint has them half a head "
        "apart",
        "ModernBertModel",
        departs=attention_of(0),
        patch=_pairs_side_by_side,
    ),
    Fault(
        "values_turned_too",
        "RoPE applied to the values as well as to queries and keys",
        "ModernBertModel",
        departs=attention_of(0),
        patch=_values_turned_too,
    ),
)
