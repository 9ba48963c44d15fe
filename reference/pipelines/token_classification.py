"""Labels for tokens, and the spans of a text that they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from reference.checks import check_iterable, check_name, check_switch, check_texts, check_whole
from reference.errors import InputError
from reference.families import tasks
from reference.pipelines.base import Pipeline
from reference.pipelines.batching import progress, windows
from reference.pipelines.labelled_tokens import UNITS, Span, TokenProbabilities, without_space
from reference.pipelines.overlapping import Framed, widest_context, windows_over
from reference.pipelines.probabilities import softmax
from reference.pipelines.results import Results
from reference.pipelines.tags import Tags
from reference.processes import computing


class TokenClassification(Pipeline):
    """Logits over the labels for every token: [batch, tokens, labels]; config.id2label names
    them."""

    name = "token-classification"
    task = tasks.TOKEN_CLASSIFICATION

    def tag(
        self,
        texts: Sequence[str] | str,
        aggregation: str = "simple",
        *,
        viterbi: bool = False,
        overlap: int | None = None,
        batch_size: int = 32,
        show_progress: bool = False,
    ) -> Results:
        """The spans of each text: a list of them for one string, a list of lists for several.

        `aggregation` is what is labelled, and has Transformers' meaning: "none", each token,
        with the label as it is; "simple", each token, those that belong together as one span;
        "first", "average" and "max", each word, by its first token, by the mean of its tokens,
        or by its surest token. What is labelled O is left out. A span's score is the mean of
        those of its tokens or words. But words are what the tokenizer splits a text into, and
        not guessed from spaces; offsets are without the white space around a span; and white
        space that is a word by itself has no say.

        Which labels are parts of which tag is told by pipelines.tags.Tags. With `viterbi` their
        sequence is the most probable of those that are legal.

        A text of any length is read whole: in windows, as long as the model takes, of which
        each shares `overlap` tokens with the next, a quarter unless it is given. Each token is
        read in the window in which it is furthest from an edge.
        """
        if isinstance(texts, str):
            texts, alone = [texts], True
        else:
            texts, alone = check_texts(texts), False
        options = {"viterbi": viterbi, "overlap": overlap, "batch_size": batch_size}
        parts = self.tag_parts(texts, aggregation, **options, show_progress=show_progress)
        spans = Results(result for _, results in parts for result in results)
        return spans[0] if alone else spans

    def tag_parts(
        self,
        texts: Iterable[str],
        aggregation: str = "simple",
        *,
        viterbi: bool = False,
        overlap: int | None = None,
        batch_size: int = 32,
        show_progress: bool = False,
    ) -> Iterator[tuple[list[str], list[Results]]]:
        """What `tag` makes, a few thousand texts at a time, each part with its texts: for more
        of them than memory holds."""
        check_name(aggregation, UNITS, "aggregation")
        viterbi = check_switch("viterbi", viterbi)
        parts = self._parts(check_iterable(texts), overlap, batch_size, show_progress)
        return (
            (window, [self._spans(tokens, aggregation, viterbi) for tokens in read])
            for window, read in parts
        )

    def probabilities(
        self,
        texts: Sequence[str] | str,
        *,
        overlap: int | None = None,
        batch_size: int = 32,
        show_progress: bool = False,
    ) -> Any:
        """The probability of every label for every token: one TokenProbabilities for one
        string, a list of them for several. Long texts are read as in `tag`."""
        alone = isinstance(texts, str)
        given = [texts] if isinstance(texts, str) else check_texts(texts)
        parts = self._parts(given, overlap, batch_size, show_progress)
        found = Results(result for _, results in parts for result in results)
        return found[0] if alone else found

    @cached_property
    def tags(self) -> Tags:
        return Tags(tuple(self.config.id2label.values()))

    def _parts(
        self, texts: Iterable[str], overlap: int | None, batch_size: int, shown: bool
    ) -> Iterator[tuple[list[str], list[TokenProbabilities]]]:
        batch_size = check_whole("batch_size", batch_size, least=1)
        overlap = None if overlap is None else check_whole("overlap", overlap, least=0)
        with progress(texts, check_switch("show_progress", shown)) as bar:
            for first, window in windows(texts):
                yield window, self._read(check_texts(window, first=first), overlap, batch_size)
                bar.update(len(window))

    def _read(
        self, texts: list[str], overlap: int | None, batch_size: int
    ) -> list[TokenProbabilities]:
        computing()  # the tokenizer has threads too
        encodings = self.tokenizer(texts, truncation=False)
        framed = [Framed(encoding) for encoding in encodings]
        parts = [self._windows(text, overlap) for text in framed]
        pieces = [
            text.window(*place)
            for text, places in zip(framed, parts, strict=True)
            for place in places
        ]
        logits = iter(self._logits(pieces, batch_size))
        return [
            self._joined(text, frame, places, [next(logits) for _ in places])
            for text, frame, places in zip(texts, framed, parts, strict=True)
        ]

    def _windows(self, text: Framed, overlap: int | None) -> list[tuple[int, int]]:
        size = self.tokenizer.max_length - text.specials
        overlap = size // 4 if overlap is None else overlap
        if overlap >= size:
            raise InputError(
                f"overlap is {overlap}; this model reads {size} tokens of a text at a time, of "
                "which windows can share fewer"
            )
        return windows_over(text.tokens, size, overlap) if text.tokens else []

    def _joined(
        self,
        text: str,
        frame: Framed,
        places: list[tuple[int, int]],
        logits: list[np.ndarray],
    ) -> TokenProbabilities:
        """Each token's logits from its window, and where it stands in the text."""
        labels = tuple(self.config.id2label.values())
        whole = np.zeros((frame.tokens, len(labels)))
        chosen = widest_context(places) if places else None
        for number, ((start, end), found) in enumerate(zip(places, logits, strict=True)):
            mine = chosen[start:end] == number
            whole[start:end][mine] = found[frame.first : frame.first + end - start][mine]
        return TokenProbabilities(
            text, labels, frame.offsets(text), frame.words(text), softmax(whole)
        )

    def _spans(self, read: TokenProbabilities, aggregation: str, viterbi: bool) -> Results:
        places, rows = UNITS[aggregation](read)
        if not places:
            return Results()
        tags, text = self.tags, read.text
        chosen = tags.best_path(rows) if viterbi else rows.argmax(axis=1)
        scores = rows[np.arange(len(rows)), chosen]
        each = aggregation == "none"  # token by itself, under the label as it is
        groups = [[unit] for unit in range(len(places))] if each else _runs(tags, chosen)
        spans = Results()
        for units in groups:
            label = int(chosen[units[0]])
            start, end = without_space(text, places[units[0]][0], places[units[-1]][1])
            # A space may be a token of the word that follows it; no span consists of that.
            if not tags.outside[label] and (each or text[start:end].strip()):
                name = tags.labels[label] if each else tags.tags[label]
                score = float(scores[units].mean())
                spans.append(Span(start, end, name, score, text[start:end]))
        return spans


def _runs(tags: Tags, labels: np.ndarray) -> list[list[int]]:
    """Neighbours whose labels are parts of one span, together."""
    groups: list[list[int]] = []
    for unit, label in enumerate(labels):
        if groups and tags.goes_on(labels[unit - 1], label):
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups
