"""Labels of tokens, from spans of a text or from a tag for each word."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from reference.backend import Model
from reference.errors import InputError, shown
from reference.families import EncoderConfig
from reference.families.tasks import TOKEN_CLASSIFICATION, Task
from reference.learning import Example, Lesson
from reference.masking import IGNORED
from reference.pipelines.labelled_tokens import without_space
from reference.pipelines.probabilities import log_softmax
from reference.pipelines.tags import OUTSIDE, Tags
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
from reference.training.scores import label_scores, span_scores

SPANS = ("text", "spans")
WORDS = ("words", "tags")


@dataclass(frozen=True)
class Part:
    """Some characters of a text, the label of the first token in them and of all others."""

    start: int
    end: int
    first: str
    others: str


@dataclass(frozen=True)
class Sample:
    """A text and its parts that have labels, in order."""

    text: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class TokenClassification(Objective):
    """Tokens are labelled. Data has a text and its spans, each (start, end, tag), which become
    the labels B-tag, I-tag and O; or words and a tag for each of them, as they are.

    Where a word has several tokens, B-x is for the first of them and I-x for the others.
    class_weights: how much a token counts, by its label; 1 where none is given.
    """

    name: ClassVar[str] = "token-classification"
    task: ClassVar[Task] = TOKEN_CLASSIFICATION
    columns: ClassVar[Mapping[str, str]] = {
        "text": "text",
        "spans": "spans",
        "words": "tokens",
        "tags": "ner_tags",
    }

    class_weights: Mapping[str, float] | None = setting(
        None, "how much each label counts, such as '{O = 0.2}'; default 1"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_weights", check_weights(self.class_weights))

    def samples(self, data: Any, columns: Mapping[str, str]) -> list[Sample]:
        if isinstance(data, list) and data and isinstance(data[0], (tuple, list)):
            kind = SPANS if data[0] and isinstance(data[0][0], str) else WORDS
            columns = {role: columns[role] for role in kind}
        names, found = label_names(data, columns.get("tags", "")), []
        optional = columns if len(columns) > 2 else ()
        for where, record in records(data, columns, optional):
            if record.keys() >= set(SPANS):
                found.append(_from_spans(where, record["text"], record["spans"]))
            elif record.keys() >= set(WORDS):
                found.append(_from_words(where, record["words"], record["tags"], names))
            else:
                raise InputError(
                    f"{where} has neither {columns['text']} and {columns['spans']} nor "
                    f"{columns['words']} and {columns['tags']}"
                )
        return found

    def key(self, sample: Sample) -> str:
        return sample.text

    def changes(self, samples: Sequence[Sample], config: EncoderConfig) -> dict[str, Any]:
        parts = [part for sample in samples for part in sample.parts]
        labels = {label for part in parts for label in (part.first, part.others)}
        if any(label.startswith("B-") for label in labels) or not labels:
            labels |= {OUTSIDE}
        labels |= {f"I-{label[2:]}" for label in labels if label.startswith("B-")}
        return {"id2label": named(labels, config, first=(OUTSIDE,)), "problem_type": None}

    def rows(self, samples: Sequence[Sample], given: Given) -> list[Row]:
        """Long texts in parts of about one length, special tokens about each."""
        numbers, found = given.config.label2id, []
        texts = [sample.text for sample in samples]
        for encoding, sample in zip(
            given.tokenizer(texts, truncation=False), samples, strict=True
        ):
            labels = _labels(encoding, sample, numbers)
            special = encoding.special_tokens_mask
            start = special.index(0) if 0 in special else len(special)
            end = special[::-1].index(0) if 0 in special else 0
            inner = list(encoding[start : len(encoding) - end])
            own = labels[start : len(encoding) - end]
            room = given.max_tokens - start - end
            first, last = list(encoding[:start]), list(encoding[len(encoding) - end :])
            pieces = math.ceil(len(inner) / room) or 1
            for ids, its in zip(
                np.array_split(inner, pieces), np.array_split(own, pieces), strict=True
            ):
                framed = [*first, *ids.tolist(), *last]
                label = np.array([IGNORED] * start + its.tolist() + [IGNORED] * end)
                found.append(Row(framed, [0] * len(framed), label.astype(np.int64)))
        return found

    def example(self, rows: Sequence[Row], given: Given, seed: int) -> Lesson | None:
        inputs, labels = inputs_of(rows), np.concatenate([row.label for row in rows])
        counted = labels != IGNORED
        if not counted.any():
            return None
        weights = self.class_weights
        weights = None if weights is None else weights_of(weights, given.config.id2label)
        return Example(inputs, labels, weights)

    def scores(self, model: Model, rows: Sequence[Row], given: Given) -> dict[str, float]:
        """Of tokens; and of spans, where the labels say of which tokens they are: both ends and
        the tag must be right."""
        kept = [row.label != IGNORED for row in rows]
        logits = [
            own[mask].astype(np.float64)
            for own, mask in zip(logits_of(model, rows, by_token=True), kept, strict=True)
        ]
        answers = [row.label[mask] for row, mask in zip(rows, kept, strict=True)]
        found = [own.argmax(axis=-1) for own in logits]
        right = np.concatenate(answers)
        each = -log_softmax(np.concatenate(logits))[np.arange(len(right)), right]
        weights = np.ones(len(right))
        if self.class_weights is not None:
            weights = weights_of(self.class_weights, given.config.id2label)[right]
        scores = {"loss": float((weights * each).sum() / weights.sum())}
        scores |= label_scores(right, np.concatenate(found))
        tags = Tags(list(given.config.id2label.values()))
        if "begin" in tags.parts:
            spans = [[list(_spans(row, tags)) for row in part] for part in (answers, found)]
            scores["span_f1"] = span_scores(*spans)["f1"]
        return scores


def _from_spans(where: str, text: Any, spans: Any) -> Sample:
    check_text(text, where, "text")
    parts, before = [], 0
    for span in _sorted(where, spans):
        start, end, tag = span
        if not 0 <= start < end <= len(text):
            raise InputError(
                f"{where}: the span {list(span)} does not lie in a text of {len(text)} "
                "characters"
            )
        if start < before:
            raise InputError(f"{where}: the span {list(span)} overlaps the one before it")
        before = end
        parts.append(Part(start, end, f"B-{tag}", f"I-{tag}"))
    return Sample(text, tuple(parts))


def _sorted(where: str, spans: Any) -> list[tuple[int, int, str]]:
    """Spans as (start, end, tag), or as dictionaries of these."""
    found = []
    for span in spans if isinstance(spans, (list, tuple)) else [spans]:
        if isinstance(span, Mapping):
            span = [
                span.get(key) for key in ("start", "end", "tag" if "tag" in span else "label")
            ]
        sound = isinstance(span, (list, tuple)) and len(span) == 3
        if (
            not sound
            or not all(type(place) is int for place in span[:2])
            or not (isinstance(span[2], str) and span[2])
        ):
            raise InputError(
                f"{where}: a span is {shown(span, 60)}; it must be start, end, tag"
            )
        found.append(tuple(span))
    return sorted(found)


def _from_words(where: str, words: Any, tags: Any, names: Sequence[str] | None) -> Sample:
    lists = all(isinstance(part, (list, tuple)) for part in (words, tags))
    if not lists or len(words) != len(tags) or not words:
        raise InputError(f"{where} must have a list of words and as many tags")
    parts, start = [], 0
    for word, tag in zip(words, tags, strict=True):
        check_text(word, where, "a word")
        if names is not None and isinstance(tag, int) and 0 <= tag < len(names):
            tag = names[tag]
        label = str(tag)
        others = f"I-{label[2:]}" if label.startswith("B-") else label
        parts.append(Part(start, start + len(word), label, others))
        start += len(word) + 1
    return Sample(" ".join(words), tuple(parts))


def _labels(encoding: Any, sample: Sample, numbers: Mapping[str, int]) -> list[int]:
    """The label of each token. One that shares a character with a part belongs to it; white
    space that is a token by itself, and what lies between, is outside."""
    outside = numbers.get(OUTSIDE, IGNORED)
    labels, at, begun = [], 0, False
    for (first, last), special in zip(
        encoding.offsets, encoding.special_tokens_mask, strict=True
    ):
        start, end = without_space(sample.text, first, last)
        while at < len(sample.parts) and sample.parts[at].end <= start:
            at, begun = at + 1, False
        part = sample.parts[at] if at < len(sample.parts) else None
        if special or part is None or start >= end or end <= part.start:
            labels.append(IGNORED if special else outside)
            continue
        labels.append(numbers[part.others if begun else part.first])
        begun = True
    return labels


def _spans(labels: np.ndarray, tags: Tags) -> Iterator[tuple[int, int, str]]:
    """First token, last token and tag of each span that the labels say."""
    labels = labels.tolist()
    starts = [0, *(n for n, pair in enumerate(pairwise(labels), 1) if not tags.goes_on(*pair))]
    for start, end in zip(starts, [*starts[1:], len(labels)], strict=True):
        if labels and (tag := tags.tags[labels[start]]) is not None:
            yield start, end - 1, tag
