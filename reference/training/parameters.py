"""A head that finds the names and types of parameters, and what it is held against."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

import numpy as np

from reference import annotated
from reference.annotated import PARAMETER, TYPE, Annotated, Parameters, Spans
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
# What parameters look like is learned from lines, which are short. What line breaks and indents
# mean is learned from the whole of every third docstring, as help() prints it, or as it is in
# the source of a function or of a method.
WHOLE, INDENTS = 3, (0, 4, 8)
# What is added to the name of a score, and the text that it is of.
FORMS = {"": attrgetter("line"), ", whole": attrgetter("whole")}
Docstrings = tuple[list[str], list[Parameters]]


def prepare(text: str) -> str:
    return text


def read() -> Iterator[tuple[str, str, Parameters]]:
    """Module, the line that tells docstrings alike, and the parameters."""
    return ((module, found.line.text, found) for module, found in annotated.parameters())


def rows(
    tokenizer: Any, _lines: Sequence[str], docstrings: Sequence[Parameters], max_tokens: int
) -> Any:
    """The line of every docstring and the whole of some, in parts of about one length, with
    special tokens about each part, and the labels of their tokens."""
    texts = [docstring.line for docstring in docstrings]
    for number, docstring in enumerate(docstrings[::WHOLE]):
        texts.append(docstring.whole.indented(INDENTS[number % len(INDENTS)]))
    found, labels = [], []
    for text, encoding in _encoded(tokenizer, texts):
        first, *inner, last = encoding
        targets = targets_of(text.text, encoding.offsets[1:-1], text.spans)
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


def scores(model: Any, training: Docstrings, held_out: Docstrings) -> dict[str, dict[str, Any]]:
    """The model, the same with legal labels only (Viterbi), five tokens without order of what
    is around, and O everywhere, on docstrings held out: on their lines, then on the whole of
    them. "labels" is what the right label for every token gives: no more can be had, as some
    spans end inside of a token."""
    found: dict[str, dict[str, Any]] = {}
    for form, text_of in FORMS.items():
        learned, asked = ([text_of(one) for one in some] for _, some in (training, held_out))
        own = _scores(model, learned, asked)
        found |= {name + form: score for name, score in own.items()}
    return found


def _scores(
    model: Any, training: Sequence[Annotated], held_out: Sequence[Annotated]
) -> dict[str, dict[str, Any]]:
    """White space that is a token by itself has no say, as in `tag`."""
    encoded = list(_encoded(model.tokenizer, held_out))
    offsets = [encoding.offsets[1:-1] for _, encoding in encoded]
    words = [
        [token for token, (start, end) in enumerate(own) if found.text[start:end].strip()]
        for found, own in zip(held_out, offsets, strict=True)
    ]
    of_words = lambda rows: [np.array(row)[own] for row, own in zip(rows, words, strict=True)]
    read = model.probabilities([found.text for found in held_out])
    probabilities = of_words(tokens.probabilities for tokens in read)
    right = of_words(
        targets_of(found.text, own, found.spans)
        for found, own in zip(held_out, offsets, strict=True)
    )
    guesses = {
        "model": [rows.argmax(axis=1) for rows in probabilities],
        "model with Viterbi": [TAGS.best_path(rows) for rows in probabilities],
        "window of tokens": of_words(_window_of_tokens(model, training, encoded)),
        "majority": [np.zeros_like(row) for row in right],
        "labels": right,
    }
    answers = [found.spans for found in held_out]
    found_by = lambda labels: [
        spans_of(found.text, [own[token] for token in tokens], row)
        for found, own, tokens, row in zip(held_out, offsets, words, labels, strict=True)
    ]
    return {
        name: label_scores(np.concatenate(right), np.concatenate(labels))
        | {"spans": span_scores(answers, found_by(labels))}
        for name, labels in guesses.items()
    }


def _window_of_tokens(
    model: Any, training: Sequence[Annotated], encoded: Sequence[Any]
) -> list[np.ndarray]:
    """Logistic regression on a token and two on each side, each known by its place."""
    size = model.config.vocab_size
    given = list(_encoded(model.tokenizer, training))
    labels = [
        label
        for found, encoding in given
        for label in targets_of(found.text, encoding.offsets[1:-1], found.spans)
    ]
    logistic = Logistic(len(NEIGHBOURS) * size, len(LABELS), ridge=0.05)
    logistic.fit(_windows([encoding for _, encoding in given], size), labels)
    return [logistic.predict(_windows([encoding], size)) for _, encoding in encoded]


def _windows(encodings: Sequence[Sequence[int]], size: int) -> Bags:
    """Beyond [CLS] and [SEP] both go on."""
    reach, width = NEIGHBOURS[-1], len(NEIGHBOURS)
    rows = [[e[0]] * (reach - 1) + [*e] + [e[-1]] * (reach - 1) for e in encodings]
    windows = np.concatenate([np.lib.stride_tricks.sliding_window_view(r, width) for r in rows])
    features = (windows + size * np.arange(width)).reshape(-1)
    return Bags(features, np.ones(len(features)), np.arange(0, len(features), width))


def _encoded(tokenizer: Any, texts: Sequence[Annotated]) -> Iterator[tuple[Annotated, Any]]:
    """Texts and their encodings, uncut; special tokens stand at both ends."""
    return zip(texts, tokenizer([found.text for found in texts], truncation=False), strict=True)
