"""Hold the ports, and a stranger's implementation, against the oracle."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from reference.backend import BACKENDS, Model, build
from reference.checkpoint import locate, read_checkpoint
from reference.errors import InputError
from reference.parity.batch import make_batch
from reference.parity.divergence import first_divergence
from reference.parity.gate import EPSILONS
from reference.parity.report import Divergence, Report, Row
from reference.parity.stranger import StrangersPort, run_stranger
from reference.parity.subject import Subject


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
    subject = Subject(checkpoint, make_batch(checkpoint, texts), dtype)

    rows: list[Row] = []
    divergences: dict[str, Divergence | None] = {}
    for backend in backends:
        found = compare_backend(subject, backend)
        divergences[backend] = first_divergence(*found)
        rows += found[0]
    notes: list[str] = []
    if port is not None:
        its_rows = _compare_stranger(subject, port, notes)
        divergences["port"] = first_divergence(its_rows)
        rows += its_rows
    factor = subject.gate("port").factor
    return Report(os.fspath(model), dtype, factor, tuple(rows), divergences, tuple(notes))


def compare_backend(subject: Subject, backend: str) -> tuple[list[Row], partial[list[Row]]]:
    """A row for every tensor of a port, and the way to look at its single operations."""
    checkpoint = subject.checkpoint
    model = build(backend, checkpoint.config, checkpoint.architecture.name, checkpoint.tensors, subject.dtype)
    return compare_model(subject, backend, model), partial(subject.operations, backend, model)


def compare_model(subject: Subject, backend: str, model: Model) -> list[Row]:
    """A row for every tensor of a model that a port has built."""
    gate, found = subject.gate(backend), subject.run(model)
    return [gate.row(backend, name, found.get(name), truth) for name, truth in subject.truth.items()]


def _compare_stranger(subject: Subject, port: StrangersPort, notes: list[str]) -> list[Row]:
    gate, found = subject.gate("port"), run_stranger(port, subject, notes)
    return [gate.row("port", name, found[name], truth) for name, truth in subject.truth.items() if name in found]


def _check_backends(backends: Sequence[str]) -> tuple[str, ...]:
    backends = (backends,) if isinstance(backends, str) else tuple(backends)
    for backend in backends:
        if backend not in BACKENDS:
            raise InputError(f"backend {backend!r} is unknown; it is one of {', '.join(BACKENDS)}")
    return tuple(dict.fromkeys(backends))
