"""What sentence-transformers writes beside a cross-encoder, a classifier of pairs: what makes a
score of a logit, and what is put before a text. Read and checked, so that a checkpoint ranks
here as it does there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import CheckpointError, ConfigError, shown
from reference.files import is_file, read_json
from reference.sentence.prompts import check_no_chat, read_prompts
from reference.text.sentence_settings import SENTENCE_FILES, is_cross_encoder

SETTINGS = "config_sentence_transformers.json"
FILES = ("modules.json", SETTINGS, *SENTENCE_FILES)
# How PyTorch's modules may be called, and what they compute.
ACTIVATIONS = {
    "torch.nn.Identity": "identity",
    "torch.nn.modules.Identity": "identity",
    "torch.nn.modules.linear.Identity": "identity",
    "torch.nn.Sigmoid": "sigmoid",
    "torch.nn.modules.Sigmoid": "sigmoid",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
}


@dataclass(frozen=True)
class CrossEncoderSettings:
    """activation is what a logit goes through, "sigmoid" or "identity"; None where the files
    leave that to the number of labels. prompt stands before the first text of a pair."""

    activation: str | None = None
    prompt: str = ""
    files: tuple[str, ...] = ()


def read_cross_encoder(
    folder: Path, pipeline_keys: Mapping[str, Any], dtype: str
) -> CrossEncoderSettings:
    """The settings in config_sentence_transformers.json, if they are a cross-encoder's; and
    what older releases wrote into config.json, which counts after them."""
    of_config = _of_config(pipeline_keys, folder / "config.json")
    if not is_cross_encoder(folder):
        return CrossEncoderSettings(of_config)
    check_no_chat(folder, "pair")
    path = folder / SETTINGS
    values = read_json(path, CheckpointError)
    if not is_file(folder / "modules.json"):
        _check_alone(folder, values)
        return CrossEncoderSettings(of_config, files=(SETTINGS,))
    _check_modules(folder)
    kept = values.get("keep_in_fp32_modules")
    if kept and dtype not in ("float32", "float64"):
        raise ConfigError(
            f"{path}: keep_in_fp32_modules is {shown(kept)}, which is not implemented in "
            f"{dtype}; load the model with dtype='float32'"
        )
    stated = _activation(values.get("activation_fn"), f"{path}: activation_fn")
    files = tuple(name for name in FILES if is_file(folder / name))
    prompts, default = read_prompts(values, path, {})
    prompt = prompts[default] if default else ""
    return CrossEncoderSettings(stated or of_config, prompt, files)


def _of_config(keys: Mapping[str, Any], path: Path) -> str | None:
    """Under today's key or, where that is missing, under that of releases before 4.0."""
    inside = keys.get("sentence_transformers")
    if inside is None:
        inside = {}
    if not isinstance(inside, dict):
        raise ConfigError(
            f"{path}: sentence_transformers is {shown(inside)}; it must be an object"
        )
    if "activation_fn" in inside:
        where = f"{path}: sentence_transformers.activation_fn"
        return _activation(inside["activation_fn"], where)
    old = "sbert_ce_default_activation_function"
    return _activation(keys.get(old), f"{path}: {old}")


def _activation(name: Any, where: str) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ConfigError(
            f"{where} is {shown(name)}; supported: torch.nn.modules.activation.Sigmoid and "
            "torch.nn.modules.linear.Identity"
        )
    return ACTIVATIONS[name]


def _check_alone(folder: Path, values: Mapping[str, Any]) -> None:
    """Without a modules.json sentence-transformers reads none of the other files: those may
    say what a folder is, and nothing that would count."""
    keys = ("activation_fn", "default_prompt_name", "keep_in_fp32_modules")
    found = [f"{SETTINGS} with {key}" for key in keys if values.get(key)]
    found += [name for name in SENTENCE_FILES if is_file(folder / name)]
    if found:
        raise CheckpointError(
            f"{folder} has {', '.join(found)} but no modules.json, without which "
            "sentence-transformers does not read them: the copy is not whole. Bring "
            "modules.json, or remove the others"
        )


def _check_modules(folder: Path) -> None:
    path = folder / "modules.json"
    modules = read_json(path, CheckpointError, list)
    kinds = [str(module.get("type")) if isinstance(module, dict) else "?" for module in modules]
    whole = [kind.rsplit(".", 1)[-1] for kind in kinds]
    ours = all(kind.startswith("sentence_transformers.") for kind in kinds)
    if not ours or whole != ["Transformer"] or modules[0].get("path"):
        raise ConfigError(
            f"{path} lists the modules {', '.join(kinds) or 'none':.200}; supported in a "
            "cross-encoder: sentence-transformers' Transformer alone, in the folder itself"
        )
