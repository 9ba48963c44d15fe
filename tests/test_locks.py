"""The locks pin everything that pyproject.toml asks for, by version and by hash, and nothing
beside it."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"].values()
LOCKS = {
    "requirements.txt": [*PROJECT["project"]["dependencies"], *chain.from_iterable(EXTRAS)],
} | {f"requirements-{name}.txt": group for name, group in PROJECT["dependency-groups"].items()}


def pins(lock: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Each line of a lock (some packages have two, for two Pythons), and the hashes below
    it."""
    lines = (ROOT / lock).read_text().replace(" \\\n", "").splitlines()
    parts = (re.split(r"\s+--hash=", line) for line in lines)
    return {pin: (Requirement(pin), hashes) for pin, *hashes in parts}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_each_package_by_version_and_hash(lock):
    for pin, (requirement, hashes) in pins(lock).items():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), pin
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", item) for item in hashes)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_is_asked_for(lock):
    pinned = [requirement for requirement, _ in pins(lock).values()]
    for wanted in map(Requirement, LOCKS[lock]):
        found = [requirement for requirement in pinned if requirement.name == wanted.name]
        assert found, f"{wanted} is not in {lock}; make lock renews it"
        for requirement in found:
            version = str(requirement.specifier).removeprefix("==")
            assert wanted.specifier.contains(version, prereleases=True), wanted


def test_what_several_locks_hold_is_the_same():
    """A stranger is measured beside the very MLX and NumPy that the ports are."""
    ours, *others = (
        {
            (requirement.name, str(requirement.specifier))
            for requirement, _ in pins(lock).values()
        }
        for lock in LOCKS
    )
    names = {name for name, _ in ours}
    assert {"mlx", "numpy", "requests"} <= names
    for theirs in others:
        assert names.isdisjoint(name for name, _ in theirs - ours)


def test_strangers_are_not_among_what_book_and_tests_install():
    ours = {requirement.name for requirement, _ in pins("requirements.txt").values()}
    assert ours.isdisjoint({"mlx-embeddings", "mlx-vlm"})


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(lock):
    """Whoever installs it decides where from."""
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|--index-url|--extra-index-url|--find-links", text)


def test_an_advisory_is_ignored_for_a_reason():
    text = (ROOT / "rust_ports" / ".cargo" / "audit.toml").read_text()
    ignored = tomllib.loads(text)["advisories"]["ignore"]
    reasons = dict(re.findall(r'^ *"(RUSTSEC-[\d-]+)", # (\w.{20,})$', text, re.MULTILINE))
    assert set(ignored) == set(reasons)


def test_every_lock_of_rust_is_audited():
    (listed,) = re.findall(
        r"^rust_locks=\((.*?)^\)",
        (ROOT / ".ci" / "audit").read_text(),
        re.DOTALL | re.MULTILINE,
    )
    crates = [ROOT / "rust_ports", ROOT / "book"]
    found = {lock for crate in crates for lock in crate.rglob("Cargo.lock")}
    names = {str(lock.relative_to(ROOT)) for lock in found if "target" not in lock.parts}
    assert set(listed.split()) == names
