"""Transformer encoders three ways: PyTorch, MLX, and Rust with candle, held against Hugging
Face Transformers.

    model = reference.load("sentence-transformers/all-MiniLM-L6-v2", backend="torch")
    vectors = model.encode(["a first sentence", "a second one"])

The sub-packages torch, mlx and candle are the three ports. They are imported when they are
asked for, and so are
their frameworks: `import reference` itself loads none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reference.errors import CheckpointError, ConfigError, EncodersError, InputError
from reference.lazy import lazy_submodules

if TYPE_CHECKING:
    from reference.pipelines import Pipeline

__version__ = "0.1.0"
__all__ = ["CheckpointError", "ConfigError", "EncodersError", "InputError", "load"]


def load(
    model: str | os.PathLike[str],
    *,
    backend: str = "torch",
    pipeline: str | None = None,
    dtype: str = "float32",
    device: str | None = None,
    revision: str | None = None,
) -> Pipeline:
    """Load a model.

    model: a folder, or a hub id. Seven come with the package and need no network:
        all-MiniLM-L6-v2, under its id sentence-transformers/all-MiniLM-L6-v2; a small masked
        language model of technical English, encoders-three-ways/modernbert-docstrings; and,
        made of it, .../modernbert-packages, which says which package a docstring is from,
        .../modernbert-parameters, which finds the names and types of parameters,
        .../modernbert-search, which makes vectors by which documentation is searched, and
        .../modernbert-declarations, which tells the type of a parameter that has none; and
        .../characters-packages, which reads characters and tells the package of a docstring
        even if it is mistyped.
    backend: "torch", "mlx" or "candle".
    pipeline: "embeddings" (also called "sentence-similarity" and "sentence-transformers"),
        "masked-lm", "zero-shot-classification", "text-classification",
        "token-classification", "multiple-choice" or "masked-sequence"; None takes what the
        checkpoint's architecture is for.
    dtype: "float32", "float64", and where the backend has them "float16" and "bfloat16". In
        candle also "int8": dense layers multiply in eight bits, which is faster on processors
        with AVX-512 VNNI and costs a little accuracy; all else stays in float32.
    device: for torch "cpu", "cuda", "cuda:1", "mps", or "auto" for the first accelerator that
        there is; for mlx "cpu" or "gpu"; for candle "cpu", and "cuda" or "metal" where it was
        compiled for them. None is the CPU for torch and candle, and MLX's own default.
    revision: a branch, tag or commit on the hub; a folder and the embedded model have none.
    """
    from reference import pipelines
    from reference.backend import build, check_place
    from reference.checkpoint import locate, read_checkpoint
    from reference.weights import let_go

    if pipeline is not None:
        pipelines.pipeline_class(pipeline)
    check_place(backend, dtype, device)  # names are checked before anything is fetched or read
    folder = locate(model, revision)
    named = pipeline or pipelines.named_by_sentence_transformers(folder)
    chosen = None if named is None else pipelines.pipeline_class(named, folder)
    checkpoint = read_checkpoint(folder, None if chosen is None else chosen.task)
    config, architecture = checkpoint.config, checkpoint.architecture
    chosen = chosen or pipelines.pipeline_class(architecture.task.pipeline, folder)
    network = build(backend, config, architecture, checkpoint.tensors, dtype, device)
    let_go(checkpoint.tensors.values())  # every port has a copy of its own
    return chosen(checkpoint, network, backend, dtype, device)


# reference.torch.pooling and the like, without an import of it.
__getattr__, __dir__ = lazy_submodules(__name__, __path__)
