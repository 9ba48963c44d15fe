"""Strict reading and writing of weights: safetensors only, for a pickle may run any code when
it is opened."""

from __future__ import annotations

import json
import mmap
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import safetensors

from reference.errors import CheckpointError, shortened
from reference.files import is_file, read_json

FLOAT_TYPES = ("F16", "BF16", "F32", "F64")
PLAIN = {"F16": np.float16, "F32": np.float32, "F64": np.float64}
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
# Counters that older releases saved; no parameters.
POSITION_IDS = re.compile(r"(^|\.)embeddings\.(position_ids|token_type_ids)$")


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
            f"{folder} holds pickled weights only ({some(pickles)}), which can run any code "
            "when opened; save the model again with save_pretrained, which writes "
            "model.safetensors"
        )
    raise CheckpointError(
        f"{folder} holds no model.safetensors and no model.safetensors.index.json"
    )


def sharded_files(folder: Path) -> set[str]:
    """The index of a folder and the shards that it lists, if they can be read at all."""
    index = folder / "model.safetensors.index.json"
    if not is_file(index):
        return set()
    try:
        return {index.name, *_weight_map(folder, index).values()}
    except CheckpointError:
        return {index.name}


def serialize(tensors: dict[str, np.ndarray], dtype: str) -> bytes:
    """The content of a safetensors file with these tensors in that dtype."""
    stored = {key: _stored(array, dtype) for key, array in tensors.items()}
    entries = {
        key: safetensors.TensorSpec(
            dtype=dtype, shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes
        )
        for key, array in stored.items()
    }
    return bytes(safetensors.serialize(entries, metadata={"format": "pt"}))


def _stored(array: np.ndarray, dtype: str) -> np.ndarray:
    if dtype != "bfloat16":
        return np.ascontiguousarray(array, dtype)
    # NumPy has none; it is the upper half of a float32, and a model's numbers have no lower.
    return (np.ascontiguousarray(array, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def _read_shards(folder: Path, index: Path) -> dict[str, np.ndarray]:
    weight_map = _weight_map(folder, index)
    tensors: dict[str, np.ndarray] = {}
    for name in sorted(set(weight_map.values())):
        shard = _read_file(folder / name)
        expected = {key for key, its_file in weight_map.items() if its_file == name}
        if set(shard) != expected:
            raise CheckpointError(
                f"{folder / name} and {index} disagree on {some(sorted(expected ^ set(shard)))}"
            )
        tensors |= shard
    return tensors


def _weight_map(folder: Path, index: Path) -> dict[str, str]:
    """Which file an index sends each tensor to."""
    weight_map = read_json(index, CheckpointError).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index} has no weight_map from tensor names to files")
    for key, name in weight_map.items():
        if not isinstance(name, str) or PurePosixPath(name).name != name or "\\" in name:
            raise CheckpointError(
                f"{index} sends {key:.80} to {name!r:.80}; a shard lies in the same folder"
            )
        if not name.endswith(".safetensors"):
            raise CheckpointError(
                f"{index} sends {key:.80} to {name!r:.80}; only safetensors files are read"
            )
        if not is_file(folder / name):
            raise CheckpointError(f"{index} names {name:.80}, which is not in {folder}")
    return weight_map


def _read_file(path: Path) -> dict[str, np.ndarray]:
    """The tensors of one safetensors file; the library checks header, offsets and lengths."""
    tensors: dict[str, np.ndarray] = {}
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            keys = list(file.keys())
            dtypes = {key: str(file.get_slice(key).get_dtype()) for key in keys}
            for key, dtype in dtypes.items():
                if dtype not in FLOAT_TYPES and not POSITION_IDS.search(key):
                    raise CheckpointError(
                        f"{path}: {key:.80} is of type {dtype}; a weight is one of "
                        f"{some(FLOAT_TYPES)}"
                    )
        for key, entry, numbers in _mapped(path):
            if dtypes[key] in FLOAT_TYPES:  # the others are position ids, which no model reads
                tensors[key] = _as_array(numbers, entry)
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
        raise CheckpointError(
            f"{path} is not a sound safetensors file: {shortened(problem)}"
        ) from None
    return tensors


def _mapped(path: Path) -> Iterator[tuple[str, dict[str, Any], memoryview]]:
    """Of each tensor of a sound file its key, its entry in the header, and its bytes where they
    are: the file is mapped and nothing is copied, so that what a port takes is read once.
    Whoever writes into it writes into a copy of that page, and not into the file."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    for key, entry in header.items():
        if key != "__metadata__":
            start, end = (8 + size + place for place in entry["data_offsets"])
            yield key, entry, content[start:end]


def let_go(tensors: Iterable[np.ndarray]) -> None:
    """Give back the memory of mapped files that a port has copied: whoever reads those numbers
    again has them from the file again. What was written into them in between is lost."""
    if sys.platform != "linux":
        return
    found = {id(mapped): mapped for mapped in map(_mapping, tensors) if mapped is not None}
    for mapped in found.values():
        mapped.madvise(mmap.MADV_DONTNEED)


def _mapping(array: np.ndarray) -> mmap.mmap | None:
    """The mapped file that an array lies in."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    mapped = base.obj if isinstance(base, memoryview) else None
    return mapped if isinstance(mapped, mmap.mmap) else None


def _as_array(content: memoryview, entry: dict[str, Any]) -> np.ndarray:
    """One tensor; NumPy has no bfloat16, which is the upper half of a float32."""
    if entry["dtype"] == "BF16":
        bits = np.frombuffer(content, np.uint16).astype(np.uint32) << 16
        return bits.view(np.float32).reshape(entry["shape"])
    array = np.frombuffer(content, PLAIN[entry["dtype"]]).reshape(entry["shape"])
    return array if array.flags.aligned else array.copy()


def is_finite(array: np.ndarray) -> bool:
    """Whether no number in it is NaN or infinite. One that is makes their sum so; it is only
    where the sum of finite ones overflows that each is looked at."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def some(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(f"{name:.80}" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
