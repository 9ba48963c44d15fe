"""Transformer encoders three ways: PyTorch, MLX, and Rust with candle, held against Hugging Face Transformers.

    model = reference.load("sentence-transformers/all-MiniLM-L6-v2", backend="torch")
    vectors = model.encode(["a first sentence", "a second one"])

The sub-packages torch, mlx and candle are the three ports. They are imported when they are asked for, and so are
their frameworks: `import reference` itself loads none.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from reference.errors import CheckpointError, ConfigError, EncodersError, InputError

if TYPE_CHECKING:
    from reference.pipelines import Pipeline

__version__ = "0.1.0"
__all__ = ["CheckpointError", "ConfigError", "EncodersError", "InputError", "load"]

_SUBMODULES = frozenset("backend candle checkpoint config display inputs mlx parity pipelines text torch".split())


def load(
    model: str | os.PathLike[str],
    *,
    backend: str = "torch",
    pipeline: str | None = None,
    dtype: str = "float32",
    revision: str | None = None,
) -> Pipeline:
    """Load a model.

    model: a folder, or a hub id. sentence-transformers/all-MiniLM-L6-v2 comes with the package and needs no network.
    backend: "torch", "mlx" or "candle".
    pipeline: "embeddings", "sentence-similarity", "masked-lm", "text-classification" or "token-classification"; None
        takes what the checkpoint's architecture is for.
    dtype: "float32", "float64", and where the backend has them "float16" and "bfloat16".
    revision: a branch, tag or commit on the hub.
    """
    from reference import pipelines
    from reference.architectures import architecture_for
    from reference.backend import build
    from reference.checkpoint import locate, read_checkpoint
    from reference.config import read_config

    chosen = None if pipeline is None else pipelines.pipeline_class(pipeline)
    folder = locate(model, revision)
    if chosen is None:
        chosen = pipelines.pipeline_class(pipelines.BY_TASK[architecture_for(read_config(folder)).task])
    checkpoint = read_checkpoint(folder, chosen.task)
    network = build(backend, checkpoint.config, checkpoint.architecture.name, checkpoint.tensors, dtype)
    return chosen(checkpoint, network, backend, dtype)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"reference.{name}")
    raise AttributeError(f"module 'reference' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES})
