"""One version and one licence, wherever they are written."""

import hashlib
import tomllib
from pathlib import Path

import yaml

import reference

ROOT = Path(__file__).parents[2]
# of the text that apache.org publishes
APACHE = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def toml(name: str) -> dict:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def citation() -> dict:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_there_is_one_version():
    workspace = toml("rust_ports/Cargo.toml")["workspace"]["package"]
    project = toml("pyproject.toml")["project"]
    versions = {workspace["version"], project["version"], reference.__version__}
    assert versions == {citation()["version"]}


def test_there_is_one_licence():
    workspace = toml("rust_ports/Cargo.toml")["workspace"]
    project = toml("pyproject.toml")["project"]
    licences = {workspace["package"]["license"], project["license"], citation()["license"]}
    assert licences == {"Apache-2.0"}
    for member in workspace["members"]:
        package = toml(f"rust_ports/{member}/Cargo.toml")["package"]
        assert package["license"] == {"workspace": True}, member


def test_the_text_of_the_licence_comes_along():
    text = (ROOT / "LICENSE").read_bytes()
    assert hashlib.sha256(text).hexdigest() == APACHE
    assert toml("pyproject.toml")["project"]["license-files"] == ["LICENSE"]
    assert (ROOT / "reference" / "py.typed").is_file()
