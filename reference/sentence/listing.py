"""modules.json: which modules a folder's model is a chain of, and where each keeps its
files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reference.errors import CheckpointError, ConfigError
from reference.files import is_file, read_json


def read_modules(folder: Path) -> list[dict[str, Any]]:
    """The entries, each with its `kind` beside what the file says."""
    path = folder / "modules.json"
    modules = read_json(path, CheckpointError, list)
    modules = [module | {"kind": _module_kind(module, path)} for module in modules]
    kinds = [module["kind"] for module in modules]
    if kinds[:2] != ["Transformer", "Pooling"]:
        raise ConfigError(
            f"{path} lists the modules {', '.join(kinds) or 'none':.200}; supported: "
            "a Transformer, a Pooling, and what may follow them"
        )
    return modules


def transformer_folder(folder: Path) -> Path:
    """Where the encoder's own files are: in the folder itself, or where modules.json says."""
    if not is_file(folder / "modules.json"):
        return folder
    modules = read_json(folder / "modules.json", CheckpointError, list)
    if not modules or _module_kind(modules[0], folder / "modules.json") != "Transformer":
        return folder
    return folder / inside(folder, modules[0]) if modules[0].get("path") else folder


def inside(folder: Path, module: dict[str, Any]) -> str:
    """Where a module keeps its files: never beside the model's own config.json."""
    path = module.get("path")
    parts = Path(path).parts if isinstance(path, str) else ()
    if not parts or Path(path).is_absolute() or ".." in parts:
        kind = module["type"].rpartition(".")[-1]
        raise CheckpointError(
            f"{folder / 'modules.json'} sends {kind:.80} to {path!r:.80}; it must be a "
            "folder inside its own"
        )
    return path


def _module_kind(module: Any, path: Path) -> str:
    """'sentence_transformers.models.Pooling', in any release's spelling of the module path, is
    'Pooling'."""
    if not isinstance(module, dict) or not isinstance(module.get("type"), str):
        raise CheckpointError(f"{path} holds a module without a type: {module!r:.80}")
    package, _, inside = module["type"].partition(".")
    if package != "sentence_transformers":
        raise ConfigError(
            f"{path} asks for {module['type']!r:.80}; only modules of sentence_transformers "
            "are supported"
        )
    return inside.rsplit(".", 1)[-1]
