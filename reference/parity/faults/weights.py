"""Bugs in reading a checkpoint: the code is right, what it is given is not. They can be seeded
in every port."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from reference.families.bert import BertConfig
from reference.parity.faults.fault import Alteration, Fault
from reference.parity.random_models import draw
from reference.parity.sample import Tensors

NORM = r"attention\.output\.LayerNorm"


def with_settings(**changes: Any) -> Alteration:
    """Another configuration than the checkpoint's."""
    return lambda config, tensors: (replace(config, **changes), tensors)


def edited(*edits: tuple[str, Callable[[np.ndarray], np.ndarray]]) -> Alteration:
    """Every tensor whose key matches a pattern, changed."""

    def alter(config: BertConfig, tensors: Tensors) -> tuple[BertConfig, Tensors]:
        for pattern, change in edits:
            tensors = {
                key: change(value) if re.search(pattern, key) else value
                for key, value in tensors.items()
            }
        return config, tensors

    return alter


def _half_the_heads(config: BertConfig, tensors: Tensors) -> tuple[BertConfig, Tensors]:
    return replace(config, num_attention_heads=config.num_attention_heads // 2), tensors


def _query_and_key_swapped(config: BertConfig, tensors: Tensors) -> tuple[BertConfig, Tensors]:
    at = "encoder.layer.1.attention.self."
    swapped = {f"{at}query": f"{at}key", f"{at}key": f"{at}query"}
    renamed = {}
    for key in tensors:
        stem, dot, name = key.rpartition(".")
        renamed[key] = tensors[swapped.get(stem, stem) + dot + name]
    return config, renamed


def _positions_not_offset(config: BertConfig, tensors: Tensors) -> tuple[BertConfig, Tensors]:
    """Counting from 0 reads row i where row i + pad + 1 is meant."""
    roll = partial(np.roll, shift=config.pad_token_id + 1, axis=0)
    return edited(("position_embeddings", roll))(config, tensors)


def _decoder_of_its_own(config: BertConfig, tensors: Tensors) -> tuple[BertConfig, Tensors]:
    """The decoder keeps what it was initialised with."""
    shape = (config.vocab_size, config.hidden_size)
    weight = draw("cls.predictions.decoder.weight", shape, seed=1).astype(np.float32)
    decoder = {"weight": weight, "bias": tensors["cls.predictions.bias"]}
    tensors |= {f"cls.predictions.decoder.{name}": value for name, value in decoder.items()}
    return replace(config, tie_word_embeddings=False), tensors


def _through_half(weight: np.ndarray) -> np.ndarray:
    return weight.astype(np.float16).astype(weight.dtype)


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
        "wrong_epsilon",
        "PyTorch's default 1e-5 in every norm where BERT has 1e-12",
        departs=r"^embeddings \(",
        settings={"layer_norm_eps": 1e-12},
        alter=with_settings(layer_norm_eps=1e-5),
    ),
    Fault(
        "wrong_head_count",
        "half as many heads, each twice as wide: every shape still fits",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.self \(",
        alter=_half_the_heads,
    ),
    Fault(
        "weight_not_transposed",
        "square weights used as [inputs, outputs]; nothing complains, for they are square",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.self\.query \(",
        alter=edited((r"self\.(query|key|value)\.weight$", np.transpose)),
    ),
    Fault(
        "query_and_key_swapped",
        "in the second layer the query's weights are loaded as the key's",
        departs=r"^layer 1, encoder\.layer\.1\.attention\.self\.query \(",
        alter=_query_and_key_swapped,
    ),
    Fault(
        "norm_taken_for_identity",
        "a norm whose weights are not found keeps ones and zeros",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.output \(",
        alter=edited((f"{NORM}.weight$", np.ones_like), (f"{NORM}.bias$", np.zeros_like)),
    ),
    Fault(
        "bias_left_out",
        "a linear layer without its bias; with freshly initialised weights nobody would "
        "notice, they are 0 there",
        departs=r"^layer 0, encoder\.layer\.0\.attention\.output\.dense \(",
        alter=edited((r"attention\.output\.dense\.bias$", np.zeros_like)),
    ),
    Fault(
        "positions_not_offset",
        "XLM-RoBERTa's positions counted from 0, not from the pad id on",
        departs=r"^embeddings \(",
        architecture="XLMRobertaModel",
        alter=_positions_not_offset,
    ),
    Fault(
        "weights_through_half",
        "weights stored in float16 on the way and widened again",
        departs=r"^embeddings \(",
        alter=edited(("", _through_half)),
    ),
    Fault(
        "untied_decoder",
        "a decoder with random weights of its own where it shares the word embeddings",
        departs=r"^cls\.predictions\.decoder \(",
        architecture="BertForMaskedLM",
        settings={"tie_word_embeddings": True},
        alter=_decoder_of_its_own,
    ),
)
