"""Bugs that ports of ModernBERT have had: windows, rotary positions, the gate, the norms, the
two kinds of layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reference.families.modernbert import ModernBertConfig
from reference.inputs import Inputs
from reference.parity.faults.fault import Alteration, Code, Fault, Patch
from reference.parity.faults.weights import edited, with_settings
from reference.parity.random_models import draw
from reference.parity.sample import Tensors

ATTENTION = r"layers\.{}\.attn\.Wo\.input \("


def _attention_of(layer: int) -> str:
    return f"^layer {layer}, {ATTENTION.format(layer)}"


def _windows(change: Any) -> Alteration:
    return lambda config, tensors: (
        replace(config, local_attention=change(config.local_attention)),
        tensors,
    )


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


def _pattern_shifted(
    config: ModernBertConfig, tensors: Tensors
) -> tuple[ModernBertConfig, Tensors]:
    kinds = config.layer_types
    return replace(config, layer_types=(*kinds[1:], kinds[0])), tensors


def _decoder_of_its_own(
    config: ModernBertConfig, tensors: Tensors
) -> tuple[ModernBertConfig, Tensors]:
    weight = draw("decoder.weight", (config.vocab_size, config.hidden_size), seed=1).astype(
        np.float32
    )
    return replace(config, tie_word_embeddings=False), tensors | {"decoder.weight": weight}


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


def _gate_activated(code: Code) -> list[Patch]:
    def gated(self: Any, x: Any) -> Any:
        both = self.Wi(x)
        half = both.shape[-1] // 2
        return self.Wo(both[..., :half] * self.activation(both[..., half:]))

    return [(code.layers.GatedMLP, code.call, gated)]


def _windows_forget_the_mask(code: Code) -> list[Patch]:
    plain = code.modernbert.attend_to

    def attend_to(inputs: Inputs, window: Any = None) -> Any:
        seen = inputs if window is None else replace(inputs, attention_mask=None)
        return plain(seen, window)

    return [(code.modernbert, "attend_to", attend_to)]


def _norm_behind(code: Code) -> list[Patch]:
    """Post-norm where pre-norm is meant."""

    def layer(self: Any, hidden: Any, tables: Any, attend: Any) -> Any:
        attended = hidden + self.attn(hidden, tables, attend)
        return self.mlp_norm(attended + self.mlp(attended))

    return [(code.modernbert.ModernBertEncoderLayer, code.call, layer)]


FAULTS = (
    Fault(
        "modernbert_tanh_gelu",
        "the tanh approximation where the checkpoint was trained with the exact GELU, in a "
        "gated network",
        "ModernBertModel",
        departs=r"^layer 0, layers\.0\.mlp\.Wo\.input \(",
        alter=with_settings(hidden_activation="gelu_new"),
    ),
    Fault(
        "window_off_by_one",
        "a window that reaches one token further on either side, as FlashAttention's argument "
        "counts",
        "ModernBertModel",
        departs=_attention_of(1),
        alter=_windows(lambda width: width + 2),
    ),
    Fault(
        "window_taken_for_one_side",
        "local_attention tokens on each side, where it is the whole width",
        "ModernBertModel",
        departs=_attention_of(1),
        alter=_windows(lambda width: 2 * width),
    ),
    Fault(
        "window_ignored",
        "local layers that attend to the whole text: right for every short one",
        "ModernBertModel",
        departs=_attention_of(1),
        alter=_windows(lambda width: 10_000),
    ),
    Fault(
        "layer_pattern_shifted",
        "the global layers counted from another layer on",
        "ModernBertModel",
        departs=_attention_of(0),
        alter=_pattern_shifted,
    ),
    Fault(
        "rope_bases_swapped",
        "the global layers' RoPE base in the local ones and the other way about",
        "ModernBertModel",
        departs=_attention_of(0),
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
        departs=_attention_of(0),
        alter=with_settings(rope_parameters=None),
    ),
    Fault(
        "rope_interleaved",
        "neighbouring features turned as pairs, where the checkpoint has them half a head "
        "apart",
        "ModernBertModel",
        departs=_attention_of(0),
        patch=_pairs_side_by_side,
    ),
    Fault(
        "values_turned_too",
        "RoPE applied to the values as well as to queries and keys",
        "ModernBertModel",
        departs=_attention_of(0),
        patch=_values_turned_too,
    ),
    Fault(
        "gate_activated",
        "the activation on the gate, which is the second half of Wi, and not on the first",
        "ModernBertModel",
        departs=r"^layer 0, layers\.0\.mlp\.Wo\.input \(",
        patch=_gate_activated,
    ),
    Fault(
        "attn_norm_not_loaded",
        "the norm before attention keeps its ones in every layer, as layer 0 has none to load",
        "ModernBertModel",
        departs=r"^layer 1, layers\.1\.attn_norm \(",
        alter=edited((r"attn_norm\.weight$", np.ones_like)),
    ),
    Fault(
        "norm_behind_the_block",
        "post-norm, as BERT has it, where ModernBERT norms what goes into a block",
        "ModernBertModel",
        departs=r"^layer 0, layers\.0",
        patch=_norm_behind,
    ),
    Fault(
        "windows_forget_the_mask",
        "local layers that attend to padding: the window's mask takes the place of the "
        "padding's",
        "ModernBertModel",
        departs=_attention_of(1),
        patch=_windows_forget_the_mask,
    ),
    Fault(
        "modernbert_pooling_ignored",
        "the vector of [CLS] classified where classifier_pooling says mean",
        "ModernBertForSequenceClassification",
        settings={"classifier_pooling": "mean"},
        departs=r"^head\.dense \(",
        alter=with_settings(classifier_pooling="cls"),
    ),
    Fault(
        "modernbert_untied_decoder",
        "a decoder with random weights of its own where it shares the word embeddings",
        "ModernBertForMaskedLM",
        settings={"tie_word_embeddings": True},
        departs=r"^decoder \(",
        alter=_decoder_of_its_own,
    ),
)
