"""The page's WebAssembly, run by Node: what the tests hold it to is what a reader's browser
runs."""

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_found = importlib.util.spec_from_file_location(
    "model_in_node", ROOT / "book" / "model_in_node.py"
)
in_node = importlib.util.module_from_spec(_found)
_found.loader.exec_module(in_node)

KEPT = in_node.KEPT
# Compiled from the sources as they are, if this machine can.
COMPILED = ROOT / ".venv" / "wasm" / "encoders.wasm.gz"
FILES = {KEPT: "kept", COMPILED: "compiled"}


@pytest.fixture(scope="module", params=FILES, ids=FILES.get)
def wasm(request) -> Iterator[in_node.Wasm]:
    if not request.param.is_file():
        pytest.skip(f"{request.param.relative_to(ROOT)} was not compiled on this machine")
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    running = in_node.Wasm(request.param)
    yield running
    running.close()
