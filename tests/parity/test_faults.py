"""The gates catch every seeded fault, and the report names the place; without a fault they are
silent."""

from inspect import getattr_static

import pytest

import reference
from reference.backend import BACKENDS
from reference.errors import InputError
from reference.parity.batch import random_batch
from reference.parity.faults import FAULTS, Code, Fault, measure, seed
from reference.parity.faults.fault import PATCHABLE
from reference.parity.subject import Subject

SEEDED = [(fault, backend) for fault in FAULTS.values() for backend in fault.backends]


@pytest.mark.parametrize(
    ("fault", "backend"), SEEDED, ids=[f"{fault.name}-{backend}" for fault, backend in SEEDED]
)
@pytest.mark.usefixtures("shapes_not_looked_at")  # those without a fault, below, are
def test_fault_is_caught_and_located(grounds, fault, backend):
    finding = seed(fault, backend, grounds.subject(fault))
    assert finding.caught, f"{finding.worst} passes"
    assert finding.located, f"the report points to {finding.divergence}"
    assert finding.worst.ratio > 10, "a fault as near to the gate as this proves little"


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_alarm_without_a_fault(grounds, backend):
    """A floor from one batch is one draw of a rounding error: where a port exceeds its gate,
    more of them decide."""
    subjects = {id(subject): subject for subject in map(grounds.subject, FAULTS.values())}
    for subject in subjects.values():
        if alarms(subject, backend):
            more = [random_batch(subject.checkpoint.config, seed=seed) for seed in range(1, 25)]
            assert not alarms(Subject(subject.checkpoint, more, subject.dtype), backend)


def alarms(subject, backend):
    model = subject.build(backend)
    rows = subject.measure({backend: lambda sample: sample.run(model)})[backend]
    return [row for row in rows if not row.passed]


@pytest.mark.parametrize("backend", PATCHABLE)
def test_patches_are_taken_back(grounds, backend):
    for fault in FAULTS.values():
        patches = [] if fault.patch is None else fault.patch(Code(backend))
        plain = [getattr_static(owner, name) for owner, name, _ in patches]
        with fault.seeded(backend, grounds.subject(fault).checkpoint, fault.dtype):
            assert all(
                getattr_static(owner, name) is not its
                for (owner, name, _), its in zip(patches, plain, strict=True)
            )
        assert all(
            getattr_static(owner, name) is its
            for (owner, name, _), its in zip(patches, plain, strict=True)
        )


def test_a_wrong_epsilon_shows_on_real_weights(minilm):
    """1e-5 where 1e-12 is meant is far beyond the gate: an embedding of one token has a
    variance of only 0.002."""
    (finding,) = measure(["wrong_epsilon"], model=minilm)
    assert finding.caught and finding.located
    assert finding.worst.ratio > 100


def test_a_cosine_would_pass_most_of_them():
    findings = measure(["tanh_gelu", "weights_through_half", "wrong_epsilon"])
    assert all(finding.cosine > 0.999 and finding.caught for finding in findings)


def test_findings_print_themselves():
    findings = measure(["tanh_gelu"], backend="candle")
    assert "layer 0, encoder.layer.0.intermediate (the activation)" in repr(findings)
    assert "<table>" in findings._repr_html_()


def test_unknown_and_impossible_faults_are_refused():
    with pytest.raises(InputError, match=r"one of mask_dropped, .*temperature_multiplied"):
        measure(["no such fault"])
    with pytest.raises(InputError, match="torch, mlx, not in candle"):
        measure(["pooler_without_tanh"], backend="candle")


def test_a_fault_of_ones_own():
    fault = Fault(
        "nothing", "no change at all", alter=lambda config, tensors: (config, tensors)
    )
    (finding,) = reference.parity.faults.measure([fault])
    assert not finding.caught and finding.divergence is None
