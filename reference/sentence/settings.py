"""What sentence-transformers writes beside a model: how it makes one vector of a text's tokens,
and what it puts before a text. Read and checked, so that a checkpoint embeds here as it does
there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference.errors import CheckpointError, ConfigError, InputError, shown, warn
from reference.files import is_file, read_json
from reference.sentence.listing import inside, read_modules, transformer_folder
from reference.sentence.modules import Module, Normalize, read_module
from reference.sentence.pooling import read_pooling
from reference.sentence.prompts import check_no_chat, read_prompts
from reference.text.sentence_settings import SENTENCE_FILES

SETTINGS_FILES = ("modules.json", "config_sentence_transformers.json", *SENTENCE_FILES)
# How two vectors are compared.
SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")
NO_PROMPTS: Mapping[str, str] = {"query": "", "document": ""}


@dataclass(frozen=True)
class SentenceSettings:
    """How a checkpoint turns token vectors into one: which poolings, side by side, and which
    modules follow; size is that of what they make.

    A prompt may be put before a text, and then be left out of the pooling. Only the first
    truncate_dim numbers of a vector are kept; similarity names the function that compares two.
    module_files are where in the folder the modules after the first keep theirs.
    """

    size: int
    pooling: tuple[str, ...] = ("mean",)
    modules: tuple[Module, ...] = ()
    include_prompt: bool = True
    prompts: Mapping[str, str] = field(default_factory=lambda: NO_PROMPTS)
    default_prompt_name: str | None = None
    truncate_dim: int | None = None
    similarity: str = "cosine"
    module_files: tuple[str, ...] = ()

    @property
    def normalize(self) -> bool:
        """Whether pooled vectors are scaled to length one before all else."""
        return bool(self.modules) and isinstance(self.modules[0], Normalize)

    @property
    def truncated_size(self) -> int:
        """How many numbers of a vector are kept if nobody says otherwise."""
        return min(self.size, self.truncate_dim or self.size)

    def prompt(self, prompt: str | None, name: str | None) -> str:
        """What is put before a text: a given prompt, else the named one, else the default."""
        if prompt is not None and not isinstance(prompt, str):
            raise InputError(f"prompt is {shown(prompt)}; it must be a string")
        name = self.default_prompt_name if name is None else name
        if name is not None and (not isinstance(name, str) or name not in self.prompts):
            raise InputError(
                f"prompt_name is {shown(name)}; this model has the prompts "
                f"{', '.join(self.prompts):.200}"
            )
        if prompt is not None:
            return prompt
        return "" if name is None else self.prompts[name]

    def first_prompt(self, *names: str) -> str | None:
        """The first of these names that a prompt has."""
        return next((name for name in names if name in self.prompts), None)


def read_sentence_settings(
    folder: Path, hidden_size: int, usual: SentenceSettings | None = None
) -> SentenceSettings:
    """What modules.json and the files say that it goes with; without it what is `usual` of a
    family that is made for embeddings, and of any other mean pooling, with a warning."""
    inner = transformer_folder(folder)
    check_no_chat(inner, "text")
    path = folder / "modules.json"
    if not is_file(path):
        _check_alone(folder)
        if usual is not None:
            return usual
        warn(
            f"{folder} has no modules.json: it was not saved as an embedding model. Mean "
            "pooling is used; a model that was trained for another task may find every two "
            "texts alike",
        )
        return SentenceSettings(hidden_size)
    _, pooling, *others = read_modules(folder)
    pooled_in = inside(folder, pooling)
    if not is_file(folder / pooled_in / "config.json"):
        raise CheckpointError(
            f"{path} sends Pooling to {pooled_in!r:.80}, which holds no config.json"
        )
    ways, include_prompt = read_pooling(folder / pooled_in / "config.json", hidden_size)
    size, modules = hidden_size * len(ways), []
    for entry in others:
        module, size = read_module(entry["kind"], folder / inside(folder, entry), size)
        modules.append(module)
    names = ("config.json", "model.safetensors")
    files = [
        f"{inside(folder, entry)}/{name}" for entry in (pooling, *others) for name in names
    ]
    return SentenceSettings(
        size,
        ways,
        tuple(modules),
        include_prompt,
        module_files=tuple(file for file in files if is_file(folder / file)),
        **_read_model_settings(folder),
    )


def _check_alone(folder: Path) -> None:
    """Without a modules.json sentence-transformers reads none of the other files."""
    found = [name for name in SETTINGS_FILES if is_file(folder / name)]
    if found:
        raise CheckpointError(
            f"{folder} has {', '.join(found)} but no modules.json, without which "
            "sentence-transformers does not read them: the copy is not whole. Bring "
            "modules.json and the folders that it names, or remove the others"
        )


def _read_model_settings(folder: Path) -> dict[str, Any]:
    """What config_sentence_transformers.json says of the model as a whole."""
    path = folder / "config_sentence_transformers.json"
    values = read_json(path, CheckpointError) if is_file(path) else {}
    kind = values.get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer":
        raise ConfigError(
            f"{path}: model_type is {kind!r:.80}; only a SentenceTransformer gives a vector a "
            "text"
        )
    size = values.get("truncate_dim")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise ConfigError(
            f"{path}: truncate_dim is {size!r:.80}; it must be a whole number of at least 1"
        )
    similarity = values.get("similarity_fn_name") or "cosine"
    if similarity not in SIMILARITIES:
        raise ConfigError(
            f"{path}: similarity_fn_name is {similarity!r:.80}; supported: "
            f"{', '.join(SIMILARITIES)}"
        )
    prompts, default = read_prompts(values, path, NO_PROMPTS)
    return {
        "prompts": prompts,
        "default_prompt_name": default,
        "truncate_dim": size,
        "similarity": similarity,
    }
