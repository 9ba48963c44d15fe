"""The settings of sentence-transformers' Pooling module: how a text's token vectors become
one."""

from __future__ import annotations

from pathlib import Path

from reference.errors import CheckpointError, ConfigError, shown
from reference.files import read_json

# In the order in which the old spelling lays them side by side.
WAYS = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
SWITCH = "pooling_mode_"  # what the old names of poolings begin with
KEYS = ("word_embedding_dimension", "embedding_dimension", "pooling_mode", "include_prompt")


def read_pooling(path: Path, hidden_size: int) -> tuple[tuple[str, ...], bool]:
    """Which poolings, side by side, and whether they see the prompt."""
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
            f"{path} pools vectors of {shown(size)}; the model's have hidden_size {hidden_size}"
        )
    include_prompt = values.get("include_prompt", True)
    if not isinstance(include_prompt, bool):
        raise ConfigError(
            f"{path}: include_prompt is {shown(include_prompt)}; it must be true or false"
        )
    ways = _chosen_ways(values, path)
    for way in ways:
        if way not in WAYS:
            raise ConfigError(
                f"{path} asks for {way:.80} pooling; supported: {', '.join(WAYS)}"
            )
    return ways, include_prompt


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
                f"{path}: pooling_mode is {shown(chosen)}; it must be a name or a list of names"
            )
        return ways
    return tuple(way for way, key in switches.items() if values.get(key)) or ("mean",)
