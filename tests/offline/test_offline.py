"""Nothing asks for the network but a hub id: the package is used with every connection
refused and noted, in its own process and in those that it starts."""

import ast
import importlib.util
import os
import pkgutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import reference
from reference.parity import random_checkpoint

PACKAGE = str(Path(reference.__file__).parents[1])
SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


class Offline:
    """Runs Python without a network, and with none of the switches that keep the hub's
    libraries from asking for it."""

    def __init__(self, folder: Path) -> None:
        self.notes = folder / "notes"
        self.environment = {
            key: value for key, value in os.environ.items() if key not in SWITCHES
        } | {
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), PACKAGE]),
            "NETWORK_NOTES": str(self.notes),
            "HF_HOME": str(folder / "cache"),  # which is empty
        }

    def run(self, *arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def attempts(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


class Hub:
    """A hub on this machine that has no model, and remembers what it was asked for."""

    def __init__(self) -> None:
        requests: list[tuple[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append((self.path, self.headers["user-agent"]))
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass

        self.requests = requests
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def offline(tmp_path):
    return Offline(tmp_path)


@pytest.fixture(scope="module")
def masked_lm(tmp_path_factory):
    return random_checkpoint(
        tmp_path_factory.mktemp("models") / "masked-lm",
        "ModernBertForMaskedLM",
        tokenizer="encoders-three-ways/modernbert-docstrings",
    )


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('example.org', 80))",
        "import socket; socket.create_connection(('127.0.0.1', 80))",
        "import urllib.request; urllib.request.urlopen('http://example.org')",
        "import httpx2; httpx2.get('http://example.org')",
    ],
)
def test_an_attempt_is_refused_and_noted(offline, attempt):
    """In a process and in its children; otherwise the tests below would prove nothing."""
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {attempt!r}])"
    for done in (offline.run("-c", attempt), offline.run("-c", code)):
        assert "there is no network here" in done.stderr
    assert len(offline.attempts()) == 2


def test_every_module_is_imported_in_silence(offline):
    """No module prints or warns when it is imported, and none asks for the network."""
    names = [
        module.name
        for module in pkgutil.walk_packages(reference.__path__, "reference.")
        if module.name != "reference.__main__"
    ]
    assert {"reference.torch.port", "reference.mlx.port", "reference.candle.port"} <= {*names}
    done = offline.run(
        "-c", f"import importlib\nfor name in {names}: importlib.import_module(name)"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not offline.attempts()


def test_the_front_door(offline, masked_lm, backend):
    code = f"""
import reference
model = reference.load("sentence-transformers/all-MiniLM-L6-v2", backend={backend!r})
assert model.encode(["a text", "another"]).shape == (2, 384)
assert model.similarity(["a cat"], ["a kitten"]).scores.shape == (1, 1)
model = reference.load({str(masked_lm)!r}, backend={backend!r}, pipeline="masked-lm")
assert model.forward([[1, 2, 3]])["logits"].shape[:2] == (1, 3)
model = reference.load("encoders-three-ways/modernbert-packages", backend={backend!r})
assert len(model.classify("Return the shortest path.").labels) == 12
model = reference.load("encoders-three-ways/modernbert-parameters", backend={backend!r})
assert model.tag("Args: axis (int): Along which.")[0].text == "axis"
model = reference.load("encoders-three-ways/modernbert-search", backend={backend!r})
assert model.encode("Return the mean.").shape == (192,)
model = reference.load("encoders-three-ways/characters-packages", backend={backend!r})
assert len(model.classify("Retrun teh shortest path.").labels) == 12
"""
    done = offline.run("-c", code)
    assert done.returncode == 0, done.stderr
    assert not offline.attempts()


@pytest.mark.parametrize(
    "command",
    [
        "--version",
        "embed a --backend candle",
        "similar a --to b --backend mlx",
        "info {masked_lm} --format json",
        "parity {masked_lm} --backends torch",
        "bench --rounds 1 --count 2 --peers sentence-transformers --backends none",
    ],
)
def test_the_command_line(offline, masked_lm, command):
    done = offline.run("-m", "reference", *command.format(masked_lm=masked_lm).split())
    assert done.returncode == 0, done.stderr
    assert not offline.attempts()


def test_a_hub_id_is_what_asks_for_the_network(offline):
    """And then the error is the package's own, one line of it."""
    done = offline.run("-m", "reference", "embed", "a", "--model", "somebody/some-model")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: somebody/some-model is neither a folder here, nor in")
    assert offline.attempts() and all("huggingface.co" in text for text in offline.attempts())


def test_a_switch_forbids_even_that(offline):
    offline.environment["HF_HUB_OFFLINE"] = "1"
    done = offline.run("-m", "reference", "info", "somebody/some-model")
    assert done.returncode == 2 and done.stderr.startswith(
        "error: somebody/some-model is neither"
    )
    assert not offline.attempts()


def test_the_hub_is_asked_for_the_model_and_told_nothing(offline):
    """The library that asks has telemetry of its own, which is off."""
    with Hub() as hub:
        offline.environment |= {"PYTHONPATH": PACKAGE, "HF_ENDPOINT": hub.address}
        done = offline.run("-c", "import reference; reference.load('somebody/some-model')")
    assert done.stderr.splitlines()[-1].startswith(
        "reference.errors.CheckpointError: somebody/"
    )
    assert hub.requests
    for path, agent in hub.requests:
        assert path.startswith("/api/models/somebody/some-model")
        assert "torch" not in agent and "agent/" not in agent


def test_the_compiled_port_cannot_reach_a_network():
    """Python sees what Python asks for; the Rust code is linked with nothing that finds a
    host."""
    native = Path(importlib.util.find_spec("reference.candle._native").origin).read_bytes()
    assert b"PyInit__native" in native
    assert b"getaddrinfo" not in native and b"gethostbyname" not in native


def test_one_file_imports_what_reaches_a_network_and_none_opens_pickles():
    wary = "ftplib http httpx2 marshal pickle requests shelve socket ssl urllib huggingface_hub"
    found = {
        (path.name, name)
        for path in Path(reference.__file__).parent.rglob("*.py")
        for name in imported(path) & set(wary.split())
    }
    assert found == {("checkpoint.py", "huggingface_hub")}


def imported(path: Path) -> set[str]:
    """The packages that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names
