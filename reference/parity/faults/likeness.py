"""Which known bug a stranger's results look like."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np

from reference.parity.faults.fault import Fault
from reference.parity.faults.known import FAULTS
from reference.parity.gate import Tally, error, is_gradient
from reference.parity.report import Likeness
from reference.parity.sample import PORT, Sample, Tensors
from reference.parity.subject import Subject

BACKEND = "torch"  # where the bugs are seeded
# A stranger's results must be so many times nearer to a fault's than to the truth, counted in
# noise floors.
NEARER = 8.0
ROUNDING = (
    8.0  # noise floors between two ports with one bug: each has two, and the bug adds some
)


def likeness(run: Callable[[Sample], Tensors], subject: Subject) -> Likeness | None:
    """The known fault whose results agree with a stranger's, if one does, on the first batch on
    which the stranger departs from the truth."""
    for sample in _padded_on_the_right(subject):
        returned = run(sample)
        truth = {n: array for n, array in sample.offered.items() if n in returned}
        found = {name: returned[name] for name in truth}
        tally = Tally(PORT, subject.dtype)
        tally.add(found, truth, sample.offered_floors)
        if not all(row.passed for row in tally.rows()):
            return _nearest(found, truth, sample)
    return None


def _padded_on_the_right(subject: Subject) -> Iterator[Sample]:
    """There a packed row and a padded batch have the same sentence embeddings, and our ports
    make them of packed rows."""
    pad = subject.checkpoint.config.pad_token_id or 0
    for sample in subject:
        batch = sample.batch.padded_on_the_right(pad)
        yield Sample(sample.oracle, sample.noisy, batch, sample.seed)


def _nearest(found: Tensors, truth: Tensors, sample: Sample) -> Likeness | None:
    floors = sample.offered_floors
    departure = _distance(found, truth, floors)
    if not np.isfinite(departure):  # NaN looks like every other NaN
        return None
    nearest, least = None, departure / NEARER
    for fault in FAULTS.values():
        seeded = _seeded(fault, sample, found) if fault.fits(sample.checkpoint) else None
        if seeded is not None and (distance := _distance(found, seeded, floors)) <= least:
            difference = _distance(found, seeded, _scales(truth))
            exact = distance <= ROUNDING
            nearest, least = Likeness(fault.name, fault.story, difference, exact), distance
    return nearest


def _seeded(fault: Fault, sample: Sample, names: Collection[str]) -> Tensors | None:
    """What a port with that bug returns under these names; None where the bug cannot be seeded
    in this model."""
    packed = any(name.startswith("packed.") or name == "sentence_embedding" for name in names)
    backward = any(name == "loss" or is_gradient(name) for name in names)
    checkpoint, dtype = sample.checkpoint, sample.noisy.dtype
    try:
        with np.errstate(all="ignore"), fault.seeded(BACKEND, checkpoint, dtype) as model:
            found = sample.run_padded(model)
            found |= sample.run_packed(model) if packed else {}
            found |= sample.run_backward(model) if backward else {}
    except Exception:
        return None
    if "sentence_embedding" in found:
        found["packed.sentence_embedding"] = found["sentence_embedding"]
    return found


def _distance(found: Tensors, other: Tensors, units: Mapping[str, float]) -> float:
    """The largest difference in units of each tensor's own."""
    return max(
        error(array, other[name].astype(np.float64)) / (units[name] or 1.0)
        if name in other
        else np.inf
        for name, array in found.items()
    )


def _scales(truth: Tensors) -> dict[str, float]:
    """Largest values. Gradients have one together: some are zero but for the rounding of
    others."""
    sizes = {name: float(np.abs(array).max(initial=0.0)) for name, array in truth.items()}
    gradients = max((size for name, size in sizes.items() if is_gradient(name)), default=0.0)
    return {name: gradients if is_gradient(name) else size for name, size in sizes.items()}
