"""Labels of chosen pieces of a text, each of them learned by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reference.backend import Model
from reference.checks import check_name
from reference.errors import InputError, shown
from reference.families import EncoderConfig
from reference.families.detections import PROBLEM_TYPES, Detections
from reference.families.tasks import MASKED_SEQUENCE, Task
from reference.inputs import Inputs
from reference.learning import Example, Lesson
from reference.masking import IGNORED
from reference.pipelines.batching import run_in_batches
from reference.pipelines.detections import (
    CHARACTERS,
    TokenPlaces,
    characters_of,
    without_marks,
)
from reference.pipelines.probabilities import log_softmax
from reference.spans import SPAN_POOLINGS, packed_detections
from reference.training.objectives.labelled import (
    ROWS_AT_ONCE,
    Row,
    check_weights,
    inputs_of,
    named,
    weights_of,
)
from reference.training.objectives.objective import Given, Objective, setting
from reference.training.objectives.records import check_text, records
from reference.training.scores import label_scores, many_label_scores

MULTILABEL, MULTICLASS = PROBLEM_TYPES
# Of a text that is too long, so much of what a model reads stands before a detection.
BEFORE = 0.25

Labels = Mapping[str, float | None]  # the share of each label; None is not counted


@dataclass(frozen=True)
class Sample:
    """A text, its pieces, and the labels of each; those of one that is not counted are None."""

    text: str
    spans: tuple[tuple[int, int], ...]
    labels: tuple[Labels | None, ...]


@dataclass(frozen=True)
class Asked:
    """The detections of a row: first and last token of each, and the labels as the loss takes
    them."""

    tokens: list[tuple[int, int]]
    labels: np.ndarray


@dataclass(frozen=True)
class MaskedSequence(Objective):
    """Chosen pieces of texts are labelled. Data has a text and its spans, each (start, end,
    labels), or a text with [[marked]] pieces and the labels of each.

    kind: "multilabel", where a piece has any number of labels, a list of names, or a table from
        names to shares, in which None is not counted; "multiclass", where it has one. A piece
        whose labels are None is not counted. By default as the model is, and a new one
        multilabel.
    span_pooling: which of a piece's tokens its vector is the mean of: "first", "mean" or
        "first_last". By default as the model has it, and a new one "first".
    pos_weight: how much a piece counts that has a label, by the label (multilabel).
    class_weights: how much each label counts; 1 where none is given.
    """

    name: ClassVar[str] = "masked-sequence"
    task: ClassVar[Task] = MASKED_SEQUENCE
    columns: ClassVar[Mapping[str, str]] = {"text": "text", "spans": "spans"}

    kind: str | None = setting(None, f"{MULTILABEL} or {MULTICLASS}; default as the model is")
    span_pooling: str | None = setting(
        None, f"{', '.join(SPAN_POOLINGS)}: which tokens make a vector; default first"
    )
    pos_weight: Mapping[str, float] | None = setting(
        None, "how much it counts that a label is there, such as '{rare = 5}'; default 1"
    )
    class_weights: Mapping[str, float] | None = setting(
        None, "how much each label counts, such as '{rare = 5}'; default 1"
    )

    def __post_init__(self) -> None:
        if self.kind is not None:
            check_name(self.kind, PROBLEM_TYPES, "kind")
        if self.span_pooling is not None:
            check_name(self.span_pooling, SPAN_POOLINGS, "span_pooling")
        for name in ("pos_weight", "class_weights"):
            object.__setattr__(self, name, check_weights(getattr(self, name)))
        if self.kind == MULTICLASS and self.pos_weight is not None:
            raise InputError("pos_weight is for labels that are there or not: multilabel only")

    def samples(self, data: Any, columns: Mapping[str, str]) -> list[Sample]:
        return [_sample(where, record) for where, record in records(data, columns)]

    def key(self, sample: Sample) -> str:
        return sample.text

    def changes(self, samples: Sequence[Sample], config: EncoderConfig) -> dict[str, Any]:
        labels = {name for sample in samples for own in sample.labels for name in own or ()}
        if not labels:
            raise InputError("no piece of these texts has a label: there is nothing to learn")
        id2label = named(labels, config)
        there = config.detections
        kinds = {problem: kind for kind, problem in PROBLEM_TYPES.items()}
        kind = self.kind or (kinds[config.problem_type] if there else MULTILABEL)
        if kind == MULTICLASS and len(id2label) < 2:
            raise InputError(f"every piece has the label {id2label[0]!r:.80}: nothing to tell")
        same = there is not None and id2label == config.id2label
        detections = Detections(
            span_pooling=self.span_pooling or (there.span_pooling if there else "first"),
            thresholds=there.thresholds if same else None,
            **{
                name: own if own is not None or not same else getattr(there, name)
                for name, own in self._weights(id2label).items()
            },
        )
        if kind == MULTICLASS and detections.pos_weight is not None:
            raise InputError("pos_weight is for labels that are there or not: multilabel only")
        changes = {"id2label": id2label, "problem_type": PROBLEM_TYPES[kind]}
        return changes | {"detections": detections}

    def _weights(self, id2label: Mapping[int, str]) -> dict[str, tuple[float, ...] | None]:
        given = {"pos_weight": self.pos_weight, "class_weights": self.class_weights}
        return {
            name: None if own is None else tuple(weights_of(own, id2label, name).tolist())
            for name, own in given.items()
        }

    def rows(self, samples: Sequence[Sample], given: Given) -> list[Row]:
        """A text is a row; one that is too long is as many as its detections need, so that each
        is in one of them, whole and once. A text without detections is none."""
        samples = [sample for sample in samples if sample.spans]
        texts = [sample.text for sample in samples]
        encodings = given.tokenizer(texts, truncation=False, located=True)
        return [
            row
            for encoding, sample in zip(encodings, samples, strict=True)
            for row in _rows(encoding, sample, given)
        ]

    def example(self, rows: Sequence[Row], given: Given, seed: int) -> Lesson | None:
        inputs, labels = _batch(rows, given.config)
        if not (labels != IGNORED).any():
            return None
        weights = given.config.detections.class_weights
        single = given.config.problem_type == PROBLEM_TYPES[MULTICLASS]
        return Example(inputs, labels, np.array(weights) if single and weights else None)

    def scores(self, model: Model, rows: Sequence[Row], given: Given) -> dict[str, float]:
        """Of a multilabel model a label is found from its threshold on."""

        def run(batch: Sequence[Row]) -> Sequence[np.ndarray]:
            logits = model.forward(_batch(batch, given.config)[0])["logits"]
            return np.split(logits, np.cumsum([len(row.label.tokens) for row in batch])[:-1])

        logits = np.concatenate(run_in_batches(run, rows, ROWS_AT_ONCE)).astype(np.float64)
        labels = np.concatenate([row.label.labels for row in rows])
        on_it = given.config.detections
        weights = np.ones(logits.shape[-1])
        weights = weights if on_it.class_weights is None else np.array(on_it.class_weights)
        if given.config.problem_type == PROBLEM_TYPES[MULTICLASS]:
            kept = labels != IGNORED
            logits, labels = logits[kept], labels[kept]
            each = -log_softmax(logits)[np.arange(len(labels)), labels]
            loss = (weights[labels] * each).sum() / weights[labels].sum()
            return {"loss": float(loss), **label_scores(labels, logits.argmax(axis=-1))}
        kept = labels != IGNORED
        answers = np.where(kept, labels, 0)
        there = 1.0 if on_it.pos_weight is None else np.array(on_it.pos_weight)
        softplus = np.maximum(-logits, 0) + np.log1p(np.exp(-np.abs(logits)))
        losses = (1 - answers) * logits + (1 + (there - 1) * answers) * softplus
        loss = (weights * losses)[kept].mean()
        thresholds = np.full(logits.shape[-1], 0.5)
        thresholds = thresholds if on_it.thresholds is None else np.array(on_it.thresholds)
        with np.errstate(divide="ignore"):
            found = logits >= np.log(thresholds) - np.log1p(-thresholds)
        return {"loss": float(loss), **many_label_scores(found, answers > 0.5, kept)}


def _sample(where: str, record: Mapping[str, Any]) -> Sample:
    text, spans = check_text(record["text"], where, "text"), record["spans"]
    if not isinstance(spans, (list, tuple)):
        raise InputError(f"{where}: spans are {shown(spans, 40)}; they must be a list")
    marked = [not _is_span(span) for span in spans]
    if any(marked):
        if not all(marked):
            raise InputError(f"{where}: some spans say where they are, and some do not")
        text, places = without_marks(text, where)
        if len(places) != len(spans):
            raise InputError(
                f"{where} has {len(places)} marked pieces and labels for {len(spans)}"
            )
        labels = spans
    else:
        spans = [_in_order(span) for span in spans]
        places = [characters_of(text, span[:2], CHARACTERS, where) for span in spans]
        labels = [span[2] for span in spans]
    return Sample(text, tuple(places), tuple(_labels(where, own) for own in labels))


def _is_span(span: Any) -> bool:
    if isinstance(span, Mapping):
        return {"start", "end"} <= set(span)
    return (
        isinstance(span, (list, tuple))
        and len(span) == 3
        and all(isinstance(place, int) and not isinstance(place, bool) for place in span[:2])
    )


def _in_order(span: Any) -> tuple[int, int, Any]:
    """As a tuple; a dictionary has "labels" or, of one, "label"."""
    if not isinstance(span, Mapping):
        return tuple(span)
    return span["start"], span["end"], span.get("labels", span.get("label"))


def _labels(where: str, labels: Any) -> Labels | None:
    if labels is None:
        return None
    if isinstance(labels, str):
        labels = [labels]
    if isinstance(labels, (list, tuple)):
        labels = dict.fromkeys(labels, 1.0)
    sound = isinstance(labels, Mapping) and all(
        isinstance(name, str)
        and name
        and (share is None or (isinstance(share, (int, float)) and 0 <= share <= 1))
        for name, share in labels.items()
    )
    if not sound:
        raise InputError(
            f"{where}: labels are {shown(labels, 60)}; they must be a name, a list of names, "
            "or a table from names to shares from 0 to 1, or None for what is not counted"
        )
    return dict(labels)


def _numbered(labels: Labels | None, config: EncoderConfig) -> Any:
    """As the loss takes them."""
    numbers = config.label2id
    if config.problem_type == PROBLEM_TYPES[MULTICLASS]:
        if labels is None:
            return IGNORED
        there = [name for name, share in labels.items() if share]
        if len(there) != 1 or labels[there[0]] != 1:
            raise InputError(
                f"a piece has the labels {shown(dict(labels), 60)}; one of a multiclass model "
                "has exactly one"
            )
        return numbers[there[0]]
    if labels is None:
        return np.full(len(numbers), float(IGNORED))
    row = np.zeros(len(numbers))
    for name, share in labels.items():
        row[numbers[name]] = IGNORED if share is None else share
    return row


def _rows(encoding: Any, sample: Sample, given: Given) -> list[Row]:
    here, spans = TokenPlaces(encoding.origins), []
    for start, end in sample.spans:
        found = here.of(start, end)
        if not found:
            raise InputError(
                f"{sample.text[start:end]!r:.60} is no token of this model's, in "
                f"{sample.text!r:.80}"
            )
        spans.append((found[0], found[-1]))
    labels = np.array([_numbered(own, given.config) for own in sample.labels])
    if len(encoding) <= given.max_tokens:
        return [Row(list(encoding), encoding.token_type_ids, Asked(spans, labels))]
    special = encoding.special_tokens_mask
    head, tail = special.index(0), special[::-1].index(0)
    inner, room = list(encoding[head : len(encoding) - tail]), given.max_tokens - head - tail
    first, last = list(encoding[:head]), list(encoding[len(encoding) - tail :])
    found = []
    for start, chosen in _windows([(a - head, b - head) for a, b in spans], len(inner), room):
        ids = [*first, *inner[start : start + room], *last]
        moved = [(spans[n][0] - start, spans[n][1] - start) for n in chosen]
        found.append(Row(ids, [0] * len(ids), Asked(moved, labels[chosen])))
    return found


def _windows(
    spans: Sequence[tuple[int, int]], tokens: int, room: int
) -> list[tuple[int, list[int]]]:
    """Where windows of so many tokens begin, and which of the spans each has whole; every span
    is in one of them."""
    found: list[tuple[int, list[int]]] = []
    for number in sorted(range(len(spans)), key=spans.__getitem__):
        first, last = spans[number]
        if last - first >= room:
            raise InputError(
                f"a piece has {last - first + 1} tokens; this model reads {room} of a text at "
                "a time"
            )
        if not found or last >= found[-1][0] + room:
            start = min(first, first - math.ceil(BEFORE * room))
            start = max(0, min(max(start, last + 1 - room), tokens - room))
            found.append((start, []))
        found[-1][1].append(number)
    return found


def _batch(rows: Sequence[Row], config: EncoderConfig) -> tuple[Inputs, np.ndarray]:
    inputs = packed_detections(inputs_of(rows), [row.label.tokens for row in rows], config)
    return inputs, np.concatenate([row.label.labels for row in rows])
