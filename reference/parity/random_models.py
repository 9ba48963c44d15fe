"""Small models with random weights in which every part matters, so that a comparison leaves a
port nothing to hide."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors import SafetensorError

from reference.checkpoint import locate, write_checkpoint
from reference.checks import check_name, check_switch, check_whole
from reference.errors import CheckpointError, ConfigError, InputError
from reference.families import Architecture, EncoderConfig, architecture_named
from reference.families.detections import KEYS, LABEL_KEYS, MODEL_TYPE
from reference.families.reading import config_from_dict
from reference.families.tasks import MASKED_SEQUENCE
from reference.files import read_json
from reference.parity.oracle import quiet
from reference.text import TOKENIZER_FILES

SWITCHES = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


# In the place of an epsilon that float32 cannot show, as BERT's 1e-12. It is none of those
# that ports write down for all models, and a norm over numbers of size one is off by some
# hundred noise floors without it.
EPSILON, UNSEEN = 1e-4, 1e-6
MOST_NUMBERS = 4_000_000_000  # of a model's; more than any encoder that was ever released


def random_checkpoint(
    folder: str | os.PathLike[str],
    architecture: str = "BertModel",
    seed: int = 0,
    pooling: str | None = None,
    normalize: bool = False,
    tokenizer: str | os.PathLike[str] | None = None,
    **config: Any,
) -> Path:
    """Draw the weights of the architecture, and save it: with Transformers' save_pretrained,
    where Transformers has it. `config` has the names of reference.families' configurations."""
    path = _path(folder)
    kind = architecture_named(architecture)
    seed = check_whole("seed", seed, least=0)
    if pooling is not None:
        check_name(pooling, SWITCHES, "pooling")
    if check_switch("normalize", normalize) and pooling is None:
        raise InputError(
            f"normalize=True needs pooling, one of {', '.join(SWITCHES)}: there is no vector "
            "to normalise"
        )
    source = None if tokenizer is None else locate(tokenizer)
    settings = _settings(kind, source, config)
    checked = _config(kind, settings)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if kind.in_transformers:
            _save_transformers(path, kind, settings, seed)
        else:
            shapes = kind.shapes(checked, pooler=False)
            tensors = {key: draw(key, shape, seed) for key, shape in shapes.items()}
            write_checkpoint(path, kind.family.config_of(checked, kind), tensors)
        if pooling is not None:
            _write_modules(path, pooling, normalize, checked.hidden_size)
        if source is not None:
            _copy_tokenizer(source, path)
    except (OSError, SafetensorError) as problem:
        raise InputError(
            f"{path} cannot be written: {getattr(problem, 'strerror', None) or problem}"
        ) from None
    return path


def _path(folder: Any) -> Path:
    try:
        path = Path(folder)
        if not str(folder) or "\0" in str(folder):
            raise TypeError
    except TypeError:
        raise InputError(f"folder is {folder!r:.80}; it must be the path of a folder") from None
    return path


def _settings(kind: Architecture, source: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """The whole configuration under the names of config.json; what is unknown is refused."""
    family, config = kind.family, kind.family.config
    fields = {field.name: field.default for field in dataclasses.fields(config)}
    known = {*fields, *map(config.spelled, fields), *LABEL_KEYS, *config.ONLY_VALUES}
    known |= KEYS if kind.task is MASKED_SEQUENCE else set()
    for key in given:
        if key not in known and not key.endswith("_token_id"):
            near = difflib.get_close_matches(key, sorted(known), n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise ConfigError(f"{config.__name__} has no {key:.80}{hint}")
    epsilon = {
        name: EPSILON
        for name, default in fields.items()
        if name.endswith("norm_eps") and default < UNSEEN
    }
    words = {} if source is None else _vocabulary(source)
    settings = family.tiny | epsilon | words | given
    return {config.spelled(name): value for name, value in settings.items()}


def _config(kind: Architecture, settings: dict[str, Any]) -> EncoderConfig:
    """Our own configuration, which has found nothing wrong with them."""
    family, base = kind.family, kind.name.removesuffix(kind.task.suffix)
    model_type = next(name for name, prefix in family.prefixes.items() if prefix == base)
    values = {"model_type": model_type} | settings
    if kind.task is MASKED_SEQUENCE:
        on_it = {key: values.pop(key) for key in (*KEYS, *LABEL_KEYS) if key in values}
        values = {"model_type": MODEL_TYPE, "base_config": values} | on_it
    config = config_from_dict(values, "random_checkpoint")
    count = sum(math.prod(shape) for shape in kind.shapes(config, pooler=True).values())
    if count > MOST_NUMBERS:
        raise ConfigError(
            f"random_checkpoint: these sizes make a model of {count:,} numbers; no encoder is "
            "that large"
        )
    return config


def _save_transformers(
    path: Path, kind: Architecture, settings: dict[str, Any], seed: int
) -> None:
    model_class = getattr(transformers, kind.name)
    model = model_class(model_class.config_class(**settings))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(draw(key, tuple(parameter.shape), seed)))
    with quiet():
        model.save_pretrained(path)


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
    if len(shape) >= 2:
        return values / np.sqrt(math.prod(shape[1:]))
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
