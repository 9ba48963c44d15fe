"""characters.json: the characters that a model has ids for, and how its texts are read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reference.errors import CheckpointError, InputError, shown
from reference.files import read_json
from reference.text.characters import HASHED, LISTED, CharacterFile, read_characters
from reference.training.characters.augmentation import Augmentation

KEYS = (
    "kind",
    "characters",
    "max_example_len",
    "vocab_size",
    "most_characters",
    "min_mask_len",
    "mask_share",
    "augmentation",
    "num_outputs",
)


def content_of(settings: Mapping[str, Any], characters: str | None, num_outputs: int) -> bytes:
    """The file, from the arguments of a preprocessor and what it has learned."""
    content = dict(settings) | {"characters": characters, "num_outputs": num_outputs}
    content["kind"] = HASHED if content.pop("hashed") else LISTED
    augmentation = content["augmentation"]
    if augmentation is not None:
        if type(augmentation) is not Augmentation:
            raise InputError(
                f"augmentation is {shown(augmentation)}; what can be saved is an Augmentation, "
                "whose rates say all of it. Set augmentation to None before saving"
            )
        content["augmentation"] = dataclasses.asdict(augmentation)
    return (json.dumps({key: content[key] for key in KEYS}, indent=2) + "\n").encode()


def read(path: Path) -> tuple[dict[str, Any], CharacterFile]:
    """The arguments of a preprocessor, which it checks itself, and what it had learned."""
    content = read_json(path, CheckpointError)
    missing = [key for key in KEYS if key not in content]
    if missing:
        raise CheckpointError(f"{path}: {missing[0]} is missing; it holds {', '.join(KEYS)}")
    unknown = [key for key in content if key not in KEYS]
    if unknown:
        raise CheckpointError(
            f"{path}: {unknown[0]!r:.80} is unknown; it holds {', '.join(KEYS)}"
        )
    learned = read_characters(path)
    content["hashed"] = content.pop("kind") == HASHED
    content["augmentation"] = _augmentation(path, content["augmentation"])
    for key in ("characters", "num_outputs"):
        del content[key]
    return content, learned


def _augmentation(path: Path, rates: Any) -> Augmentation | None:
    if rates is None:
        return None
    names = [field.name for field in dataclasses.fields(Augmentation)]
    if not isinstance(rates, dict) or set(rates) != set(names):
        raise CheckpointError(
            f"{path}: augmentation is {shown(rates)}; it must be null or hold "
            f"{', '.join(names)}"
        )
    try:
        return Augmentation(**rates)
    except InputError as problem:
        raise CheckpointError(f"{path}: augmentation: {problem}") from None
