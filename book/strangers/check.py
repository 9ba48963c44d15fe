"""Holds two ports by others against the oracle, and writes what was found to results.json:

    check.py PYTHON CANDLE_MODERNBERT

PYTHON is that of an environment with mlx-embeddings, CANDLE_MODERNBERT the program in the
folder of that name. `make strangers` installs and builds both, and calls this.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from reference.checkpoint import EMBEDDED_MODEL, SMALL_MODERNBERT, locate
from reference.files import write_atomically
from reference.parity import compare, random_checkpoint
from reference.parity.elsewhere import elsewhere

HERE = Path(__file__).parent
EMBEDS = {"pooling": "mean", "normalize": True}
# For each port the checkpoints: one that was trained, a random one, and one whose configuration
# asks for what most do not.
CHECKPOINTS = {
    "mlx-embeddings": {
        EMBEDDED_MODEL: None,
        "random-bert": {"architecture": "BertModel", **EMBEDS},
        "random-bert-silu": {"architecture": "BertModel", "hidden_act": "silu", **EMBEDS},
        "random-bert-cls": {"architecture": "BertModel", "pooling": "cls", "normalize": True},
    },
    "candle-transformers": {
        SMALL_MODERNBERT: None,
        "random-modernbert": {"architecture": "ModernBertModel"},
        "random-modernbert-silu": {
            "architecture": "ModernBertModel",
            "hidden_activation": "silu",
        },
        "random-modernbert-biases": {
            "architecture": "ModernBertModel",
            "norm_bias": True,
            "attention_bias": True,
        },
    },
}


def main(python: str, candle: str) -> None:
    commands = {
        "mlx-embeddings": [python, HERE / "mlx_bert.py"],
        "candle-transformers": [candle],
    }
    versions = {"mlx-embeddings": installed(python), "candle-transformers": locked()}
    found = {}
    with tempfile.TemporaryDirectory() as workshop:
        for name, checkpoints in CHECKPOINTS.items():
            found[f"{name} {versions[name]}"] = {
                model: check(commands[name], model, settings, Path(workshop))
                for model, settings in checkpoints.items()
            }
    text = json.dumps(found, indent=1, allow_nan=False) + "\n"
    write_atomically(HERE / "results.json", text.encode())


def installed(python: str) -> str:
    code = "import importlib.metadata as m; print(m.version('mlx-embeddings'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def locked() -> str:
    lock = tomllib.loads((HERE / "candle_transformers" / "Cargo.lock").read_text())
    packages = {package["name"]: package["version"] for package in lock["package"]}
    return packages["candle-transformers"]


def check(command: list, model: str, settings: dict | None, workshop: Path) -> dict:
    folder = (
        locate(model) if settings is None else random_checkpoint(workshop / model, **settings)
    )
    report = compare(folder, backends=(), port=elsewhere([*command, folder]))
    print(report, end="\n\n", flush=True)
    return report.to_dict() | {"model": model}


if __name__ == "__main__":
    main(*sys.argv[1:])
