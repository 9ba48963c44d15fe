"""Parity with Transformers, measured: every hidden state, output, loss and gradient, held
against float64.

    report = reference.parity.compare("sentence-transformers/all-MiniLM-L6-v2",
    backends=("torch",)) print(report.table())

Transformers and the frameworks are imported when a comparison runs, not before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reference.backend import BACKENDS
from reference.errors import InputError
from reference.lazy import lazy_submodules
from reference.parity.report import Divergence, Likeness, Report, Row

__all__ = [
    "Divergence",
    "Likeness",
    "Report",
    "Row",
    "compare",
    "compare_training",
    "gradients",
    "loss_trajectory",
    "random_checkpoint",
]

__getattr__, __dir__ = lazy_submodules(__name__, __path__)


def compare(
    model: str | os.PathLike[str],
    backends: Sequence[str] = BACKENDS,
    dtype: str = "float32",
    texts: Sequence[str] | None = None,
    port: Callable[..., Mapping[str, Any]] | None = None,
    seed: int = 0,
) -> Report:
    """Hold the backends against Transformers in float64 on one checkpoint.

    model: a folder, or a hub id, of any supported architecture.
    dtype: what the backends compute in; Transformers' own error in it is the noise floor.
    texts: what to run; None takes a fixed set, or random ids where the folder has no tokenizer.
    port: an implementation of your own that is held against the oracle as well: a callable
        (input_ids, attention_mask, token_type_ids) -> dict of NumPy arrays under the keys of a
        pipeline's forward, as many of them as it has. It may also return

        sentence_embedding: one vector a text [texts, hidden];
        loss, gradients (a dict by checkpoint key): if `labels` is in its signature, which are
            then as reference.parity.gradients takes them;
        trace: a dict of what operations returned, by module path in Transformers ("x.input" is
            what the module x was given), so that the first one that departs can be named.

        If `cu_seqlens` is in its signature, it is called once more with each batch packed: ids
        [tokens] of all texts in one row, no mask, and the cumulative lengths.

        It runs in this process. reference.parity.elsewhere makes a port of a program: of one in
        another language, or of one that may crash, which would end this process without a word.
    seed: of what is random in the sample: labels, and ids where there are no texts.

    The report says what the port did not return, and so was not checked; where the port
    departs, the known fault that its results look like is named, if there is one.
    """
    from reference.parity.comparison import compare

    return compare(model, backends, dtype, texts, port, seed)


def gradients(
    folder: str | os.PathLike[str],
    backend: str,
    input_ids: Any,
    attention_mask: Any,
    labels: Any,
    token_type_ids: Any = None,
    dtype: str = "float32",
    *,
    mask_indices: Any = None,
    mask_ends: Any = None,
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss of the checkpoint's own head on the labels, and its gradient in every parameter,
    without dropout.

    For a base model the labels are a target [batch, tokens, hidden] and the loss is the mean
    squared error over real tokens. A model for chosen positions is given mask_indices and
    perhaps mask_ends besides, [batch, detections].
    """
    from reference.backend import build
    from reference.checkpoint import locate, read_checkpoint

    checkpoint = read_checkpoint(locate(folder))
    config, task = checkpoint.config, checkpoint.architecture.task
    given = {"mask_indices": mask_indices, "mask_ends": mask_ends}
    given = {name: value for name, value in given.items() if value is not None}
    if given and task.row != "detection":
        raise InputError(
            f"{next(iter(given))} is for a model at chosen positions; this one is a "
            f"{checkpoint.architecture.name}"
        )
    inputs = task.check_inputs(config, input_ids, attention_mask, token_type_ids, **given)
    labels = task.check_labels(config, inputs, labels)
    model = build(backend, config, checkpoint.architecture, checkpoint.tensors, dtype)
    return model.gradients(inputs, labels)


def loss_trajectory(
    folder: str | os.PathLike[str],
    backend: str,
    batches: Sequence[Any],
    learning_rate: float | Sequence[float] = 1e-3,
    clip: float | None = 1.0,
    weight_decay: float = 0.01,
    dtype: str = "float32",
    dropout: int | None = None,
) -> list[float]:
    """The losses of a checkpoint's own head while it is trained, each before the step of its
    batch. The folder stays as it is.

    batches: dicts of arrays with input_ids, labels, and where there are any attention_mask and
        token_type_ids, one a step; or lists of such dicts, whose gradients are added up to one
        step.
    learning_rate: of AdamW; or one for every step.
    clip: the length that the gradient is shortened to where it is longer; None: never.
    weight_decay: of matrices. Norms and biases do not decay.
    dropout: the seed of the draws by which the model drops what its configuration has it drop;
        None: nothing.
    """
    from reference.parity.trajectory import loss_trajectory

    return loss_trajectory(
        folder, backend, batches, learning_rate, clip, weight_decay, dtype, dropout
    )


def compare_training(
    model: str | os.PathLike[str],
    backends: Sequence[str] = BACKENDS,
    dtype: str = "float32",
    batches: Sequence[Any] | None = None,
    steps: int = 50,
    learning_rate: float | Sequence[float] = 1e-3,
    clip: float | None = 1.0,
    weight_decay: float = 0.01,
    seed: int = 0,
    dropout: int | None = None,
) -> Report:
    """Hold whole runs of training against Transformers and torch.optim.AdamW in float64: the
    loss of every step.

    In float32 the noise floor of a step is Transformers' own largest error so far, over several
    runs that add the same numbers up in another order; a port may be off by twice that. batches
    and the rest are as loss_trajectory takes them; without batches there are `steps` random
    ones.
    """
    from reference.parity.trajectory import compare_training

    return compare_training(
        model, backends, dtype, batches, steps, learning_rate, clip, weight_decay, seed, dropout
    )


def random_checkpoint(
    folder: str | os.PathLike[str],
    architecture: str = "BertModel",
    seed: int = 0,
    pooling: str | None = None,
    normalize: bool = False,
    tokenizer: str | os.PathLike[str] | None = None,
    **config: Any,
) -> Path:
    """Write a small checkpoint with seeded random weights, made and saved by Transformers where
    that has the architecture; its folder comes back. Every part of it matters, its norms'
    epsilon too.

    pooling: a way of pooling, "mean" for instance, makes it an embedding model, `normalize` one
        whose vectors have length one.
    tokenizer: a model whose tokenizer it shall have, with that vocabulary and those special
        tokens; without one it takes ids and no texts.
    config: keys of the configuration that differ: hidden_size=64, hidden_act="relu",
        num_labels=3, ...
    """
    from reference.parity.random_models import random_checkpoint

    return random_checkpoint(
        folder, architecture, seed, pooling, normalize, tokenizer, **config
    )
