"""Labels for chosen pieces of a text: several detections in it, each classified by itself."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reference.checks import check_name, check_switch, check_texts, check_whole
from reference.errors import InputError, shown
from reference.families import tasks
from reference.families.detections import PROBLEM_TYPES
from reference.inputs import check_packed, pack
from reference.pipelines.base import Pipeline, token_types
from reference.pipelines.batching import run_in_batches
from reference.pipelines.detections import (
    CHARACTERS,
    TOKENS,
    UNITS,
    TokenPlaces,
    characters_of,
    labelled,
    listed,
    tokens_between,
    without_marks,
)
from reference.pipelines.labelled_tokens import without_space
from reference.pipelines.probabilities import sigmoid, softmax
from reference.pipelines.results import Results
from reference.spans import check_detections, check_real, packed_detections
from reference.text import Encoding
from reference.thresholds import best_thresholds


@dataclass(frozen=True, slots=True)
class Asked:
    """A text as tokens, and what is asked about in it: of each detection the first token and
    the last, and where it stands in the text."""

    text: str
    encoding: Encoding
    tokens: list[tuple[int, int]]
    places: list[tuple[int, int]]


class MaskedSequence(Pipeline):
    """Logits over the labels for every detection; config.id2label names them."""

    name = "masked-sequence"
    task = tasks.MASKED_SEQUENCE

    @property
    def multiclass(self) -> bool:
        """Whether a detection has exactly one label."""
        return self.config.problem_type == PROBLEM_TYPES["multiclass"]

    def predict(
        self,
        texts: Sequence[str] | str,
        spans: Any = None,
        *,
        by: str = CHARACTERS,
        batch_size: int = 32,
        truncation: str | None = None,
    ) -> Results:
        """A Detection for each span: a list of them for one string, a list of lists for
        several.

        spans: what is asked about, a list for each text. A span is (start, end), the end not
            included, or a piece of the text that is there once. None: pieces that are marked in
            the text, [[like this]], whose offsets are then those of the text without the marks.
        by: what (start, end) counts: "characters"; "words", as white space parts them; or
            "tokens", those of the model's own input, special ones included. Of words and tokens
            a number by itself is one of them.
        truncation: a long text is cut, and that is told ("warn"), refused ("error") or not told
            ("ignore"). A detection in what would be cut is always refused.
        """
        if isinstance(texts, str):
            given = None if spans is None else [[spans] if isinstance(spans, str) else spans]
            return self.predict(
                [texts], given, by=by, batch_size=batch_size, truncation=truncation
            )[0]
        asked = self._asked(texts, spans, by, truncation)
        rows = self._probabilities(asked, batch_size)
        shares = np.concatenate([np.zeros((0, self.config.num_labels)), *rows])
        found = labelled(
            ((one.text, place) for one in asked for place in one.places),
            shares,
            tuple(self.config.id2label.values()),
            self._least(),
        )
        return Results(Results(itertools.islice(found, len(one.places))) for one in asked)

    def probabilities(
        self,
        texts: Sequence[str],
        spans: Any = None,
        *,
        by: str = CHARACTERS,
        batch_size: int = 32,
        truncation: str | None = None,
    ) -> list[np.ndarray]:
        """For each text the probabilities [detections, labels], in the order of
        config.id2label. The arguments are those of `predict`."""
        return self._probabilities(self._asked(texts, spans, by, truncation), batch_size)

    def calibrate(
        self,
        texts: Sequence[str],
        spans: Any,
        labels: Sequence[Sequence[Sequence[str] | None]],
        *,
        by: str = CHARACTERS,
        batch_size: int = 32,
    ) -> dict[str, float]:
        """Of each label the threshold that gives the best F1 on these detections, which must
        not be those that were learned from. `predict` goes by them from now on, and `save`
        keeps them.

        labels: for each text and each of its spans the labels that it has; None is not counted.
        """
        if self.multiclass:
            raise InputError(
                "thresholds are for labels that are there or not; of this model's labels the "
                "likeliest is given"
            )
        rows = self.probabilities(texts, spans, by=by, batch_size=batch_size)
        found = np.concatenate([np.zeros((0, self.config.num_labels)), *rows])
        answers = np.concatenate(
            [np.zeros((0, self.config.num_labels)), *self._answers(labels)]
        )
        if len(answers) != len(found):
            raise InputError(f"labels are of {len(answers)} detections; there are {len(found)}")
        chosen = best_thresholds(found, answers)
        own = replace(self.config.detections, thresholds=tuple(chosen))
        config = replace(self.config, detections=own)
        self.checkpoint = replace(self.checkpoint, config=config)
        return dict(zip(self.config.id2label.values(), chosen, strict=True))

    def forward(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        output_hidden_states: bool = False,
        *,
        mask_indices: Any = None,
        mask_ends: Any = None,
    ) -> dict[str, Any]:
        """Run a padded batch: ids, mask and token types [batch, tokens]; mask_indices and
        mask_ends [batch, detections], the first token of each detection and, unless it is the
        same, the last. logits are [batch, detections, labels]."""
        inputs = check_detections(
            self.config, input_ids, attention_mask, token_type_ids, mask_indices, mask_ends
        )
        check_real(inputs)
        return self.model.forward(
            inputs, check_switch("output_hidden_states", output_hidden_states)
        )

    def forward_packed(
        self,
        input_ids: Any,
        cu_seqlens: Any,
        token_type_ids: Any = None,
        output_hidden_states: bool = False,
        *,
        mask_indices: Any = None,
        mask_ends: Any = None,
    ) -> dict[str, Any]:
        """Run several texts in one row: ids [tokens], and the cumulative lengths 0, n1, n1 +
        n2, ...; mask_indices and mask_ends [detections] are places in that row."""
        inputs = check_packed(self.config, input_ids, cu_seqlens, token_type_ids)
        ends = None if mask_ends is None else [mask_ends]
        row = check_detections(
            self.config, inputs.input_ids[None], None, None, [mask_indices], ends
        )
        spans, shares = row.spans[0], row.shares[0]
        texts = np.searchsorted(inputs.cu_seqlens, spans, side="right")
        if (torn := np.flatnonzero(texts.min(-1) != texts.max(-1))).size:
            raise InputError(f"detection {torn[0]} goes from one text into another")
        inputs = replace(inputs, spans=spans, shares=shares)
        return self.model.forward(
            inputs, check_switch("output_hidden_states", output_hidden_states)
        )

    def _asked(
        self, texts: Sequence[str], spans: Any, by: str, truncation: str | None
    ) -> list[Asked]:
        check_name(by, UNITS, "by")
        texts = check_texts(texts)
        alone = len(texts) == 1
        names = ["the text" if alone else f"texts[{number}]" for number in range(len(texts))]
        if spans is None:
            unmarked = map(without_marks, texts, names)
            texts, spans = zip(*unmarked, strict=True) if texts else ((), ())
            by = CHARACTERS
        else:
            message = f"spans must have a list for each of the {len(texts)} texts"
            spans = listed(spans, message)
            if len(spans) != len(texts):
                raise InputError(message)
        encodings = self._encodings(texts, truncation=truncation, located=True)
        return [
            self._placed(*one, by) for one in zip(texts, encodings, spans, names, strict=True)
        ]

    def _placed(self, text: str, encoding: Encoding, spans: Any, name: str, by: str) -> Asked:
        spans = listed(spans, f"{name}: its spans must be a list, not {shown(spans, 60)}")
        places, tokens = [], []
        origins = encoding.find_origins()  # not kept: of many texts they would be many objects
        here = TokenPlaces(origins)
        whole = None
        for number, span in enumerate(spans):
            where = f"{name}, span {number}"
            if by == TOKENS and not isinstance(span, str):
                first, last = tokens_between(span, len(encoding), where)
                tokens.append((first, last))
                start, end = origins.offsets[first][0], origins.offsets[last][1]
                places.append(without_space(text, start, max(start, end)))
                continue
            start, end = characters_of(text, span, by, where)
            found = here.of(start, end)
            if encoding.cut:
                whole = whole or TokenPlaces(
                    self.tokenizer([text], truncation=False)[0].origins
                )
                if len(whole.of(start, end)) > len(found):
                    raise InputError(
                        f"{where}: {text[start:end]!r:.60} at characters {start} to {end} lies "
                        f"in what is cut, for this model takes {self.tokenizer.max_length} "
                        "tokens; shorten the text so that it keeps its detections"
                    )
            if not found:
                raise InputError(
                    f"{where}: {text[start:end]!r:.60} is no token of this model's"
                )
            tokens.append((found[0], found[-1]))
            places.append((start, end))
        return Asked(text, encoding, tokens, places)

    def _probabilities(self, asked: Sequence[Asked], batch_size: int) -> list[np.ndarray]:
        check_whole("batch_size", batch_size, least=1)

        def run(batch: Sequence[Asked]) -> list[np.ndarray]:
            encodings = [one.encoding for one in batch]
            ids, ends = pack(encodings)
            inputs = check_packed(self.config, ids, ends, token_types(encodings))
            inputs = packed_detections(inputs, [one.tokens for one in batch], self.config)
            logits = self._finite(self.model.forward(inputs)["logits"], "logits")
            rows = softmax(logits) if self.multiclass else sigmoid(logits)
            return np.split(rows, np.cumsum([len(one.tokens) for one in batch])[:-1])

        found = [np.zeros((0, self.config.num_labels)) for _ in asked]
        there = [number for number, one in enumerate(asked) if one.tokens]
        sizes = [len(asked[number].encoding) for number in there]
        rows = run_in_batches(run, [asked[n] for n in there], batch_size, sizes=sizes)
        for number, row in zip(there, rows, strict=True):
            found[number] = row
        return found

    def _least(self) -> np.ndarray | None:
        """The probability from which on a label is given; None: the best alone is."""
        if self.multiclass:
            return None
        thresholds = self.config.detections.thresholds
        return np.array(thresholds or [0.5] * self.config.num_labels)

    def _answers(self, labels: Any) -> list[np.ndarray]:
        """Rows of 0, 1 or -100."""
        numbers = self.config.label2id
        found = []
        for text, own in enumerate(labels):
            rows = np.zeros((len(own), self.config.num_labels))
            for detection, names in enumerate(own):
                if names is None:
                    rows[detection] = tasks.IGNORED
                    continue
                names = [names] if isinstance(names, str) else names
                unknown = [name for name in names if name not in numbers]
                if unknown:
                    raise InputError(
                        f"labels[{text}][{detection}] has {unknown[0]!r:.60}; the labels are "
                        f"{', '.join(numbers):.200}"
                    )
                rows[detection, [numbers[name] for name in names]] = 1
            found.append(rows)
        return found
