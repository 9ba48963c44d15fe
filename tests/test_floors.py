"""Nothing imports in a circle: neither the package's modules nor those of a Rust crate."""

import ast
import re
from collections.abc import Set
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import reference

PACKAGE = Path(reference.__file__).parent
CRATES = sorted((PACKAGE.parent / "rust_ports").glob("*/src"))


def used_modules(file: Path) -> set[str]:
    """The modules of its crate that a Rust file takes something from, by `use` or by path."""
    code = re.sub(r"//.*", "", file.read_text(encoding="utf-8")).split("#[cfg(test)]")[0]
    listed = ",".join(re.findall(r"\bcrate::\{([^;]*)\};", code))
    return {*re.findall(r"\bcrate::(\w+)", code), *re.findall(r"(?:^|,)\s*(\w+)", listed)}


@pytest.mark.parametrize("source", CRATES, ids=lambda source: source.parent.name)
def test_modules_of_a_crate_form_floors(source):
    names = {file.stem for file in source.glob("*.rs")} - {"lib"}
    floors = {name: set() for name in names}
    for file in source.rglob("*.rs"):
        name = file.relative_to(source).parts[0].removesuffix(".rs")
        if name != "lib":
            floors[name] |= used_modules(file) & names - {name}
    assert len(names) < 2 or any(floors.values())
    TopologicalSorter(floors).prepare()  # raises CycleError, which names the circle


def imported_modules(file: Path, modules: Set[str]) -> set[str]:
    """The modules that a file imports as soon as it is imported itself."""
    names = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports by relative name"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= full if full <= modules else full | {node.module}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & modules


def test_modules_of_the_package_form_floors():
    def name(file: Path) -> str:
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        return ".".join(parts).removesuffix(".__init__")

    files = {name(file): file for file in PACKAGE.rglob("*.py")}
    floors = {name: imported_modules(file, files.keys()) for name, file in files.items()}
    assert any(floors.values())
    TopologicalSorter(floors).prepare()
