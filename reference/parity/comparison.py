"""Hold the ports, and a stranger's implementation, against the oracle."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain

from reference.backend import BACKENDS, Model, port_for
from reference.checkpoint import locate, read_checkpoint
from reference.checks import check_name
from reference.errors import InputError
from reference.parity.batch import make_batches
from reference.parity.divergence import first_divergence
from reference.parity.gate import EPSILONS, factor
from reference.parity.report import Report
from reference.parity.sample import Sample, Tensors
from reference.parity.stranger import StrangersPort, check_port, run_stranger
from reference.parity.subject import PORT, Run, Subject


def compare(
    model: str | os.PathLike[str],
    backends: Sequence[str] = BACKENDS,
    dtype: str = "float32",
    texts: Sequence[str] | None = None,
    port: StrangersPort | None = None,
) -> Report:
    """The comparison behind reference.parity.compare."""
    check_name(dtype, EPSILONS, "dtype")
    backends = _check_backends(backends, dtype)
    if port is not None:
        check_port(port)
    elif not backends:
        raise InputError(
            "there is nothing to compare: no backend is named and no port is given"
        )
    checkpoint = read_checkpoint(locate(model))
    subject = Subject(checkpoint, make_batches(checkpoint, texts), dtype)

    models = {backend: subject.build(backend) for backend in backends}
    runs: dict[str, Run] = {
        backend: partial(_run, its_model) for backend, its_model in models.items()
    }
    notes: dict[str, None] = {}  # each once, in order
    if port is not None:
        runs[PORT] = partial(run_stranger, port, notes)
    rows = subject.measure(runs)
    looks = {
        backend: partial(subject.operations, backend, its_model)
        for backend, its_model in models.items()
    }
    places = checkpoint.architecture.places(checkpoint.config)
    divergences = {
        backend: first_divergence(rows[backend], places, looks.get(backend)) for backend in runs
    }
    return Report(
        os.fspath(model),
        dtype,
        factor(dtype),
        tuple(chain(*rows.values())),
        divergences,
        tuple(notes),
    )


def _run(model: Model, sample: Sample) -> Tensors:
    return sample.run(model)


def _check_backends(backends: Sequence[str], dtype: str) -> tuple[str, ...]:
    """Backends that compute in that dtype, each once; told before the oracle is built, which
    takes its time."""
    names = (backends,) if isinstance(backends, str) else backends
    if not isinstance(names, Iterable):
        raise InputError(
            f"backends is {backends!r:.80}; it must be a list of names out of "
            f"{', '.join(BACKENDS)}"
        )
    checked = tuple(dict.fromkeys(check_name(name, BACKENDS, "backend") for name in names))
    for backend in checked:
        port_for(backend, dtype)
    return checked
