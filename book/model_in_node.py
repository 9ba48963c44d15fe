"""What a reader's browser runs, run by Node: a port like any other, to be held against the
oracle."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from reference.checkpoint import locate

HERE = Path(__file__).parent
KEPT = HERE.parent / "rust_ports" / "wasm" / "encoders.wasm.gz"
READ = (".json", ".safetensors", ".int8")


class Wasm:
    """A process that answers questions."""

    def __init__(self, file: Path = KEPT) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        command = ["node", str(HERE / "model_in_node.js"), str(file)]
        self.process = subprocess.Popen(command, **pipes, text=True, encoding="utf-8")

    def ask(self, **question: object) -> dict:
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def put(self, folder: Path, name: str) -> None:
        """Hands over what a folder holds."""
        for path in sorted(folder.rglob("*")):
            if path.suffix in READ:
                self._answer(put=[f"{name}/{path.relative_to(folder).as_posix()}", str(path)])

    def load(self, name: str, folder: str, **settings: object) -> None:
        self._answer(do="load", name=name, folder=folder, **settings)

    def port(self, name: str) -> Callable[..., dict]:
        """The model of that name as `reference.parity.compare` takes a port."""

        def forward(input_ids, attention_mask, token_type_ids) -> dict:
            given = {
                "input_ids": input_ids,
                "attention_mask": attention_mask,
                "token_type_ids": token_type_ids,
            }
            lists = {key: np.asarray(value).tolist() for key, value in given.items()}
            answer = self._answer(do="forward", name=name, **lists)
            return {key: arrays(value) for key, value in answer.items()}

        return forward

    def _answer(self, **question: object) -> dict:
        answer = self.ask(**question)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)


def arrays(answer: object) -> object:
    """Shapes and numbers as arrays."""
    if isinstance(answer, list):
        return [arrays(part) for part in answer]
    return np.array(answer["numbers"], dtype=np.float32).reshape(answer["shape"])


def in_the_page(model: str, **settings: object) -> Callable[..., dict] | None:
    """A model as the book's pages compute it, in float32; nothing where Node is missing."""
    if shutil.which("node") is None:
        return None
    wasm = Wasm()
    wasm.put(Path(locate(model)), "model")
    wasm.load("model", "model", **settings)
    return wasm.port("model")
