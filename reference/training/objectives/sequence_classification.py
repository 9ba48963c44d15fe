"""Labels of whole texts, or of pairs of them: one of several, any number of several, or
numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reference.backend import Model
from reference.checks import check_name
from reference.errors import InputError, shown, warn
from reference.families import PROBLEM_TYPES, EncoderConfig
from reference.families.tasks import TEXT_CLASSIFICATION, Task
from reference.learning import Example, Lesson
from reference.pipelines.probabilities import log_softmax
from reference.training.objectives.labelled import (
    Row,
    check_weights,
    inputs_of,
    logits_of,
    named,
    weights_of,
)
from reference.training.objectives.objective import Given, Objective, setting
from reference.training.objectives.records import check_text, label_names, records
from reference.training.scores import label_scores, many_label_scores

REGRESSION, SINGLE, MULTI = PROBLEM_TYPES


@dataclass(frozen=True)
class Sample:
    """A text, perhaps with a second one, and its label: a name, several, or numbers."""

    text: str
    pair: str | None
    label: str | tuple[str, ...] | tuple[float, ...]


@dataclass(frozen=True)
class SequenceClassification(Objective):
    """Texts are labelled. Data has a text, a label, and perhaps a second text, "pair".

    problem_type: "single_label_classification", "multi_label_classification" or "regression";
        by default the labels decide: lists of names are several, fractions are numbers to be
        found, all else is one of several. In a table, several labels stand with commas between.
    class_weights: how much a text counts, by its label; 1 where none is given. For single
        labels only.
    """

    name: ClassVar[str] = "sequence-classification"
    task: ClassVar[Task] = TEXT_CLASSIFICATION
    columns: ClassVar[Mapping[str, str]] = {"text": "text", "label": "label", "pair": "pair"}

    problem_type: str | None = setting(
        None, f"{', '.join(PROBLEM_TYPES)}; by default the labels decide"
    )
    class_weights: Mapping[str, float] | None = setting(
        None, "how much each label counts, such as '{rare = 5}'; default 1"
    )

    def __post_init__(self) -> None:
        if self.problem_type is not None:
            check_name(self.problem_type, PROBLEM_TYPES, "problem_type")
        object.__setattr__(self, "class_weights", check_weights(self.class_weights))

    def samples(self, data: Any, columns: Mapping[str, str]) -> list[Sample]:
        found = list(records(data, columns, optional=("pair",)))
        kind = self.problem_type or _kind([record["label"] for _, record in found])
        names = label_names(data, columns["label"])
        return [_sample(where, record, kind, names) for where, record in found]

    def key(self, sample: Sample) -> str:
        return f"{sample.text}\0{sample.pair}"

    def changes(self, samples: Sequence[Sample], config: EncoderConfig) -> dict[str, Any]:
        labels = [sample.label for sample in samples]
        if isinstance(labels[0], str):
            kind, names = SINGLE, named(labels, config)
            if len(names) < 2:
                raise InputError(
                    f"every text has the label {labels[0]!r:.80}: there is nothing to tell "
                    "apart"
                )
        elif any(isinstance(part, str) for label in labels for part in label):
            kind, names = MULTI, named([part for label in labels for part in label], config)
        else:
            kind, sizes = REGRESSION, {len(label) for label in labels}
            if len(sizes) > 1:
                raise InputError(
                    f"labels have {' and '.join(map(str, sorted(sizes)))} numbers; each text "
                    "must have as many"
                )
            (size,) = sizes
            same = len(config.id2label) == size
            names = config.id2label if same else {n: f"LABEL_{n}" for n in range(size)}
        if self.class_weights is not None and kind != SINGLE:
            raise InputError(f"class_weights are for single labels; these are for {kind}")
        return {"id2label": names, "problem_type": kind}

    def rows(self, samples: Sequence[Sample], given: Given) -> list[Row]:
        """The beginning of every text, as long as it may be."""
        numbers, found, cut = given.config.label2id, [], 0
        paired = [sample.pair is not None for sample in samples]
        if any(paired) and not all(paired):
            raise InputError("some texts have a pair and some have none; all must have one")
        texts = [sample.text for sample in samples]
        pairs = [sample.pair for sample in samples] if any(paired) else None
        for encoding, sample in zip(
            given.tokenizer(texts, pairs, max_length=given.max_tokens), samples, strict=True
        ):
            label = _numbered(sample.label, given.config, numbers)
            cut += bool(encoding.cut)
            found.append(Row(list(encoding), encoding.token_type_ids, label))
        if cut:
            warn(
                f"{cut} of {len(samples)} texts have more than {given.max_tokens} tokens; only "
                "their beginnings are learned from"
            )
        return found

    def example(self, rows: Sequence[Row], given: Given, seed: int) -> Lesson | None:
        labels = np.stack([np.asarray(row.label) for row in rows])
        weights = self.class_weights
        weights = None if weights is None else weights_of(weights, given.config.id2label)
        return Example(inputs_of(rows), labels, weights)

    def scores(self, model: Model, rows: Sequence[Row], given: Given) -> dict[str, float]:
        logits = np.stack(logits_of(model, rows, by_token=False)).astype(np.float64)
        labels = np.stack([np.asarray(row.label) for row in rows])
        kind = given.config.problem_type
        if kind == REGRESSION:
            off = logits - labels.reshape(logits.shape)
            return {"loss": float((off**2).mean()), "mean_error": float(np.abs(off).mean())}
        if kind == MULTI:
            return _scores_of_many(logits, labels)
        each = -log_softmax(logits)[np.arange(len(labels)), labels]
        weights = np.ones(len(labels))
        if self.class_weights is not None:
            weights = weights_of(self.class_weights, given.config.id2label)[labels]
        loss = float((weights * each).sum() / weights.sum())
        return {"loss": loss, **label_scores(labels, logits.argmax(axis=-1))}


def _scores_of_many(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """A label is found where its probability is above a half."""
    losses = np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))
    return {"loss": float(losses.mean()), **many_label_scores(logits > 0, labels > 0.5)}


def _kind(labels: Sequence[Any]) -> str:
    if any(isinstance(label, (list, tuple)) for label in labels):
        several = [label for label in labels if isinstance(label, (list, tuple))]
        numbers = all(isinstance(part, float) for label in several for part in label)
        return REGRESSION if numbers and any(several) else MULTI
    fractions = any(isinstance(label, (float, np.floating)) for label in labels)
    return REGRESSION if fractions else SINGLE


def _sample(where: str, record: Mapping[str, Any], kind: str, names: Any) -> Sample:
    text, pair, label = record["text"], record.get("pair"), record["label"]
    check_text(text, where, "text")
    if pair is not None:
        check_text(pair, where, "pair")
    if kind == REGRESSION:
        return Sample(text, pair, _fractions(where, label))
    if kind == SINGLE:
        return Sample(text, pair, _name(where, label, names))
    if isinstance(label, str):
        label = [part.strip() for part in label.split(",") if part.strip()]
    if not isinstance(label, (list, tuple)):
        raise InputError(f"{where}: label is {shown(label, 40)}; it must be a list of labels")
    return Sample(text, pair, tuple(_name(where, part, names) for part in label))


def _name(where: str, label: Any, names: Sequence[str] | None) -> str:
    whole = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
    if whole and names is not None and 0 <= label < len(names):
        return names[label]
    if not (whole or (isinstance(label, str) and label)):
        raise InputError(
            f"{where}: label is {shown(label, 40)}; it must be a name or a whole number"
        )
    return str(label)


def _fractions(where: str, label: Any) -> tuple[float, ...]:
    parts = label if isinstance(label, (list, tuple)) else [label]
    try:
        found = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        found = ()
    if not found or not np.isfinite(found).all():
        raise InputError(f"{where}: label is {shown(label, 40)}; it must be a finite number")
    return found


def _numbered(label: Any, config: EncoderConfig, numbers: Mapping[str, int]) -> Any:
    """The label as the loss takes it."""
    if config.problem_type == SINGLE:
        return np.int64(numbers[label])
    if config.problem_type == REGRESSION:
        return np.array(label, np.float64)
    row = np.zeros(len(numbers))
    row[[numbers[part] for part in label]] = 1
    return row
