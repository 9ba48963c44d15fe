"""Which pipeline a folder is meant for, where the caller names none."""

from __future__ import annotations

from pathlib import Path

from reference.errors import CheckpointError, ConfigError, shown
from reference.files import is_file, read_json

# What sentence-transformers saves: the model type in its own settings, and our pipeline.
MODEL_TYPES = {
    "SentenceTransformer": "sentence-transformers",
    "CrossEncoder": "text-classification",
}


def named_by_sentence_transformers(folder: Path) -> str | None:
    """The pipeline that config_sentence_transformers.json stands for; None without one, and the
    architecture in config.json decides."""
    path = folder / "config_sentence_transformers.json"
    if not is_file(path):
        return "sentence-transformers" if is_file(folder / "modules.json") else None
    kind = read_json(path, CheckpointError).get("model_type", "SentenceTransformer")
    if not isinstance(kind, str) or kind not in MODEL_TYPES:
        raise ConfigError(
            f"{path}: model_type is {shown(kind)}, which has no pipeline here; supported: "
            f"{', '.join(MODEL_TYPES)}"
        )
    return MODEL_TYPES[kind]
