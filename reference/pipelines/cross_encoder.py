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
    _check_modules(folder)
    _check_no_chat(folder)
    path = folder / SETTINGS
    values = read_json(path, CheckpointError)
    kept = values.get("keep_in_fp32_modules")
    if kept and dtype not in ("float32", "float64"):
        raise ConfigError(
            f"{path}: keep_in_fp32_modules is {shown(kept)}, which is not implemented in "
            f"{dtype}; load the model with dtype='float32'"
        )
    stated = _activation(values.get("activation_fn"), f"{path}: activation_fn")
    files = tuple(name for name in FILES if is_file(folder / name))
    return CrossEncoderSettings(stated or of_config, _default_prompt(values, path), files)


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


def _check_modules(folder: Path) -> None:
    path = folder / "modules.json"
    if not is_file(path):
        raise CheckpointError(
            f"{folder} has {SETTINGS} but no modules.json, without which sentence-transformers "
            "does not read it: the copy is not whole. Bring modules.json, or remove the other"
        )
    modules = read_json(path, CheckpointError, list)
    kinds = [str(module.get("type")) if isinstance(module, dict) else "?" for module in modules]
    whole = [kind.rsplit(".", 1)[-1] for kind in kinds]
    ours = all(kind.startswith("sentence_transformers.") for kind in kinds)
    if not ours or whole != ["Transformer"] or modules[0].get("path"):
        raise ConfigError(
            f"{path} lists the modules {', '.join(kinds) or 'none':.200}; supported in a "
            "cross-encoder: sentence-transformers' Transformer alone, in the folder itself"
        )


def _check_no_chat(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    settings = read_json(path, CheckpointError) if is_file(path) else {}
    if settings.get("chat_template") is not None or is_file(folder / "chat_template.jinja"):
        raise ConfigError(
            f"{folder} has a chat_template, into which sentence-transformers writes every "
            "pair; that is not implemented. If pairs are meant to stand alone, remove it"
        )


def _default_prompt(values: dict[str, Any], path: Path) -> str:
    name, prompts = values.get("default_prompt_name"), values.get("prompts") or {}
    if name is None:
        return ""
    if not isinstance(prompts, dict) or not isinstance(name, str) or name not in prompts:
        raise ConfigError(
            f"{path}: default_prompt_name is {shown(name)}, which must be a name in prompts, "
            f"{shown(prompts)}"
        )
    if not isinstance(prompts[name], (str, type(None))):
        raise ConfigError(
            f"{path}: the prompt {name!r:.80} is {shown(prompts[name])}; it must be a string"
        )
    return prompts[name] or ""
