"""What a model is for. A task knows what a row of its result is, what goes in, and what its
loss compares the result with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.errors import InputError, shortened
from reference.families.config import EncoderConfig
from reference.inputs import Inputs, check_choices, check_padded
from reference.masking import IGNORED
from reference.spans import check_detections, check_real, with_detections


@dataclass(frozen=True)
class Task:
    """A task; there is one instance of each."""

    name: str
    suffix: str  # of the names of Transformers' classes
    row: str  # what the result has a row of: "token", "text" or "choice"
    pipeline: str

    # A user's padded batch: check_inputs(config, input_ids, attention_mask, token_type_ids).
    check_inputs = staticmethod(check_padded)

    def arrange(self, inputs: Inputs, config: EncoderConfig) -> Inputs:
        """A batch of texts as a model for this task takes it."""
        return inputs

    def check_labels(self, config: EncoderConfig, inputs: Inputs, labels: Any) -> np.ndarray:
        """A user's labels, of the kind and shape that the loss takes; whole numbers come back
        as int64."""
        raise NotImplementedError

    def make_labels(
        self, config: EncoderConfig, inputs: Inputs, generator: np.random.Generator
    ) -> np.ndarray:
        """Random labels of that kind for a padded batch."""
        raise NotImplementedError


class _Base(Task):
    """No head: trained on nothing, it is compared by its distance to given hidden states."""

    def check_labels(self, config: EncoderConfig, inputs: Inputs, labels: Any) -> np.ndarray:
        shape = (*inputs.input_ids.shape, config.hidden_size)
        return _numbers(_array(labels), shape)

    def make_labels(
        self, config: EncoderConfig, inputs: Inputs, generator: np.random.Generator
    ) -> np.ndarray:
        return generator.standard_normal((*inputs.input_ids.shape, config.hidden_size))


class _MaskedLM(Task):
    """A word for every hidden token."""

    def check_labels(self, config: EncoderConfig, inputs: Inputs, labels: Any) -> np.ndarray:
        return _classes(_array(labels), inputs.input_ids.shape, config.outputs)

    def make_labels(
        self, config: EncoderConfig, inputs: Inputs, generator: np.random.Generator
    ) -> np.ndarray:
        """Random words at 15 % of the real tokens."""
        places = np.flatnonzero(inputs.real)
        count = max(1, round(0.15 * len(places)))
        chosen = generator.choice(places, count, replace=False)
        labels = np.full(inputs.input_ids.shape, IGNORED)
        labels.flat[chosen] = generator.integers(config.outputs, size=len(chosen))
        return labels


class _TextClassification(Task):
    """One label for every text, several, or numbers: problem_type says which, or else the
    labels do (see the ports' classification_loss)."""

    def check_labels(self, config: EncoderConfig, inputs: Inputs, labels: Any) -> np.ndarray:
        array, texts = _array(labels), len(inputs.input_ids)
        kind = config.problem_type
        if kind is None:
            whole = array.dtype.kind in "iu"
            kind = "single_label_classification" if whole else "multi_label_classification"
            kind = "regression" if config.num_labels == 1 else kind
        if kind == "single_label_classification":
            return _classes(array, (texts,), config.num_labels)
        single = kind == "regression" and config.num_labels == 1
        if single and array.shape in ((texts,), (texts, 1)):
            return _numbers(array, array.shape)
        return _numbers(array, (texts, config.num_labels))

    def make_labels(
        self, config: EncoderConfig, inputs: Inputs, generator: np.random.Generator
    ) -> np.ndarray:
        texts, single = len(inputs.input_ids), config.num_labels == 1
        kind = "regression" if single else "single_label_classification"
        kind = config.problem_type or kind
        if kind == "single_label_classification":
            return generator.integers(config.num_labels, size=texts)
        shape = texts if single and kind == "regression" else (texts, config.num_labels)
        if kind == "regression":
            return generator.standard_normal(shape)
        return generator.integers(2, size=shape).astype(np.float64)


class _TokenClassification(Task):
    """A label for every token."""

    def check_labels(self, config: EncoderConfig, inputs: Inputs, labels: Any) -> np.ndarray:
        return _classes(_array(labels), inputs.input_ids.shape, config.num_labels)

    def make_labels(
        self, config: EncoderConfig, inputs: Inputs, generator: np.random.Generator
    ) -> np.ndarray:
        labels = generator.integers(config.num_labels, size=inputs.input_ids.shape)
        return np.where(inputs.real, labels, IGNORED)


class _MultipleChoice(Task):
    """Which of several texts answers a question; a batch is [batch, choices, tokens]."""

    check_inputs = staticmethod(check_choices)

    def arrange(self, inputs: Inputs, config: EncoderConfig) -> Inputs:
        """Two texts, or all of an odd number, are choices of one question."""
        texts = len(inputs.input_ids)
        choices = texts if texts % 2 else 2
        return inputs.map(lambda array: array.reshape(-1, choices, array.shape[1]))

    def check_labels(self, config: EncoderConfig, inputs: Inputs, labels: Any) -> np.ndarray:
        batch, choices, _ = inputs.input_ids.shape
        return _classes(_array(labels), (batch,), choices)

    def make_labels(
        self, config: EncoderConfig, inputs: Inputs, generator: np.random.Generator
    ) -> np.ndarray:
        batch, choices, _ = inputs.input_ids.shape
        return generator.integers(choices, size=batch)


class _MaskedSequence(Task):
    """Labels for each of the detections that the inputs name."""

    check_inputs = staticmethod(check_detections)

    def arrange(self, inputs: Inputs, config: EncoderConfig) -> Inputs:
        """In each text the first token, the last, and what lies between a third and two thirds
        of it; a text of one token is three times that."""
        rows = [np.flatnonzero(real) for real in inputs.real]
        thirds = [(len(row) // 3, max(len(row) // 3, 2 * len(row) // 3)) for row in rows]
        spans = [
            [(row[0], row[0]), (row[start], row[end]), (row[-1], row[-1])]
            for row, (start, end) in zip(rows, thirds, strict=True)
        ]
        first, last = np.moveaxis(np.array(spans, np.int64), -1, 0)
        return with_detections(inputs, first, last, config)

    def check_labels(self, config: EncoderConfig, inputs: Inputs, labels: Any) -> np.ndarray:
        """With every channel ignored of a detection that is."""
        array, shape = _array(labels), inputs.spans.shape[:-1]
        if config.problem_type == "single_label_classification":
            classes = _classes(array, shape, config.num_labels)
            check_real(inputs, classes != IGNORED)
            return classes
        array = _numbers(array, (*shape, config.num_labels))
        sound = ((array >= 0) & (array <= 1)) | (array == IGNORED)
        if not sound.all():
            raise InputError(
                f"labels hold {array[~sound][0]:g}; a label is 0, 1, what lies between, or "
                f"{IGNORED} (not counted)"
            )
        check_real(inputs, array[..., 0] != IGNORED)
        return np.where(array[..., :1] == IGNORED, float(IGNORED), array)

    def make_labels(
        self, config: EncoderConfig, inputs: Inputs, generator: np.random.Generator
    ) -> np.ndarray:
        """One detection of the first text is ignored, and one channel of another."""
        shape, labels = inputs.spans.shape[:-1], config.num_labels
        if config.problem_type == "single_label_classification":
            classes = generator.integers(labels, size=shape)
            classes[0, 0] = IGNORED
            return classes
        shares = generator.integers(2, size=(*shape, labels)).astype(np.float64)
        shares[0, 0] = IGNORED
        shares[-1, -1, -1] = IGNORED
        return shares


BASE = _Base("base", "Model", "token", "embeddings")
MASKED_LM = _MaskedLM("masked-lm", "ForMaskedLM", "token", "masked-lm")
TEXT_CLASSIFICATION = _TextClassification(
    "text-classification", "ForSequenceClassification", "text", "text-classification"
)
TOKEN_CLASSIFICATION = _TokenClassification(
    "token-classification", "ForTokenClassification", "token", "token-classification"
)
MULTIPLE_CHOICE = _MultipleChoice(
    "multiple-choice", "ForMultipleChoice", "choice", "multiple-choice"
)
MASKED_SEQUENCE = _MaskedSequence(
    "masked-sequence", "ForMaskedSequence", "detection", "masked-sequence"
)
# Those for which Transformers has classes, of some families or of all.
OF_TRANSFORMERS = (
    BASE,
    MASKED_LM,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
    MULTIPLE_CHOICE,
)
TASKS = {task.name: task for task in (*OF_TRANSFORMERS, MASKED_SEQUENCE)}


def _array(labels: Any) -> np.ndarray:
    try:
        array = np.asarray(labels)
    except (ValueError, TypeError) as problem:
        raise InputError(f"labels are ragged or no array: {shortened(problem)}") from None
    if array.dtype.kind not in "iuf":
        raise InputError(f"labels hold {array.dtype}; they must be an array of numbers")
    return array


def _classes(labels: np.ndarray, shape: tuple[int, ...], size: int) -> np.ndarray:
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


def _numbers(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if labels.shape != shape:
        raise InputError(f"labels have shape {labels.shape}; they must have {shape}")
    if not np.isfinite(labels).all():
        raise InputError("labels hold NaN or infinity")
    return labels.astype(np.float64)
