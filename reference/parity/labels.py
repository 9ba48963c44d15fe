"""Labels for a loss: made from a seed for the head at hand, or a user's own, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.architectures import Architecture
from reference.config import EncoderConfig
from reference.errors import InputError
from reference.masking import IGNORED
from reference.parity.batch import Batch


def make_labels(
    config: EncoderConfig, architecture: Architecture, batch: Batch, seed: int = 0
) -> np.ndarray:
    """Labels of the kind that the head's loss takes; for a base model a target for every hidden
    value."""
    generator = np.random.default_rng(seed)
    shape = batch.input_ids.shape
    if architecture.task == "base":
        return generator.standard_normal((*shape, config.hidden_size))
    if architecture.task == "masked-lm":
        return _some_tokens(generator, batch, config.vocab_size)
    if architecture.task == "token-classification":
        return np.where(batch.real, generator.integers(config.num_labels, size=shape), IGNORED)
    if architecture.task == "multiple-choice":
        return generator.integers(batch.choices, size=shape[0] // batch.choices)
    return _text_labels(generator, config, len(batch.input_ids))


def _some_tokens(generator: np.random.Generator, batch: Batch, vocab_size: int) -> np.ndarray:
    """Random words as labels of 15 % of the real tokens."""
    places = np.flatnonzero(batch.real)
    chosen = generator.choice(places, max(1, round(0.15 * len(places))), replace=False)
    labels = np.full(batch.input_ids.shape, IGNORED)
    labels.flat[chosen] = generator.integers(vocab_size, size=len(chosen))
    return labels


def _text_labels(
    generator: np.random.Generator, config: EncoderConfig, texts: int
) -> np.ndarray:
    kind = config.problem_type or (
        "regression" if config.num_labels == 1 else "single_label_classification"
    )
    if kind == "single_label_classification":
        return generator.integers(config.num_labels, size=texts)
    shape = (
        texts if config.num_labels == 1 and kind == "regression" else (texts, config.num_labels)
    )
    if kind == "regression":
        return generator.standard_normal(shape)
    return generator.integers(2, size=shape).astype(np.float64)


def check_labels(
    config: EncoderConfig, architecture: Architecture, shape: tuple[int, ...], labels: Any
) -> np.ndarray:
    """A user's labels, of the kind and shape that the head's loss takes; whole numbers come
    back as int64."""
    try:
        array = np.asarray(labels)
    except (ValueError, TypeError) as problem:
        raise InputError(f"labels are ragged or no array: {problem}") from None
    if array.dtype.kind not in "iuf":
        raise InputError(f"labels hold {array.dtype}; they must be an array of numbers")
    if architecture.task == "base":
        return _check_numbers(array, (*shape, config.hidden_size))
    if architecture.task == "text-classification":
        return _check_text_labels(config, array, shape[0])
    if architecture.task == "multiple-choice":
        return _check_classes(array, shape[:1], shape[1])
    size = config.vocab_size if architecture.task == "masked-lm" else config.num_labels
    return _check_classes(array, shape, size)


def _check_text_labels(config: EncoderConfig, labels: np.ndarray, texts: int) -> np.ndarray:
    """Which loss is meant is decided as Transformers decides it (see classification_loss)."""
    kind = config.problem_type
    if kind is None:
        whole = (
            "single_label_classification"
            if labels.dtype.kind in "iu"
            else "multi_label_classification"
        )
        kind = "regression" if config.num_labels == 1 else whole
    if kind == "single_label_classification":
        return _check_classes(labels, (texts,), config.num_labels)
    if (
        kind == "regression"
        and config.num_labels == 1
        and labels.shape in ((texts,), (texts, 1))
    ):
        return _check_numbers(labels, labels.shape)
    return _check_numbers(labels, (texts, config.num_labels))


def _check_classes(labels: np.ndarray, shape: tuple[int, ...], size: int) -> np.ndarray:
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels hold {labels.dtype}; classes are whole numbers")
    if labels.shape != shape:
        raise InputError(f"labels have shape {labels.shape}; they must have {shape}")
    outside = (labels != IGNORED) & ((labels < 0) | (labels >= size))
    if outside.any():
        raise InputError(
            f"labels hold {labels[outside][0]}; a label is {IGNORED} (not counted) or 0 to "
            f"{size - 1}"
        )
    return labels.astype(np.int64)


def _check_numbers(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if labels.shape != shape:
        raise InputError(f"labels have shape {labels.shape}; they must have {shape}")
    if not np.isfinite(labels).all():
        raise InputError("labels hold NaN or infinity")
    return labels.astype(np.float64)
