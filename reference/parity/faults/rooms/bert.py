"""Bugs of BERT: embeddings, residuals, pooler."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reference.families.bert import BertConfig
from reference.inputs import Inputs
from reference.parity.faults.fault import Code, Fault, Patch
from reference.parity.faults.seeding import Around
from reference.parity.sample import Tensors


class TypesIgnored(Around):
    def forward(self, inputs: Inputs, states: bool = False) -> dict[str, Any]:
        return self.model.forward(replace(inputs, token_type_ids=None), states)

    def trace(self, inputs: Inputs, operations: Any) -> dict[str, np.ndarray]:
        return self.model.trace(replace(inputs, token_type_ids=None), operations)


def _positions_run_on(code: Code) -> list[Patch]:
    plain = code.attention.positions
    return [(code.bert, "positions", lambda cu_seqlens: plain(cu_seqlens[[0, -1]]))]


def _query_and_key_swapped(config: BertConfig, tensors: Tensors) -> tuple[BertConfig, Tensors]:
    at = "encoder.layer.1.attention.self."
    swapped = {f"{at}query": f"{at}key", f"{at}key": f"{at}query"}
    renamed = {}
    for key in tensors:
        stem, dot, name = key.rpartition(".")
        renamed[key] = tensors[swapped.get(stem, stem) + dot + name]
    return config, renamed


def _residual_after_norm(code: Code) -> list[Patch]:
    def output(self: Any, wide: Any, residual: Any) -> Any:
        return self.LayerNorm(self.dense(wide)) + residual

    return [(code.bert.BertOutput, code.call, output)]


def _cut_gradient(code: Code) -> list[Patch]:
    def output(self: Any, context: Any, residual: Any) -> Any:
        return self.LayerNorm(self.dense(context) + code.without_gradient(residual))

    return [(code.bert.BertSelfOutput, code.call, output)]


def _wrong_axis(code: Code) -> list[Patch]:
    plain = code.bert.first_tokens

    def first(hidden: Any, cu_seqlens: Any) -> Any:
        return plain(hidden, cu_seqlens) if cu_seqlens is not None else hidden[:, :, 0]

    return [(code.bert, "first_tokens", first)]


def _no_tanh(code: Code) -> list[Patch]:
    return [(code.bert.BertPooler, code.call, lambda self, first: self.dense(first))]


FAULTS = (
    Fault(
        "token_types_ignored",
        "every token is of the first type: right until a pair of texts comes",
        departs=r"^embeddings \(",
        around=TypesIgnored,
    ),
    Fault(
        "packed_positions_run_on",
        "positions that do not start again at each text of a packed row",
        departs=r"^the embeddings of the packed row",
        settings={"max_position_embeddings": 512},
        patch=_positions_run_on,
    ),
    Fault(
        "query_and_key_swapped",
        "in the second layer the query's weights are loaded as the key's",
        departs=r"^layer 1, encoder\.layer\.1\.attention\.self\.query \(",
        alter=_query_and_key_swapped,
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
)
