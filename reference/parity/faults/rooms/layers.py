"""Bugs of the parts that every encoder is built from."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.parity.faults.fault import Code, Fault, Patch
from reference.parity.faults.seeding import edited, with_settings

NORM = r"attention\.output\.LayerNorm"


def _gate_activated(code: Code) -> list[Patch]:
    def gated(self: Any, x: Any) -> Any:
        both = self.Wi(x)
        half = both.shape[-1] // 2
        return self.Wo(both[..., :half] * self.activation(both[..., half:]))

    return [(code.layers.GatedMLP, code.call, gated)]


def _epsilon_outside(code: Code) -> list[Patch]:
    def norm(self: Any, x: Any) -> Any:
        centred = x - x.mean(-1)[..., None]
        deviation = (centred * centred).mean(-1)[..., None] ** 0.5
        return centred / (deviation + self.eps) * self.weight + self.bias

    return [(code.layers.LayerNorm, code.call, norm)]


FAULTS = (
    Fault(
        "tanh_gelu",
        "the tanh approximation where the checkpoint was trained with the exact GELU",
        departs=r"^layer 0, encoder\.layer\.0\.intermediate \(",
        settings={"hidden_act": "gelu"},
        alter=with_settings(hidden_act="gelu_new"),
    ),
    Fault(
        "hard_coded_activation",
        "GELU whatever hidden_act says; a silu checkpoint loads without complaint",
        departs=r"^layer 0, encoder\.layer\.0\.intermediate \(",
        settings={"hidden_act": "silu"},
        alter=with_settings(hidden_act="gelu"),
    ),
    Fault(
        "modernbert_tanh_gelu",
        "the tanh approximation where the checkpoint was trained with the exact GELU, in a "
        "gated network",
        "ModernBertModel",
        departs=r"^layer 0, layers\.0\.mlp\.Wo\.input \(",
        alter=with_settings(hidden_activation="gelu_new"),
    ),
    Fault(
        "modernbert_hard_coded_activation",
        "GELU whatever hidden_activation says; a silu checkpoint loads without complaint",
        "ModernBertModel",
        settings={"hidden_activation": "silu"},
        departs=r"^layer 0, layers\.0\.mlp\.Wo\.input \(",
        alter=with_settings(hidden_activation="gelu"),
    ),
    Fault(
        "gate_activated",
        "the activation on the gate, which is the second half of Wi, and not on the first",
        "ModernBertModel",
        departs=r"^layer 0, layers\.0\.mlp\.Wo\.input \(",
        patch=_gate_activated,
    ),
    Fault(
        "wrong_epsilon",
        "PyTorch's default 1e-5 in every norm where BERT has 1e-12",
        departs=r"^embeddings \(",
        settings={"layer_norm_eps": 1e-12},
        alter=with_settings(layer_norm_eps=1e-5),
    ),
    Fault(
        "epsilon_outside_the_root",
        "a norm that divides by √variance + ε where √(variance + ε) is meant",
        departs=r"^embeddings \(",
        settings={"layer_norm_eps": 1e-5},
        patch=_epsilon_outside,
    ),
    Fault(
        "norm_taken_for_identity",
        "a norm whose weights are not found keeps ones and zeros",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.output \(",
        alter=edited((f"{NORM}.weight$", np.ones_like), (f"{NORM}.bias$", np.zeros_like)),
    ),
    Fault(
        "weight_not_transposed",
        "square weights used as [inputs, outputs]; nothing complains, for they are square",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.self\.query \(",
        alter=edited((r"self\.(query|key|value)\.weight$", np.transpose)),
    ),
    Fault(
        "bias_left_out",
        "a linear layer without its bias; with freshly initialised weights nobody would "
        "notice, they are 0 there",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.output\.dense \(",
        alter=edited((r"attention\.output\.dense\.bias$", np.zeros_like)),
    ),
)
