"""The public cases of the faults, by a fault's name: a file for each of the faults' rooms,
whose docstring is its title. What a file says of a fault is the fault's `case`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from reference.parity.faults.case import Noted
from reference.parity.faults.cases import (
    attention,
    bert,
    char_encoder,
    characters,
    checkpoint,
    distilbert,
    electra,
    heads,
    layers,
    losses,
    masked_sequence,
    masking,
    modernbert,
    mpnet,
    pipelines,
    pooling,
    roberta,
    rope,
    rope_encoder,
    training,
)

# In the order in which they are shown: from the parts of a model to what is done with it.
ROOMS: tuple[ModuleType, ...] = (
    layers,
    attention,
    bert,
    roberta,
    mpnet,
    distilbert,
    electra,
    modernbert,
    rope,
    rope_encoder,
    char_encoder,
    heads,
    masked_sequence,
    pooling,
    checkpoint,
    losses,
    masking,
    characters,
    training,
    pipelines,
)
CASES: Mapping[str, Noted] = MappingProxyType(
    {name: noted for room in ROOMS for name, noted in room.CASES.items()}
)


class InTheWild:
    """What every kind of fault has: a name, and by it its public case; None for a fault of
    your own, of which the files say nothing."""

    name: str

    @property
    def case(self) -> Noted | None:
        return CASES.get(self.name)
