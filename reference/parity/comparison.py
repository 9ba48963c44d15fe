"""Hold the ports, and a stranger's implementation, against the oracle."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from itertools import chain

from reference.backend import BACKENDS, Model
from reference.checkpoint import locate, read_checkpoint
from reference.errors import InputError
from reference.parity.batch import make_batches
from reference.parity.divergence import first_divergence
from reference.parity.gate import EPSILONS, factor
from reference.parity.report import Report
from reference.parity.sample import Sample, Tensors
from reference.parity.stranger import StrangersPort, run_stranger
from reference.parity.subject import PORT, Run, Subject


def compare(
    model: str | os.PathLike[str],
    backends: Sequence[str] = BACKENDS,
    dtype: str = "float32",
    texts: Sequence[str] | None = None,
    port: StrangersPort | None = None,
) -> Report:
    """The comparison behind reference.parity.compare."""
    backends = _check_backends(backends)
    if not backends and port is None:
        raise InputError("there is nothing to compare: no backend is named and no port is given")
    if dtype not in EPSILONS:
        raise InputError(f"dtype {dtype!r} is unknown; it is one of {', '.join(EPSILONS)}")
    checkpoint = read_checkpoint(locate(model))
    subject = Subject(checkpoint, make_batches(checkpoint, texts), dtype)

    models = {backend: subject.build(backend) for backend in backends}
    runs: dict[str, Run] = {backend: partial(_run, its_model) for backend, its_model in models.items()}
    notes: dict[str, None] = {}  # each once, in order
    if port is not None:
        runs[PORT] = partial(run_stranger, port, notes)
    rows = subject.measure(runs)
    looks = {backend: partial(subject.operations, backend, its_model) for backend, its_model in models.items()}
    divergences = {backend: first_divergence(rows[backend], looks.get(backend)) for backend in runs}
    return Report(os.fspath(model), dtype, factor(dtype), tuple(chain(*rows.values())), divergences, tuple(notes))


def _run(model: Model, sample: Sample) -> Tensors:
    return sample.run(model)


def _check_backends(backends: Sequence[str]) -> tuple[str, ...]:
    backends = (backends,) if isinstance(backends, str) else tuple(backends)
    for backend in backends:
        if backend not in BACKENDS:
            raise InputError(f"backend {backend!r} is unknown; it is one of {', '.join(BACKENDS)}")
    return tuple(dict.fromkeys(backends))
