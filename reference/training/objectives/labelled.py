"""What the objectives share that learn labels: rows, names of labels, weights of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.checks import check_number
from reference.errors import InputError
from reference.families import EncoderConfig
from reference.inputs import Inputs, pack
from reference.pipelines.batching import run_in_batches

ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Row:
    """A text or a part of one as ids, and what is to be learned of it."""

    ids: Sequence[int]
    types: Sequence[int]  # of the tokens: 0, of the second text of a pair 1
    label: Any

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, place: int) -> int:
        return self.ids[place]


def inputs_of(rows: Sequence[Row]) -> Inputs:
    """One packed batch."""
    ids, bounds = pack([row.ids for row in rows])
    types = np.concatenate([np.asarray(row.types, np.int64) for row in rows])
    return Inputs(ids, None, types if types.any() else None, bounds)


def logits_of(model: Any, rows: Sequence[Row], by_token: bool) -> list[np.ndarray]:
    """The scores of each row: [labels], or [tokens, labels]."""

    def run(batch: Sequence[Row]) -> Sequence[np.ndarray]:
        inputs = inputs_of(batch)
        logits = model.forward(inputs)["logits"]
        return np.split(logits, inputs.cu_seqlens[1:-1]) if by_token else logits

    return run_in_batches(run, rows, ROWS_AT_ONCE)


def named(labels: Iterable[str], config: EncoderConfig, first: Sequence[str] = ()) -> dict:
    """id2label for these labels: that of the model, if it knows them all already, so that it
    goes on with what it has learned; else `first` and the others in order."""
    there = set(labels)
    if there <= set(config.id2label.values()):
        return dict(config.id2label)
    as_numbers = all(label.isdecimal() for label in there)
    others = sorted(there - set(first), key=int if as_numbers else str)
    return dict(enumerate([*(one for one in first if one in there), *others]))


def check_weights(weights: Mapping[str, float] | None) -> Mapping[str, float] | None:
    """Weights of classes, by their labels."""
    if weights is None:
        return None
    if not isinstance(weights, Mapping) or not weights:
        raise InputError(
            f"class_weights are {weights!r:.80}; they must be a table from label to weight"
        )
    for label, weight in weights.items():
        if check_number(f"the weight of {label!r:.80}", weight, least=0.0) == 0:
            raise InputError(f"the weight of {label!r:.80} is 0; leave its texts out instead")
    return dict(weights)


def weights_of(
    weights: Mapping[str, float], id2label: Mapping[int, str], name: str = "class_weights"
) -> np.ndarray:
    """A weight for each label number; 1 where none is given."""
    labels = id2label.values()
    given = {str(label): weight for label, weight in weights.items()}
    if unknown := [label for label in given if label not in labels]:
        raise InputError(
            f"{name} has {unknown[0]!r:.80}, which is no label here; there are "
            f"{', '.join(labels):.200}"
        )
    return np.array([given.get(label, 1.0) for label in labels])
