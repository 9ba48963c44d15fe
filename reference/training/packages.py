"""A head that says which package a text is from, and what it is held against."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reference import annotated, corpus
from reference.inputs import Inputs, pad
from reference.training.logistic import Bags, Logistic
from reference.training.scores import label_scores

ARCHITECTURE = "ModernBertForSequenceClassification"
LABELS = corpus.PACKAGES
# [CLS] means nothing to a model that has only ever filled in words: its tokens know the text.
SETTINGS = {"classifier_pooling": "mean", "problem_type": "single_label_classification"}
_WORD = re.compile("[a-z]+")

prepare = annotated.without_names


def read() -> Iterator[tuple[str, str, str]]:
    """Module, text and package."""
    return annotated.packages_of(corpus.texts())


def rows(tokenizer: Any, texts: Sequence[str], packages: Sequence[str], max_tokens: int) -> Any:
    """The beginning of every text, as ids, and its label."""
    encodings = tokenizer([prepare(text) for text in texts], max_length=max_tokens)
    return encodings, [LABELS.index(package) for package in packages]


def batch(ids: list[list[int]], labels: list[int], pad_id: int) -> tuple[Inputs, np.ndarray]:
    return Inputs(*pad(ids, pad_id)), np.array(labels)


def scores(
    model: Any, training: tuple[list[str], list[str]], held_out: tuple[list[str], list[str]]
) -> dict[str, dict[str, float]]:
    """The model, words without order, and the best that a single answer can do, the commonest
    package, on texts held out: all without the packages' names. Then the first two with them,
    of which the second was also trained with them."""
    texts, answers = held_out
    hidden, learned = [prepare(text) for text in texts], [prepare(text) for text in training[0]]
    (commonest, _), *_ = Counter(answers).most_common(1)
    guesses = {
        "model": best(model, hidden),
        "bag of words": BagOfWords(learned, training[1]).predict(hidden),
        "majority": [commonest] * len(answers),
        "model with names": best(model, texts),
        "bag of words with names": BagOfWords(*training).predict(texts),
    }
    return {name: label_scores(answers, found) for name, found in guesses.items()}


def best(model: Any, texts: list[str]) -> list[str]:
    """The likeliest package of each text."""
    found = model.classify(texts, top_k=1, truncation="ignore")
    return [classification.labels[0] for classification in found]


class BagOfWords:
    """Logistic regression on words that at least two texts have, the rarer the heavier
    (tf-idf), every text of length one."""

    def __init__(self, texts: Sequence[str], packages: Sequence[str]) -> None:
        known = [_words(text) for text in texts]
        often = Counter(word for words in known for word in words)
        kept = [word for word, number in often.items() if number > 1]
        self.places = {word: place for place, word in enumerate(kept)}
        self.weight = {word: np.log(len(known) / often[word]) + 1 for word in kept}
        self.logistic = Logistic(len(kept), len(LABELS), ridge=0.05)
        self.logistic.fit(self._bags(known), [LABELS.index(package) for package in packages])

    def predict(self, texts: Sequence[str]) -> list[str]:
        found = self.logistic.predict(self._bags([_words(text) for text in texts]))
        return [LABELS[label] for label in found]

    def _bags(self, texts: Sequence[set[str]]) -> Bags:
        kept = [sorted(words & self.places.keys()) for words in texts]
        rows = [np.array([self.weight[word] for word in words]) for words in kept]
        return Bags(
            np.array([self.places[word] for words in kept for word in words], np.int64),
            np.concatenate([row / max(1e-9, np.linalg.norm(row)) for row in rows]),
            np.cumsum([0, *map(len, kept)])[:-1],
        )


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
