"""What a run begins with: a checkpoint that it goes on from, or the first weights of a family,
and the tokenizer's files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from reference.checkpoint import locate, read_checkpoint
from reference.checks import check_name
from reference.errors import InputError
from reference.families import (
    BY_MODEL_TYPE,
    Architecture,
    EncoderConfig,
    Task,
    architecture_for,
)
from reference.families.initial import initial_tensors
from reference.families.reading import config_from_dict
from reference.files import is_file
from reference.text import TOKENIZER_FILES, read_tokenizer
from reference.training.settings import check_known

# Which ids of a configuration are which special token.
IDS = {
    "pad_token_id": "pad",
    "cls_token_id": "cls",
    "bos_token_id": "cls",
    "sep_token_id": "sep",
    "eos_token_id": "sep",
}


@dataclass(frozen=True)
class Start:
    """A configuration, and the tensors that there are for it already."""

    config: EncoderConfig
    tokenizer_folder: Path
    there: Architecture | None = None  # whose tensors these are
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)
    named: str = ""  # what the user calls the model
    home: Path | None = None  # the folder of the whole model, where there is one

    @property
    def name(self) -> str:
        """Where it comes from, for a report."""
        if self.there is None:
            return f"a new {self.config.model_type}"
        return f"the {self.there.name} of {self.named}"

    def architecture(self, task: Task) -> Architecture:
        """The family with the head of a task."""
        family = BY_MODEL_TYPE[self.config.model_type]
        if task not in family.all_tasks:
            raise InputError(
                f"{self.config.model_type} has no head for {task.name}; it has those for "
                f"{', '.join(known.name for known in family.all_tasks)}"
            )
        return architecture_for(self.config, task)

    def first(
        self, config: EncoderConfig, architecture: Architecture, seed: int
    ) -> dict[str, np.ndarray]:
        """All tensors of an architecture: those that there are, and first weights. Scores over
        labels begin anew where the labels are others."""
        there = {self._renamed(key, architecture): own for key, own in self.tensors.items()}
        pooler = architecture.has_pooler(there)
        first = initial_tensors(config, architecture, seed, pooler)
        same = architecture == self.there and config.id2label == self.config.id2label
        heads = {*architecture.family.head_keys(config, architecture.task)}
        for key, value in first.items():
            of_labels = key in heads and value.shape[0] == config.num_labels
            own = there.get(key)
            if own is not None and own.shape == value.shape and (same or not of_labels):
                first[key] = np.asarray(own, np.float32)
        return first

    def _renamed(self, key: str, architecture: Architecture) -> str:
        """The key of an encoder's tensor, under another head or none."""
        prefix = self.there.base_prefix
        if not key.startswith(prefix):
            return key
        return architecture.base_prefix + key.removeprefix(prefix)

    def tokenizer_files(self) -> dict[str, bytes]:
        return {
            name: (self.tokenizer_folder / name).read_bytes()
            for name in TOKENIZER_FILES
            if is_file(self.tokenizer_folder / name)
        }


def from_checkpoint(model: str | os.PathLike[str]) -> Start:
    """A trained model, to go on from."""
    found = read_checkpoint(locate(model))
    own = (found.config, found.folder, found.architecture, found.tensors)
    return Start(*own, os.fspath(model), found.home)


def from_nothing(
    family: str, tokenizer: str | os.PathLike[str], given: Mapping[str, Any]
) -> Start:
    """A new model of a family, whose configuration has these keys as in config.json. The
    vocabulary and the ids of special tokens are the tokenizer's."""
    kind = BY_MODEL_TYPE[check_name(family, BY_MODEL_TYPE, "family")].config
    folder = Path(tokenizer)
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {os.fspath(tokenizer)!r:.200}, in which a tokenizer would be; "
            "python -m reference train-tokenizer makes one"
        )
    opened = read_tokenizer(folder)
    names = {item.name for item in fields(kind)} - NOT_ASKED - set(IDS)
    check_known(given, sorted({*names, *map(kind.spelled, names)}), f"a {family}")
    special = {
        name: opened.special_tokens[token]
        for name, token in IDS.items()
        if token in opened.special_tokens and _uses(kind, name)
    }
    size = {"vocab_size": len(opened.vocabulary), **opened.of_model}
    named = {"model_type": family, "architectures": []}
    return Start(config_from_dict({**named, **size, **special, **given}, "model"), folder)


# What a new model is not asked for: its tokenizer says it, or its objective.
NOT_ASKED = {
    "model_type",
    "vocab_size",
    "architectures",
    "id2label",
    "problem_type",
    "detections",
}


def _uses(kind: type[EncoderConfig], name: str) -> bool:
    """Whether the family's models have that id."""
    return any(item.name == name and item.default is not None for item in fields(kind))
