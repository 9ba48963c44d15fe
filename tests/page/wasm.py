"""The page's WebAssembly, run by Node: what the tests hold it to is what a reader's browser
runs."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "rust_ports" / "wasm" / "encoders.wasm.gz"
# Compiled from the sources as they are, if this machine can.
COMPILED = ROOT / ".venv" / "wasm" / "encoders.wasm.gz"
FILES = {KEPT: "kept", COMPILED: "compiled"}


class Wasm:
    """A process that answers questions."""

    def __init__(self, file: Path) -> None:
        script = Path(__file__).with_name("answer.js")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        command = ["node", str(script), str(file)]
        self.process = subprocess.Popen(command, **pipes, text=True, encoding="utf-8")

    def ask(self, **question: object) -> dict:
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def put(self, folder: Path, name: str) -> None:
        """Hands over what a folder holds."""
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".json", ".safetensors", ".int8"):
                self.ask(put=[f"{name}/{path.relative_to(folder).as_posix()}", str(path)])

    def load(self, name: str, folder: str, **settings: object) -> None:
        answer = self.ask(do="load", name=name, folder=folder, **settings)
        assert "error" not in answer, answer

    def port(self, name: str):
        """The model of that name as a stranger's port, which `compare` measures."""

        def forward(input_ids, attention_mask, token_type_ids) -> dict:
            given = {
                "input_ids": input_ids,
                "attention_mask": attention_mask,
                "token_type_ids": token_type_ids,
            }
            lists = {key: np.asarray(value).tolist() for key, value in given.items()}
            answer = self.ask(do="forward", name=name, **lists)
            assert "error" not in answer, answer
            return {key: arrays(value) for key, value in answer.items()}

        return forward


def arrays(answer: object) -> object:
    """Shapes and numbers as arrays."""
    if isinstance(answer, list):
        return [arrays(part) for part in answer]
    return np.array(answer["numbers"], dtype=np.float32).reshape(answer["shape"])


@pytest.fixture(scope="module", params=FILES, ids=FILES.get)
def wasm(request) -> Iterator[Wasm]:
    if not request.param.is_file():
        pytest.skip(f"{request.param.relative_to(ROOT)} was not compiled on this machine")
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    running = Wasm(request.param)
    yield running
    running.process.stdin.close()
    running.process.wait(timeout=60)
