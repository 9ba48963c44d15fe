"""Hold the ports, and a stranger's implementation, against the oracle."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from reference.backend import BACKENDS, Model, check_place
from reference.checkpoint import locate, read_checkpoint
from reference.checks import check_name, check_whole
from reference.errors import InputError
from reference.parity.batch import make_batches
from reference.parity.divergence import first_divergence, strangers_divergence
from reference.parity.faults.likeness import likeness
from reference.parity.gate import EPSILONS, factor
from reference.parity.report import Report
from reference.parity.sample import PORT, Sample, Tensors
from reference.parity.stranger import Stranger, StrangersPort
from reference.parity.subject import Run, Subject


def compare(
    model: str | os.PathLike[str],
    backends: Sequence[str] = BACKENDS,
    dtype: str = "float32",
    texts: Sequence[str] | None = None,
    port: StrangersPort | None = None,
    seed: int = 0,
) -> Report:
    """The comparison behind reference.parity.compare."""
    check_name(dtype, EPSILONS, "dtype")
    seed = check_whole("seed", seed, least=0)
    backends = _check_backends(backends, dtype)
    stranger = None if port is None else Stranger(port)
    if stranger is None and not backends:
        raise InputError(
            "there is nothing to compare: no backend is named and no port is given"
        )
    checkpoint = read_checkpoint(locate(model))
    subject = Subject(checkpoint, make_batches(checkpoint, texts, seed), dtype, seed=seed)

    models = {backend: subject.build(backend) for backend in backends}
    runs: dict[str, Run] = {
        backend: partial(_run, its_model) for backend, its_model in models.items()
    }
    if stranger is not None:
        runs[PORT] = stranger.run
    rows = subject.measure(runs)
    places = checkpoint.architecture.places(checkpoint.config)
    divergences = {
        backend: first_divergence(
            rows[backend], places, partial(subject.operations, backend, its_model)
        )
        for backend, its_model in models.items()
    }
    report = Report(
        os.fspath(model),
        dtype,
        factor(dtype),
        tuple(chain(*rows.values())),
        divergences,
        oracle=subject.oracle.name,
    )
    return report if stranger is None else _with(report, stranger, subject)


def _with(report: Report, stranger: Stranger, subject: Subject) -> Report:
    """The report with what there is to say of a stranger's port."""
    checkpoint = subject.checkpoint
    places = checkpoint.architecture.places(checkpoint.config)
    rows = [row for row in report.rows if row.backend == PORT]
    divergence = strangers_divergence(rows, places)
    alike = None if divergence is None else likeness(stranger.run, subject)
    return replace(
        report,
        first_divergence=report.first_divergence | {PORT: divergence},
        notes=tuple(stranger.notes),
        unchecked={PORT: stranger.unchecked()},
        likeness={} if alike is None else {PORT: alike},
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
        check_place(backend, dtype)
    return checked
