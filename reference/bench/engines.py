"""Engines that run a model in a form of their own: it is converted once, and kept in a cache.

Each is given padded batches of the same ids as Transformers, and as many threads as the process
may use cores, and computes in float32 unless it is asked for fewer bits. It has to be alone in
its process: after reference.mlx, which lends PyTorch's matrix products to all, some of them
compute with routines that are not theirs.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference.bench.machine import cores
from reference.bench.peers import embedder, encoder
from reference.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    Work = Callable[[list[str]], Any]

NAMES = ("input_ids", "attention_mask", "token_type_ids")


def embed_with_onnxruntime(folder: str, dtype: str = "float32") -> Work:
    import onnxruntime
    import torch

    convert = _to_int8_onnx if dtype == "int8" else _to_onnx
    path = converted("onnxruntime", folder, convert, dtype) / "model.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    taken = [one.name for one in session.get_inputs()]

    def run(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        found = session.run(None, {name: batch[name].numpy() for name in taken})
        return torch.from_numpy(found[0])

    return embedder(folder, run)


def embed_with_openvino(folder: str, dtype: str = "float32") -> Work:
    import openvino
    import torch

    path = converted("openvino", folder, _to_openvino) / "model.xml"
    options = {
        "INFERENCE_NUM_THREADS": cores(),
        "PERFORMANCE_HINT": "LATENCY",  # all cores at one batch
        # Unless it is told, it takes bfloat16 where the processor has it.
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[dtype],
    }
    model = openvino.Core().compile_model(path, "CPU", options)
    taken = [one.get_any_name() for one in model.inputs]

    def run(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        found = model({name: batch[name].numpy() for name in taken}, share_inputs=True)
        return torch.from_numpy(found[0])

    return embedder(folder, run)


def embed_with_ctranslate2(folder: str, dtype: str = "float32") -> Work:
    import ctranslate2
    import numpy as np
    import torch

    path = converted("ctranslate2", folder, _to_ctranslate2)
    model = ctranslate2.Encoder(
        str(path), device="cpu", compute_type=dtype, intra_threads=cores()
    )

    def run(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        ids = ctranslate2.StorageView.from_array(batch["input_ids"].int().numpy())
        lengths = batch["attention_mask"].sum(1).int().numpy()
        types = batch.get("token_type_ids")
        beside = {} if types is None else {"token_type_ids": types.tolist()}
        found = model.forward_batch(ids, ctranslate2.StorageView.from_array(lengths), **beside)
        return torch.from_numpy(np.array(found.last_hidden_state, copy=False))

    return embedder(folder, run)


def converted(
    engine: str, folder: str, convert: Callable[[str, Path], None], dtype: str = "float32"
) -> Path:
    """The folder's model in the engine's form, from the cache or made now: of the same files by
    the same version it is the same. `dtype` is that of the form, if it has a say in it."""
    if not list(Path(folder).glob("*.safetensors")):
        raise OSError(f"{folder} has no file named model.safetensors")
    from importlib.metadata import version  # which takes its time, and not all need it

    made_by = f"{engine} {version(engine)}"
    made_by += "" if dtype == "float32" else f" {dtype}"
    digest = hashlib.sha256(made_by.encode())
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    place = _cache() / f"{made_by.replace(' ', '-')}-{digest.hexdigest()[:16]}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=place.parent, prefix="unfinished-"))
    try:
        with _quietly():
            convert(folder, draft / "model")
        with contextlib.suppress(OSError):  # another bench was first
            (draft / "model").rename(place)
    except Exception as problem:
        said = str(problem).splitlines() or [type(problem).__name__]
        raise InputError(f"{engine} cannot convert {folder}: {said[0]:.300}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "encoders-three-ways" / "engines"


def _to_onnx(folder: str, target: Path) -> None:
    import torch

    target.mkdir()
    model, batch = encoder(folder), _example(folder)
    torch.onnx.export(
        model,
        (),
        str(target / "model.onnx"),
        kwargs=batch,
        dynamo=True,
        dynamic_shapes={name: {0: "batch", 1: "tokens"} for name in batch},
        input_names=list(batch),
        output_names=["last_hidden_state"],
        external_data=False,
        verbose=False,
    )


def _to_int8_onnx(folder: str, target: Path) -> None:
    """Weights rounded now, and what they are multiplied with each time."""
    from onnxruntime.quantization import quantize_dynamic

    plain = target.with_name("plain")
    _to_onnx(folder, plain)
    target.mkdir()
    quantize_dynamic(plain / "model.onnx", target / "model.onnx")


def _to_openvino(folder: str, target: Path) -> None:
    import openvino

    target.mkdir()
    model = openvino.convert_model(encoder(folder), example_input=_example(folder))
    openvino.save_model(model, target / "model.xml", compress_to_fp16=False)


def _to_ctranslate2(folder: str, target: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    with tempfile.TemporaryDirectory() as place:
        copy = Path(place)
        for path in Path(folder).iterdir():
            (copy / path.name).symlink_to(path.resolve())
        # Its converter asks for what Transformers has ceased to write.
        config = {"position_embedding_type": "absolute"}
        config |= json.loads((copy / "config.json").read_text(encoding="utf-8"))
        (copy / "config.json").unlink()
        (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
        TransformersConverter(place).convert(str(target))


def _example(folder: str) -> dict[str, torch.Tensor]:
    """Two texts of unequal length, from which a converter sees what is of what shape."""

    from reference.bench.peers import tokenizer_of

    return dict(tokenizer_of(folder)(["one", "one and two"], padding=True, return_tensors="pt"))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Converters tell of much that is nobody's concern."""
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
