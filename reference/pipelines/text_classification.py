"""Labels for texts and for pairs of texts, and documents ranked by how well they go with a
query."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from reference.checks import (
    check_iterable,
    check_switch,
    check_texts,
    check_top_k,
    check_whole,
)
from reference.errors import InputError, shown
from reference.families import tasks
from reference.pipelines.base import Pipeline
from reference.pipelines.batching import progress, windows
from reference.pipelines.cross_encoder import read_cross_encoder
from reference.pipelines.probabilities import sigmoid, softmax
from reference.pipelines.results import Classification, Result, Results
from reference.text.tokenizer import side_by_side


@dataclass(frozen=True)
class Ranked(Result):
    """A document, by its number among those that were ranked, and how well it goes with the
    query. `kind` says what the score is: a "probability" between 0 and 1, or a "logit", any
    number."""

    index: int
    score: float
    text: str
    kind: str


class TextClassification(Pipeline):
    """Logits over the labels for every text: [batch, labels]; config.id2label names them."""

    name = "text-classification"
    task = tasks.TEXT_CLASSIFICATION

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        home = self.checkpoint.home
        self.settings = read_cross_encoder(home, self.pipeline_keys, self.dtype)

    def classify(
        self,
        texts: Sequence[str] | str,
        pairs: Sequence[str] | str | None = None,
        *,
        top_k: int | None = None,
        batch_size: int = 32,
        truncation: str | None = None,
        show_progress: bool = False,
    ) -> Any:
        """The labels of each text, or of each text with its pair, best first: all of them, or
        the `top_k` best. One string gives one Classification, several give a list.

        As in Transformers, problem_type decides what they have: numbers as they are for a
        "regression" (`kind` is then "value"); for "multi_label_classification", and where there
        is one label, each label a probability of its own (sigmoid); else probabilities that sum
        to one (softmax). What sentence-transformers wrote beside a cross-encoder goes first:
        with Sigmoid each label has a probability of its own, with Identity a lone label is a
        value.

        What is longer than the model takes is cut, of a pair the longer text first;
        `truncation` says whether that is told ("warn"), refused ("error") or neither
        ("ignore"); None is what the model's family does.
        """
        options = {"top_k": top_k, "batch_size": batch_size, "truncation": truncation}
        if isinstance(texts, str):
            pair = None if pairs is None else [_string(pairs, "pairs, beside one text,")]
            return self.classify([texts], pair, **options, show_progress=show_progress)[0]
        given = side_by_side(texts, pairs)
        parts = self._parts(given, top_k, batch_size, truncation, show_progress)
        return Results(result for _, results in parts for result in results)

    def classify_parts(
        self,
        texts: Iterable[str],
        pairs: Iterable[str] | None = None,
        *,
        top_k: int | None = None,
        batch_size: int = 32,
        truncation: str | None = None,
        show_progress: bool = False,
    ) -> Iterator[tuple[list[tuple[str, ...]], Results]]:
        """What `classify` makes, a few thousand texts at a time, each part with its texts, or
        with its texts and their pairs: for more of them than memory holds."""
        given = _beside(check_iterable(texts), pairs)
        return self._parts(given, top_k, batch_size, truncation, show_progress)

    def rank(
        self,
        query: str,
        documents: Iterable[str],
        top_k: int | None = None,
        *,
        batch_size: int = 32,
        truncation: str | None = None,
        show_progress: bool = False,
    ) -> Results:
        """The documents, those first that go best with the query: all of them, or the `top_k`
        best. Of documents alike in score the one that was given first comes first.

        It takes a model with one label, a cross-encoder. As in sentence-transformers the score
        is a probability, unless the checkpoint's activation_fn (in older ones
        sbert_ce_default_activation_function) is Identity, as that of the models for MS MARCO
        is: then it is a logit. A generator of documents is read as it is needed.
        """
        if self.config.num_labels != 1:
            labels = ", ".join(itertools.islice(self.config.id2label.values(), 8))
            raise InputError(
                f"rank needs a model with one label, whose score says how well two texts go "
                f"together; this one has {self.config.num_labels} ({labels:.200}): classify"
                "(texts, pairs) gives the probability of each"
            )
        query, top_k = _string(query, "query"), check_top_k(top_k)
        given = ((query, document) for document in check_iterable(documents, "documents"))
        is_logit = self.settings.activation == "identity"
        scale, kind = (_as_they_are, "logit") if is_logit else (sigmoid, "probability")
        best: list[Ranked] = []
        read = 0
        parts = self._logit_parts(given, batch_size, truncation, show_progress, "documents")
        for window, logits in parts:
            scores = scale(np.array(logits)[:, 0]).tolist()
            found = [
                Ranked(index, score, document, kind)
                for index, (score, (_, document)) in enumerate(
                    zip(scores, window, strict=True), read
                )
            ]
            best = sorted(best + found, key=lambda ranked: -ranked.score)[:top_k]
            read += len(window)
        if not read:
            raise InputError("there is nothing to rank: documents is empty")
        return Results(best)

    @cached_property
    def takes_pairs(self) -> bool:
        """Whether the tokenizer has something to put between two texts."""
        (probe,) = self.tokenizer(["a"], ["a"], truncation=False)
        texts = probe.sequence_ids
        return 1 in texts and texts[texts.index(1) - 1] is None

    def _parts(
        self,
        given: Iterable[tuple[str, ...]],
        top_k: int | None,
        batch_size: int,
        truncation: str | None,
        show_progress: bool,
    ) -> Iterator[tuple[list[tuple[str, ...]], Results]]:
        top_k = check_top_k(top_k)
        for window, logits in self._logit_parts(given, batch_size, truncation, show_progress):
            yield window, Results(self._classification(row, top_k) for row in logits)

    def _logit_parts(
        self,
        given: Iterable[tuple[str, ...]],
        batch_size: int,
        truncation: str | None,
        show_progress: bool,
        second: str = "pairs",
    ) -> Iterator[tuple[list[tuple[str, ...]], list[np.ndarray]]]:
        """A window of texts, each by itself or with its pair, and the logits of each."""
        batch_size = check_whole("batch_size", batch_size, least=1)
        name = "texts" if second == "pairs" else second
        cuts = self._cuts(truncation, name)
        with progress(given, check_switch("show_progress", show_progress)) as bar:
            for first, window in windows(given):
                texts = check_texts([both[0] for both in window], first=first)
                pairs = [both[1] for both in window if len(both) == 2]
                pairs = check_texts(pairs, second, first) if pairs else None
                if pairs and not self.takes_pairs:
                    raise InputError(
                        f"{self.checkpoint.folder} takes no pairs: its tokenizer puts nothing "
                        "between two texts. Give the texts alone, as one"
                    )
                prompted = [self.settings.prompt + text for text in texts]
                encodings = self._encodings(prompted, pairs, cuts=cuts)
                yield window, self._logits(encodings, batch_size, bar=bar)
        cuts.tell()

    def _classification(self, logits: np.ndarray, top_k: int | None) -> Classification:
        scale, kind = self._scale
        values = scale(logits)
        best = np.argsort(-values, kind="stable")[:top_k].tolist()
        labels = self.config.id2label
        return Classification(
            tuple(labels[label] for label in best), tuple(values[best].tolist()), kind=kind
        )

    @property
    def _scale(self) -> tuple[Any, str]:
        """What makes of logits what a classification holds, and what that is."""
        problem, one = self.config.problem_type, self.config.num_labels == 1
        stated = self.settings.activation
        if stated == "sigmoid":
            return sigmoid, "probability"
        if problem == "regression" or (stated == "identity" and one):
            return _as_they_are, "value"
        if problem == "multi_label_classification" or one:
            return sigmoid, "probability"
        return softmax, "probability"

    def _files_beside(self) -> dict[str, bytes]:
        home = Path(self.checkpoint.home)
        ours = {name: (home / name).read_bytes() for name in self.settings.files}
        return super()._files_beside() | ours


def _as_they_are(logits: np.ndarray) -> np.ndarray:
    return logits.astype(np.float64)


def _string(text: Any, name: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{name} is {type(text).__name__} {shown(text)}; it must be a string")
    return check_texts([text], name)[0]


def _beside(texts: Iterator[str], pairs: Iterable[str] | None) -> Iterator[tuple[str, ...]]:
    """Each text by itself or with its pair, as they come."""
    if pairs is None:
        yield from ((text,) for text in texts)
        return
    missing = object()
    both = itertools.zip_longest(texts, check_iterable(pairs, "pairs"), fillvalue=missing)
    for number, (text, pair) in enumerate(both):
        if missing in (text, pair):
            more, fewer = ("texts", "pairs") if pair is missing else ("pairs", "texts")
            raise InputError(
                f"there are more {more} than {fewer}, of which there are {number}; each text "
                "stands with the one at the same place"
            )
        yield text, pair
