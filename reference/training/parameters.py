"""A head that finds the names and types of parameters, and what it is held against."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from reference import annotated
from reference.annotated import PARAMETER, TYPE, Spans
from reference.inputs import Inputs, pad
from reference.masking import IGNORED
from reference.pipelines.labelled_tokens import without_space
from reference.pipelines.tags import OUTSIDE, Tags
from reference.training.logistic import Bags, Logistic
from reference.training.scores import label_scores, span_scores

ARCHITECTURE = "ModernBertForTokenClassification"
LABELS = (OUTSIDE, *(f"{part}-{tag}" for tag in (PARAMETER, TYPE) for part in "BI"))
SETTINGS: dict[str, Any] = {}
TAGS = Tags(LABELS)
NEIGHBOURS = range(-2, 3)  # what the baseline sees of a text, from a token


def prepare(text: str) -> str:
    return text


def read() -> Iterator[tuple[str, str, Spans]]:
    """Module, text and spans."""
    return ((module, found.text, found.spans) for module, found in annotated.parameters())


def rows(tokenizer: Any, texts: Sequence[str], spans: Sequence[Spans], max_tokens: int) -> Any:
    """Every text in parts of about one length, with special tokens about each part, and the
    labels of their tokens."""
    found, labels = [], []
    for text, encoding, its_spans in _encoded(tokenizer, texts, spans):
        first, *inner, last = encoding
        targets = targets_of(text, encoding.offsets[1:-1], its_spans)
        parts = math.ceil(len(inner) / (max_tokens - 2))
        for ids, own in zip(*(np.array_split(x, parts) for x in (inner, targets)), strict=True):
            found.append([first, *ids.tolist(), last])
            labels.append([IGNORED, *own.tolist(), IGNORED])
    return found, labels


def batch(
    ids: list[list[int]], labels: list[list[int]], pad_id: int
) -> tuple[Inputs, np.ndarray]:
    return Inputs(*pad(ids, pad_id)), pad(labels, IGNORED)[0]


def targets_of(text: str, offsets: Sequence[tuple[int, int]], spans: Spans) -> list[int]:
    """The label of each token. One that shares a character with a span belongs to it, and the
    first such token begins it; tokens end where they end, spans sooner at times."""
    labels = [0] * len(offsets)
    token = 0
    for first, last, tag in sorted(spans):
        part = "B"
        while token < len(offsets) and offsets[token][0] < last:
            start, end = without_space(text, *offsets[token])
            if start < last and end > first:
                labels[token] = LABELS.index(f"{part}-{tag}")
                part = "I"
            token += 1
    return labels


def spans_of(text: str, offsets: Sequence[tuple[int, int]], labels: Sequence[int]) -> Spans:
    """The spans that labels say, without the space around them: an I that goes on with nothing
    begins a span too, as in Transformers."""
    joined = [False, *(TAGS.goes_on(*pair) for pair in pairwise(labels))]
    runs: list[list[int]] = []
    for token, joins in enumerate(joined[: len(labels)]):
        if joins:
            runs[-1].append(token)
        else:
            runs.append([token])
    return tuple(
        (*without_space(text, offsets[run[0]][0], offsets[run[-1]][1]), tag)
        for run in runs
        if (tag := TAGS.tags[labels[run[0]]]) is not None
    )


def scores(
    model: Any, training: tuple[list[str], list[Spans]], held_out: tuple[list[str], list[Spans]]
) -> dict[str, dict[str, Any]]:
    """The model, the same with legal labels only (Viterbi), five tokens without order of what
    is around, and O everywhere, on texts held out. "labels" is what the right label for every
    token gives: no more can be had, as some spans end inside of a token."""
    texts, answers = held_out
    read = model.probabilities(texts)
    encoded = list(_encoded(model.tokenizer, texts, answers))
    right = [targets_of(text, e.offsets[1:-1], spans) for text, e, spans in encoded]
    best = [tokens.probabilities.argmax(axis=1).tolist() for tokens in read]
    legal = [TAGS.best_path(tokens.probabilities).tolist() for tokens in read]
    guesses = {
        "model": best,
        "model with Viterbi": legal,
        "window of tokens": _window_of_tokens(model, training, encoded),
        "majority": [[0] * len(row) for row in right],
        "labels": right,
    }
    flat = lambda given: [label for row in given for label in row]
    return {
        name: label_scores(flat(right), flat(labels))
        | {
            "spans": span_scores(
                answers,
                [
                    spans_of(text, encoding.offsets[1:-1], row)
                    for (text, encoding, _), row in zip(encoded, labels, strict=True)
                ],
            )
        }
        for name, labels in guesses.items()
    }


def _window_of_tokens(
    model: Any, training: tuple[list[str], list[Spans]], encoded: Sequence[Any]
) -> list[list[int]]:
    """Logistic regression on a token and two on each side, each known by its place."""
    size = model.config.vocab_size
    given = list(_encoded(model.tokenizer, *training))
    labels = [
        label for text, e, spans in given for label in targets_of(text, e.offsets[1:-1], spans)
    ]
    logistic = Logistic(len(NEIGHBOURS) * size, len(LABELS), ridge=0.05)
    logistic.fit(_windows([encoding for _, encoding, _ in given], size), labels)
    return [logistic.predict(_windows([e], size)).tolist() for _, e, _ in encoded]


def _windows(encodings: Sequence[Sequence[int]], size: int) -> Bags:
    """Beyond [CLS] and [SEP] both go on."""
    reach, width = NEIGHBOURS[-1], len(NEIGHBOURS)
    rows = [[e[0]] * (reach - 1) + [*e] + [e[-1]] * (reach - 1) for e in encodings]
    windows = np.concatenate([np.lib.stride_tricks.sliding_window_view(r, width) for r in rows])
    features = (windows + size * np.arange(width)).reshape(-1)
    return Bags(features, np.ones(len(features)), np.arange(0, len(features), width))


def _encoded(
    tokenizer: Any, texts: Sequence[str], spans: Sequence[Spans]
) -> Iterator[tuple[str, Any, Spans]]:
    """Texts, their encodings, uncut, and their spans; special tokens stand at both ends."""
    return zip(texts, tokenizer(texts, truncation=False), spans, strict=True)
