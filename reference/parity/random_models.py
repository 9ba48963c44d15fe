"""Small models with random weights in which every part matters, so that a comparison leaves a
port nothing to hide."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from reference.checkpoint import locate
from reference.checks import check_name, check_switch
from reference.errors import CheckpointError, ConfigError, InputError
from reference.families import ARCHITECTURES
from reference.files import read_json
from reference.parity.oracle import quiet
from reference.text import TOKENIZER_FILES

SWITCHES = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
}


def random_checkpoint(
    folder: Path,
    architecture: str = "BertModel",
    seed: int = 0,
    pooling: str | None = None,
    normalize: bool = False,
    tokenizer: str | os.PathLike[str] | None = None,
    **config: Any,
) -> Path:
    """Build the architecture in Transformers, draw its weights and save it with
    save_pretrained. `config` has the names of reference.families' configurations."""
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise ConfigError(
            f"architecture {architecture!r} is unknown; it is one of {', '.join(ARCHITECTURES)}"
        )
    if pooling is not None:
        check_name(pooling, SWITCHES, "pooling")
    if check_switch("normalize", normalize) and pooling is None:
        raise InputError(
            f"normalize=True needs pooling, one of {', '.join(SWITCHES)}: there is no vector "
            "to normalise"
        )
    model_class = getattr(transformers, architecture)
    family = ARCHITECTURES[architecture].family
    source = None if tokenizer is None else locate(tokenizer)
    words = {} if source is None else _vocabulary(source)
    settings = (family.tiny | words | config).items()
    settings = {family.config.spelled(name): value for name, value in settings}
    model = model_class(model_class.config_class(**settings))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(draw(key, tuple(parameter.shape), seed)))
    with quiet():
        model.save_pretrained(folder)
    if pooling is not None:
        _write_modules(folder, pooling, normalize, model.config.hidden_size)
    if source is not None:
        _copy_tokenizer(source, folder)
    return folder


def _copy_tokenizer(source: Path, folder: Path) -> None:
    """The files as they are, but for the length of a text: that is the new model's affair."""
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            (folder / name).write_bytes((source / name).read_bytes())
    path = folder / "tokenizer_config.json"
    if path.is_file():
        settings = read_json(path, CheckpointError)
        settings.pop("model_max_length", None)
        path.write_text(json.dumps(settings, indent=2), encoding="utf-8")


def _vocabulary(folder: Path) -> dict[str, Any]:
    """The size of the vocabulary, and which ids are special, as that model's configuration has
    them."""
    config = read_json(folder / "config.json", CheckpointError)
    return {
        key: value
        for key, value in config.items()
        if key == "vocab_size" or key.endswith("_token_id")
    }


def draw(key: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Random values for one parameter, the same wherever it stands in the model.

    As drawn for training, biases are 0, norms are 1 and attention is nearly even: leaving one
    of them out would hardly show. Here a weight keeps the size of what passes through it, so
    that scores of attention differ by about one, and biases and norms are far from neutral.
    """
    digest = hashlib.sha256(f"{seed} {key}".encode()).digest()
    values = np.random.default_rng(list(digest)).standard_normal(shape)
    if "embeddings." in key and len(shape) == 2:
        return values
    if len(shape) == 2:
        return values / np.sqrt(shape[1])
    neutral = 1.0 if key.lower().endswith("norm.weight") else 0.0
    return neutral + 0.3 * values


def _write_modules(folder: Path, pooling: str, normalize: bool, hidden_size: int) -> None:
    """What sentence-transformers writes beside an embedding model."""
    names = ["Transformer", "Pooling", *["Normalize"] * normalize]
    paths = ["", *(f"{number}_{name}" for number, name in enumerate(names) if number)]
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": path,
            "type": f"sentence_transformers.models.{name}",
        }
        for number, (name, path) in enumerate(zip(names, paths, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(modules, indent=2), encoding="utf-8")
    settings = {
        "word_embedding_dimension": hidden_size,
        **{key: way == pooling for way, key in SWITCHES.items()},
    }
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps(settings, indent=2), encoding="utf-8"
    )
