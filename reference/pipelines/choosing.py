"""Zero-shot classification: labels that a model was not trained on, named when they are asked
for. What the two ways of asking have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reference.checks import (
    check_iterable,
    check_switch,
    check_texts,
    check_top_k,
    check_whole,
)
from reference.pipelines.base import Pipeline
from reference.pipelines.batching import TEXTS_AT_ONCE, windows
from reference.pipelines.choices import Choices, read_choices
from reference.pipelines.cutting import Cuts
from reference.pipelines.probabilities import best_first, log_softmax, log_sum_exp
from reference.pipelines.results import Classification, Results
from reference.processes import computing
from reference.text import Encoding


@dataclass(frozen=True)
class Asked:
    """What one call of classify asks for."""

    labels: tuple[str, ...]
    questions: list[Any]
    multi: bool
    top_k: int | None
    batch_size: int
    cuts: Cuts


class Choosing(Pipeline):
    """Labels from the call, or from the checkpoint's label_candidates."""

    name = "zero-shot-classification"
    gives_mass: bool  # whether the scores are logarithms of probabilities

    def classify(
        self,
        texts: Iterable[str] | str,
        labels: Sequence[str] | Mapping[str, str] | None = None,
        template: str | None = None,
        multi_label: bool = False,
        *,
        top_k: int | None = None,
        calibrate: bool = False,
        letters: bool = False,
        batch_size: int = 32,
        truncation: str | None = None,
    ) -> Any:
        """Classification(labels, probabilities, mass) for each text, best first; one string
        gives one.

        labels: a list, or {label: description}; None takes the label_candidates of the
            checkpoint's config.json.
        template: the question; the class says what it must have.
        multi_label: ask for each label by itself, as if there were no others. Else the
            probabilities of the labels sum to one.
        top_k: only so many of the best labels, with the probabilities that they have among all.
        calibrate: divide by what the model answers to an empty text, and scale to one again
            (Zhao et al. 2021): what the labels' words alone bring about is taken out.
        letters: let the model answer with A, B, C ... for the labels that the template lists.
        truncation: a long text is cut, the question never is; that is told once ("warn"),
            refused ("error") or not told ("ignore"); None is what the model's family does.
        """
        results = Results()
        given = [texts] if isinstance(texts, str) else texts
        options = {"top_k": top_k, "calibrate": calibrate, "letters": letters}
        options |= {"batch_size": batch_size, "truncation": truncation}
        for _, part in self.classify_parts(given, labels, template, multi_label, **options):
            results.extend(part)
        return results[0] if isinstance(texts, str) else results

    def classify_parts(
        self,
        texts: Iterable[str],
        labels: Sequence[str] | Mapping[str, str] | None = None,
        template: str | None = None,
        multi_label: bool = False,
        *,
        top_k: int | None = None,
        calibrate: bool = False,
        letters: bool = False,
        batch_size: int = 32,
        truncation: str | None = None,
    ) -> Iterator[tuple[list[str], Results]]:
        """What `classify` makes, a part of the texts at a time, each with its texts."""
        candidates = self.pipeline_keys.get("label_candidates")
        choices = read_choices(labels, candidates, self.checkpoint.folder)
        multi = check_switch("multi_label", multi_label)
        asked = Asked(
            choices.labels,
            self._questions(choices, template, multi, check_switch("letters", letters)),
            multi,
            check_top_k(top_k),
            check_whole("batch_size", batch_size, least=1),
            self._cuts(truncation),
        )
        return self._parts(check_iterable(texts), asked, check_switch("calibrate", calibrate))

    def _parts(
        self, texts: Iterator[str], asked: Asked, calibrate: bool
    ) -> Iterator[tuple[list[str], Results]]:
        computing()  # the tokenizer has threads too
        prior = 0.0
        if calibrate:
            untold = replace(asked, cuts=Cuts("ignore", self.tokenizer.max_length))
            (prior,) = self._scores([""], 0, untold)
        for first, window in windows(texts, TEXTS_AT_ONCE // len(asked.labels) + 1):
            scores = self._scores(check_texts(window, first=first), first, asked)
            made = (self._classification(of_text, prior, asked) for of_text in scores)
            yield window, Results(made)
        asked.cuts.tell()

    def _classification(
        self, scores: np.ndarray, prior: np.ndarray | float, asked: Asked
    ) -> Classification:
        """Of the scores of one text."""
        probabilities = np.exp(log_softmax(scores - prior))
        probabilities = probabilities[:, 0] if asked.multi else probabilities[0]
        order = best_first(probabilities, asked.top_k)
        return Classification(
            tuple(asked.labels[place] for place in order),
            tuple(float(probabilities[place]) for place in order),
            float(np.exp(log_sum_exp(scores)).min()) if self.gives_mass else None,
        )

    def _questions(
        self, choices: Choices, template: str | None, multi: bool, letters: bool
    ) -> list[Any]:
        """What is asked of every text, checked."""
        raise NotImplementedError

    def _scores(self, texts: Sequence[str], first: int, asked: Asked) -> Iterable[np.ndarray]:
        """Of each text the scores of the labels [1, labels]; where they are asked for one by
        one [labels, 2], for each and against it. `first` is the number of the first text."""
        raise NotImplementedError


def cut_to(encoding: Encoding, text: Sequence[int], length: int, side: str) -> Encoding | None:
    """The encoding cut to a length, where tokens may be taken away at these positions only;
    None where nothing would be left of them."""
    excess = len(encoding) - length
    if excess <= 0:
        return encoding
    if excess >= len(text):
        return None
    return encoding.without(text[:excess] if side == "left" else text[-excess:])
