"""Bugs of RoBERTa."""

from __future__ import annotations

from functools import partial

import numpy as np

from reference.families.bert import BertConfig
from reference.parity.faults.fault import Fault
from reference.parity.faults.seeding import edited
from reference.parity.sample import Tensors


def _positions_not_offset(config: BertConfig, tensors: Tensors) -> tuple[BertConfig, Tensors]:
    """Counting from 0 reads row i where row i + pad + 1 is meant."""
    roll = partial(np.roll, shift=config.pad_token_id + 1, axis=0)
    return edited(("position_embeddings", roll))(config, tensors)


FAULTS = (
    Fault(
        "positions_not_offset",
        "XLM-RoBERTa's positions counted from 0, not from the pad id on",
        departs=r"^embeddings \(",
        architecture="XLMRobertaModel",
        alter=_positions_not_offset,
    ),
)
