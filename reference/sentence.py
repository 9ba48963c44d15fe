"""What sentence-transformers writes beside a model: modules.json, what it names, and how texts
are prepared. Read and checked, so that a checkpoint embeds here as it does there."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import CheckpointError, ConfigError
from reference.files import is_file, read_json
from reference.text.sentence_settings import SENTENCE_FILES

SETTINGS_FILES = ("modules.json", "config_sentence_transformers.json", *SENTENCE_FILES)
# In the order in which the old spelling lays them side by side.
WAYS = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
SWITCH = "pooling_mode_"  # what the old names of poolings begin with
KEYS = ("word_embedding_dimension", "embedding_dimension", "pooling_mode", "include_prompt")
# How two vectors are compared.
SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


@dataclass(frozen=True)
class SentenceSettings:
    """How a checkpoint turns token vectors into one: which poolings, side by side, and whether
    to normalise.

    Its prompt is put before every text; only the first truncate_dim numbers of a vector are
    kept; similarity names the function that compares two. pooling_file is where in the folder
    the poolings are named.
    """

    pooling: tuple[str, ...] = ("mean",)
    normalize: bool = False
    prompt: str = ""
    truncate_dim: int | None = None
    similarity: str = "cosine"
    pooling_file: str | None = None


def read_sentence_settings(folder: Path, hidden_size: int) -> SentenceSettings:
    """What modules.json and the files say that it goes with; without it mean pooling, with a
    warning."""
    _check_no_chat(folder)
    path = folder / "modules.json"
    if not is_file(path):
        _check_alone(folder)
        warnings.warn(
            f"{folder} has no modules.json: it was not saved as an embedding model. Mean "
            "pooling is used; a model that was trained for another task may find every two "
            "texts alike",
            stacklevel=2,
        )
        return SentenceSettings()
    modules = read_json(path, CheckpointError, list)
    names = [_module_kind(module, path) for module in modules]
    if names[:2] != ["Transformer", "Pooling"] or names[2:] not in ([], ["Normalize"]):
        raise ConfigError(
            f"{path} lists the modules {', '.join(names) or 'none'}; supported: Transformer, "
            "Pooling, Normalize"
        )
    inside = modules[0].get("path", "")
    if inside:
        raise ConfigError(
            f"{path} keeps the Transformer in {inside!r:.80}; supported: in the folder itself, "
            "with the path ''. Move its files there, or save the model with a newer "
            "sentence-transformers"
        )
    pooling_file = _pooling_file(folder, modules[1])
    ways = _read_pooling(folder / pooling_file, hidden_size)
    for module in modules[2:]:
        _check_normalize(folder, module)
    return SentenceSettings(
        ways, len(names) == 3, pooling_file=pooling_file, **_read_model_settings(folder)
    )


def _check_no_chat(folder: Path) -> None:
    """sentence-transformers writes every text into a tokenizer's chat template, if there is
    one."""
    path = folder / "tokenizer_config.json"
    settings = read_json(path, CheckpointError) if is_file(path) else {}
    if settings.get("chat_template") is not None or is_file(folder / "chat_template.jinja"):
        raise ConfigError(
            f"{folder} has a chat_template, into which sentence-transformers writes every "
            "text; that is not implemented. If texts are meant to stand alone, remove it"
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
    prompt = _default_prompt(values, path)
    return {"prompt": prompt, "truncate_dim": size, "similarity": similarity}


def _default_prompt(values: dict[str, Any], path: Path) -> str:
    """What sentence-transformers puts before every text: the prompt that default_prompt_name
    names."""
    name, given = values.get("default_prompt_name"), values.get("prompts") or {}
    if not name:
        return ""
    if not isinstance(name, str) or not isinstance(given, dict):
        raise ConfigError(
            f"{path}: default_prompt_name must be a string, and prompts an object from name to "
            "text"
        )
    prompts = {"query": "", "document": ""} | given
    if name not in prompts:
        raise ConfigError(
            f"{path}: default_prompt_name is {name!r:.80}; prompts has {', '.join(prompts)}"
        )
    if not isinstance(prompts[name], (str, type(None))):
        raise ConfigError(
            f"{path}: the prompt {name!r:.80} is {prompts[name]!r:.80}; it must be a string"
        )
    return prompts[name] or ""


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


def _pooling_file(folder: Path, module: dict) -> str:
    inside = _module_folder(folder, module, "1_Pooling")
    name = f"{inside}/config.json"
    if not is_file(folder / name):
        raise CheckpointError(
            f"{folder / 'modules.json'} sends Pooling to {inside!r:.80}, which holds no "
            "config.json"
        )
    return name


def _module_folder(folder: Path, module: dict, usual: str) -> str:
    """Where a module keeps its files: never beside the model's own config.json."""
    inside = module.get("path", usual)
    parts = Path(inside).parts if isinstance(inside, str) else ()
    if not parts or Path(inside).is_absolute() or ".." in parts:
        kind = module["type"].rpartition(".")[-1]
        raise CheckpointError(
            f"{folder / 'modules.json'} sends {kind:.80} to {inside!r:.80}; it must be a "
            "folder inside its own"
        )
    return inside


def _check_normalize(folder: Path, module: dict) -> None:
    """It may be told to normalise the vectors of tokens instead; old releases tell it
    nothing."""
    path = folder / _module_folder(folder, module, "2_Normalize") / "config.json"
    if not is_file(path):
        return
    values = read_json(path, CheckpointError)
    for key in ("module_input_name", "module_output_name"):
        if values.get(key) not in (None, "sentence_embedding"):
            raise ConfigError(
                f"{path}: {key} is {values[key]!r:.80}; supported: 'sentence_embedding'"
            )


def _read_pooling(path: Path, hidden_size: int) -> tuple[str, ...]:
    values = read_json(path, CheckpointError)
    unknown = [key for key in values if key not in KEYS and not key.startswith(SWITCH)]
    if unknown:
        raise ConfigError(
            f"{path} has the keys {', '.join(unknown):.200}, which sentence-transformers does "
            "not take"
        )
    size = values.get(
        "word_embedding_dimension", values.get("embedding_dimension", hidden_size)
    )
    if size != hidden_size:
        raise ConfigError(
            f"{path} pools vectors of {size}; the model's have hidden_size {hidden_size}"
        )
    if values.get("include_prompt", True) is not True:
        raise ConfigError(
            f"{path}: include_prompt is {values['include_prompt']!r}, which is not implemented"
        )
    ways = _chosen_ways(values, path)
    for way in ways:
        if way not in WAYS:
            raise ConfigError(f"{path} asks for {way} pooling; supported: {', '.join(WAYS)}")
    return ways


def _chosen_ways(values: dict, path: Path) -> tuple[str, ...]:
    """The new spelling, one key with a name or several; or the old, one switch each."""
    switches = {way: f"pooling_mode_{way}_tokens" for way in WAYS} | {
        "cls": "pooling_mode_cls_token",
        "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
        "lasttoken": "pooling_mode_lasttoken",
    }
    for key, value in values.items():
        if key in switches.values() and not isinstance(value, bool):
            raise ConfigError(f"{path}: {key} is {value!r:.80}; it must be true or false")
        if key.startswith(SWITCH) and key not in switches.values() and value:
            raise ConfigError(f"{path} asks for {key:.80}; supported: {', '.join(WAYS)}")
    if "pooling_mode" in values:
        chosen = values["pooling_mode"]
        ways = (
            (chosen,)
            if isinstance(chosen, str)
            else tuple(chosen)
            if isinstance(chosen, list)
            else ()
        )
        if not ways or not all(isinstance(way, str) for way in ways):
            raise ConfigError(
                f"{path}: pooling_mode is {chosen!r}; it must be a name or a list of names"
            )
        return ways
    return tuple(way for way, key in switches.items() if values.get(key)) or ("mean",)
