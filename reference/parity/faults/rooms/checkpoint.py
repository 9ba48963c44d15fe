"""Bugs in reading a checkpoint: the code is right, what it is given is not."""

from __future__ import annotations

import numpy as np

from reference.parity.faults.fault import Fault
from reference.parity.faults.seeding import edited


def _through_half(weight: np.ndarray) -> np.ndarray:
    return weight.astype(np.float16).astype(weight.dtype)


FAULTS = (
    Fault(
        "weights_through_half",
        "weights stored in float16 on the way and widened again",
        departs=r"^embeddings \(",
        alter=edited(("", _through_half)),
    ),
)
