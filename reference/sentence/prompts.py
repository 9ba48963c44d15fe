"""What is put before a text. The same file says it for embedding models and cross-encoders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reference.errors import CheckpointError, ConfigError, shown
from reference.files import is_file, read_json


def read_prompts(
    values: Mapping[str, Any], path: Path, known: Mapping[str, str]
) -> tuple[dict[str, str], str | None]:
    """The prompts by name, those that every such model has (known) among them and a null one
    being empty, and the name of that which is put before every text."""
    name, given = values.get("default_prompt_name"), values.get("prompts") or {}
    if not isinstance(name, (str, type(None))) or not isinstance(given, dict):
        raise ConfigError(
            f"{path}: default_prompt_name must be a string, and prompts an object from name to "
            "text"
        )
    prompts = dict(known) | given
    for key, prompt in prompts.items():
        if not isinstance(prompt, (str, type(None))):
            raise ConfigError(
                f"{path}: the prompt {key!r:.80} is {shown(prompt)}; it must be a string"
            )
    if name and name not in prompts:
        raise ConfigError(
            f"{path}: default_prompt_name is {name!r:.80}; prompts has "
            f"{', '.join(prompts) or 'none':.200}"
        )
    return {key: prompt or "" for key, prompt in prompts.items()}, name or None


def check_no_chat(folder: Path, each: str) -> None:
    """sentence-transformers writes every text into a tokenizer's chat template, if there is
    one."""
    path = folder / "tokenizer_config.json"
    settings = read_json(path, CheckpointError) if is_file(path) else {}
    if settings.get("chat_template") is not None or is_file(folder / "chat_template.jinja"):
        raise ConfigError(
            f"{folder} has a chat_template, into which sentence-transformers writes every "
            f"{each}; that is not implemented. If {each}s are meant to stand alone, remove it"
        )
