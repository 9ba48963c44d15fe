"""How far beyond the gate each fault lands."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from reference.backend import Model
from reference.checkpoint import locate, read_checkpoint
from reference.errors import InputError
from reference.parity.batch import make_batches
from reference.parity.divergence import first_divergence
from reference.parity.faults.fault import Fault
from reference.parity.faults.known import FAULTS, find
from reference.parity.random_models import random_checkpoint
from reference.parity.report import Divergence, Row
from reference.parity.sample import Sample, Tensors
from reference.parity.subject import Subject
from reference.parity.tables import html_table, text_table


@dataclass(frozen=True)
class Finding:
    """What a comparison said of a port with a fault in it."""

    fault: Fault
    backend: str
    rows: tuple[Row, ...]
    divergence: Divergence | None
    cosines: Mapping[
        str, float
    ]  # of each tensor with the truth, to show how little a cosine says

    @property
    def caught(self) -> bool:
        return not all(row.passed for row in self.rows)

    @property
    def located(self) -> bool:
        """Whether the report names the place where the fault is."""
        return self.divergence is not None and bool(
            re.search(self.fault.departs, str(self.divergence))
        )

    @property
    def worst(self) -> Row:
        """The tensor that is off by most noise floors; infinitely many where it is NaN or has
        another shape."""
        return max(self.rows, key=lambda row: row.ratio)

    @property
    def cosine(self) -> float:
        """The worst tensor's; NaN where it has none."""
        return self.cosines[self.worst.tensor]


class RandomGrounds:
    """Random checkpoints in a folder, one for each set of needs, with Transformers' results on
    them.

    One batch will do: a bug that needs a second one to show would be a strange bug.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.subjects: dict[str, Subject] = {}

    def subject(self, fault: Fault) -> Subject:
        key = f"{fault.architecture} {sorted(fault.settings.items())} {fault.dtype}"
        if key not in self.subjects:
            folder = self.folder / str(len(self.subjects))
            checkpoint = read_checkpoint(
                random_checkpoint(folder, fault.architecture, **fault.settings)
            )
            self.subjects[key] = Subject(
                checkpoint, make_batches(checkpoint)[:1], fault.dtype, keep=True
            )
        return self.subjects[key]


class RealGrounds:
    """A checkpoint of one's own."""

    def __init__(self, model: str | os.PathLike[str]) -> None:
        self.checkpoint = read_checkpoint(locate(model))
        self.subjects: dict[str, Subject] = {}

    def subject(self, fault: Fault) -> Subject | None:
        if not fault.shows_on(self.checkpoint):
            return None
        if fault.dtype not in self.subjects:
            batches = make_batches(self.checkpoint)[:1]
            self.subjects[fault.dtype] = Subject(
                self.checkpoint, batches, fault.dtype, keep=True
            )
        return self.subjects[fault.dtype]


def measure(
    faults: Iterable[Fault | str] | None = None,
    backend: str = "torch",
    model: str | os.PathLike[str] | None = None,
) -> Findings:
    """Seed faults in a backend, one after another; None takes all that can be seeded there.

    Each fault meets a random checkpoint on which it shows, or `model`, if that has what the
    fault needs; the others are left out.
    """
    chosen = [find(fault) for fault in (FAULTS if faults is None else faults)]
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        grounds = RandomGrounds(Path(folder)) if model is None else RealGrounds(model)
        for fault in chosen:
            if backend in fault.backends and (subject := grounds.subject(fault)) is not None:
                findings.append(seed(fault, backend, subject))
            elif faults is not None and backend not in fault.backends:
                raise InputError(
                    f"{fault.name} can be seeded in {', '.join(fault.backends)}, not in "
                    f"{backend}"
                )
    return Findings(findings)


def seed(fault: Fault, backend: str, subject: Subject) -> Finding:
    """Build the backend's port with the fault in it, and hold it against the oracle."""
    cosines: dict[str, float] = {}
    with fault.seeded(backend, subject.checkpoint, subject.dtype) as model:
        rows = subject.measure({backend: partial(_run, model, cosines)})[backend]
        places = subject.checkpoint.architecture.places(subject.checkpoint.config)
        look = partial(subject.operations, backend, model)
        divergence = first_divergence(rows, places, look)
    return Finding(fault, backend, tuple(rows), divergence, cosines)


class Findings(list[Finding]):
    """Findings that show themselves as a table."""

    HEADER = ("fault", "worst tensor", "floors", "its cosine", "first divergence")
    LEFT = (0, 1, 4)

    def __repr__(self) -> str:
        return text_table(self.HEADER, self._lines(), self.LEFT)

    def _repr_html_(self) -> str:
        table = html_table(self.HEADER, self._lines(), self.LEFT)
        return f'<div class="parity-report">\n{table}\n</div>'

    def _lines(self) -> list[list[str]]:
        return [
            [
                finding.fault.name.replace("_", " "),
                finding.worst.tensor,
                f"{finding.worst.ratio:.2g}",
                "" if np.isnan(finding.cosine) else f"{finding.cosine:.9f}",
                "none" if finding.divergence is None else str(finding.divergence),
            ]
            for finding in self
        ]


def _run(model: Model, cosines: dict[str, float], sample: Sample) -> Tensors:
    found = sample.run(model)
    for name, truth in sample.truth.items():
        cosines[name] = _cosine(found.get(name), truth)
    return found


def _cosine(found: np.ndarray | None, truth: np.ndarray) -> float:
    if found is None or found.shape != truth.shape or not np.isfinite(found).all():
        return float("nan")
    found = found.astype(np.float64)
    lengths = np.linalg.norm(found) * np.linalg.norm(truth)
    return float((found * truth).sum() / lengths) if lengths else 1.0
