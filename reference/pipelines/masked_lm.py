"""Words for hidden tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np

from reference.checks import check_iterable, check_switch, check_texts, check_whole
from reference.errors import InputError, shown
from reference.files import is_file
from reference.pipelines.base import Pipeline
from reference.pipelines.batching import windows
from reference.pipelines.cloze import Answer, Cloze, Gap, Partly, its_place
from reference.pipelines.cutting import Cuts
from reference.pipelines.gaps import Mask, Masked, Word, find_masks, with_words, word_of
from reference.pipelines.probabilities import best_first, log_softmax
from reference.pipelines.results import Result, Results
from reference.processes import computing
from reference.text import Encoding
from reference.text.characters import FILE as CHARACTERS

MOST_TOGETHER = 8  # masks that are filled jointly
MOST_COMBINATIONS = 1_000  # that are found then; the work grows with their square
BEAM = 16  # beginnings of combinations that are followed, at least


@dataclass(frozen=True, repr=False)
class Filled(Result):
    """What may stand at a mask: the token without the space before it, its probability, and
    the text with it in its place."""

    token: str
    probability: float
    text: str


@dataclass(frozen=True, repr=False)
class FilledTogether(Result):
    """What may stand at all masks of a text at once."""

    tokens: tuple[str, ...]
    probability: float
    text: str


class MaskedLM(Cloze):
    """Logits over the vocabulary at every position: [batch, tokens, vocab]."""

    name = "masked-lm"

    @classmethod
    def for_folder(cls, folder: Path) -> type[Pipeline]:
        """A model that reads characters hides some of them, and is asked for output tokens."""
        from reference.pipelines.masked_characters import MaskedCharacters

        return MaskedCharacters if is_file(folder / CHARACTERS) else cls

    def fill(
        self,
        texts: Iterable[str] | str,
        top_k: int = 5,
        targets: Sequence[str] | str | None = None,
        *,
        batch_size: int = 32,
        joint: bool = False,
        truncation: str | None = None,
    ) -> Results:
        """For each text, for each of its masks, the `top_k` likeliest tokens as Filled(token,
        probability, text), best first. One string gives the result of one text.

        A text holds its masks as the tokenizer writes them ([MASK], <mask>). Each is filled
        while the others stay masked: the distributions are independent of one another.
        `joint` fills all masks of a text together, and for each text there is one list of
        FilledTogether(tokens, probability, text): the combinations of the highest
        pseudo-likelihood, the product of P(token | the tokens chosen at the masks before it,
        masks after it). They are searched for from left to right, with the best 16 beginnings,
        or top_k if that is more, followed at every mask; there may be 8 masks, and top_k may be
        1,000.

        `targets` are the only words asked for. A target is spelled as it is at the mask's
        place, with the space before it where one is due, and one of several tokens stands at
        as many masks; reference/pipelines/cloze.py says how its probability is found. It is the
        probability in the whole vocabulary: those of several targets do not sum to one.

        A token is shown without the space before it, which its `text` shows; WordPiece's ##ing
        goes on with the word before. What is cut of a long text is told once
        (truncation="warn"), refused ("error") or not told ("ignore"), and None is what the
        model's family does; a mask is never cut away.
        """
        results = Results()
        given = [texts] if isinstance(texts, str) else texts
        options = {"batch_size": batch_size, "joint": joint, "truncation": truncation}
        for _, part in self.fill_parts(given, top_k, targets, **options):
            results.extend(part)
        return results[0] if isinstance(texts, str) else results

    def fill_parts(
        self,
        texts: Iterable[str],
        top_k: int = 5,
        targets: Sequence[str] | str | None = None,
        *,
        batch_size: int = 32,
        joint: bool = False,
        truncation: str | None = None,
    ) -> Iterator[tuple[list[str], Results]]:
        """What `fill` makes, a few thousand texts at a time, each part with its texts."""
        self._check_mask()
        top_k = check_whole("top_k", top_k, least=1)
        batch_size = check_whole("batch_size", batch_size, least=1)
        words = None if targets is None else check_targets(targets)
        if check_switch("joint", joint) and words is not None:
            raise InputError(
                "targets are for masks one by one; with joint=True leave targets=None"
            )
        if joint and top_k > MOST_COMBINATIONS:
            raise InputError(
                f"top_k is {shown(top_k)}; with joint=True it may be {MOST_COMBINATIONS}"
            )
        cuts = self._cuts(truncation)
        if words is not None:
            fill = partial(self._fill_with, words, top_k, batch_size, cuts)
        else:
            fill = partial(
                self._fill_together if joint else self._fill, top_k, batch_size, cuts
            )
        return self._parts(check_iterable(texts), fill, cuts)

    def _parts(self, texts: Iterator[str], fill: Any, cuts: Cuts) -> Iterator[Any]:
        for first, window in windows(texts):
            computing()  # the tokenizer has threads too
            encodings = self.tokenizer(check_texts(window, first=first), first=first)
            numbered = enumerate(zip(window, encodings, strict=True), first)
            masked = [find_masks(f"texts[{n}]", *pair, self.tokenizer) for n, pair in numbered]
            yield window, fill(masked)
        cuts.tell()

    def _fill(
        self, top_k: int, batch_size: int, cuts: Cuts, texts: Sequence[Masked]
    ) -> Results:
        cuts.see([text.encoding for text in texts])

        def best(logits: np.ndarray, _: Encoding) -> list[Any]:
            return [self._best(row, top_k) for row in logits]

        found = self._logits(
            [text.encoding for text in texts],
            batch_size,
            best,
            lambda encoding: np.flatnonzero(np.array(encoding) == self.mask),
        )
        return Results(
            Results(
                Results(
                    _filled(text, mask, word_of(token, self.tokenizer), score)
                    for token, score in candidates
                )
                for mask, candidates in zip(text.masks, its_best, strict=True)
            )
            for text, its_best in zip(texts, found, strict=True)
        )

    def _best(self, row: np.ndarray, count: int) -> list[tuple[int, float]]:
        """The likeliest tokens and their log-probabilities."""
        scores = log_softmax(row)
        ranked = scores.copy()
        ranked[self._nameless] = -np.inf
        most = min(count, len(scores) - len(self._nameless))
        return [(int(token), float(scores[token])) for token in best_first(ranked, most)]

    @cached_property
    def _nameless(self) -> list[int]:
        """Ids that the model has and the tokenizer has not, of a vocabulary that was rounded
        up."""
        piece = self.tokenizer.vocabulary.piece
        return [number for number in range(self.config.vocab_size) if piece(number) is None]

    def _fill_together(
        self, top_k: int, batch_size: int, cuts: Cuts, texts: Sequence[Masked]
    ) -> Results:
        for text in texts:
            if len(text.masks) > MOST_TOGETHER:
                raise InputError(
                    f"{text.name} has {len(text.masks)} masks; with joint=True there may be "
                    f"{MOST_TOGETHER}"
                )
        cuts.see([text.encoding for text in texts])
        return Results(self._together(text, top_k, batch_size) for text in texts)

    def _together(self, text: Masked, top_k: int, batch_size: int) -> Results:
        """The best combinations for the masks of one text, by a beam from left to right."""
        places, width = tuple(mask.place for mask in text.masks), max(top_k, BEAM)
        beam: list[tuple[float, Answer]] = [(0.0, ())]
        for _ in places:
            partly = [Partly(text.encoding, places, tokens) for _, tokens in beam]
            found = self._logits(
                partly,
                batch_size,
                lambda logits, _: self._best(logits[0], width),
                its_place,
            )
            longer = [
                (score + more, (*tokens, token))
                for (score, tokens), candidates in zip(beam, found, strict=True)
                for token, more in candidates
            ]
            beam = sorted(longer, key=lambda pair: (-pair[0], pair[1]))[:width]
        return Results(self._all_filled(text, *pair) for pair in beam[:top_k])

    def _all_filled(self, text: Masked, score: float, tokens: Answer) -> FilledTogether:
        words = [word_of(token, self.tokenizer) for token in tokens]
        return FilledTogether(
            tuple(word.shown for word in words),
            float(np.exp(score)),
            with_words(text.text, text.masks, words),
        )

    def _fill_with(
        self,
        targets: list[str],
        top_k: int,
        batch_size: int,
        cuts: Cuts,
        texts: Sequence[Masked],
    ) -> Results:
        gaps = [self._gaps(text, targets) for text in texts]
        for text, its_gaps in zip(texts, gaps, strict=True):
            encodings = [text.encoding, *(gap.encoding for gap in its_gaps)]
            cuts.see([max(encodings, key=lambda encoding: encoding.cut)])
        scores = self._log_probabilities([gap for its in gaps for gap in its], batch_size)
        results, given = Results(), iter(scores)
        for text, its_gaps in zip(texts, gaps, strict=True):
            words, results_of_text = iter(self._words(targets, its_gaps)), Results()
            for mask in text.masks:
                found = [(next(words), next(given)) for _ in targets]
                best = best_first(np.array([score for _, score in found]), top_k)
                results_of_text.append(Results(_filled(text, mask, *found[n]) for n in best))
            results.append(results_of_text)
        return results

    def _gaps(self, text: Masked, targets: list[str]) -> list[Gap]:
        """For each mask and each target a gap of as many masks as the target has tokens."""
        wider: dict[tuple[int, int], Encoding] = {}
        gaps = []
        for (number, mask), (place, target) in product(
            enumerate(text.masks), enumerate(targets)
        ):
            answer = self._answer(target, mask.begins_word, f"targets[{place}]")
            key = number, len(answer)
            if key not in wider:
                wider[key] = self._widened(text, mask, len(answer))
            first = np.flatnonzero(np.array(wider[key]) == self.mask)[number]
            gaps.append(Gap(wider[key], tuple(range(first, first + len(answer))), answer))
        return gaps

    def _widened(self, text: Masked, mask: Mask, count: int) -> Encoding:
        """The text's tokens with so many masks in the place of one."""
        written = text.text[mask.start : mask.end]
        wider = text.text[: mask.start] + written * count + text.text[mask.end :]
        (encoding,) = self.tokenizer([wider])
        if encoding.count(self.mask) < len(text.masks) + count - 1:
            raise InputError(
                f"{text.name} has no room for a target of {count} tokens: with as many masks "
                f"it is longer than the {self.tokenizer.max_length} tokens of this model"
            )
        return encoding

    def _words(self, targets: list[str], gaps: Sequence[Gap]) -> Iterator[Word]:
        """The targets as they stand in the text."""
        for target, gap in zip(cycle(targets), gaps, strict=False):
            begins = word_of(gap.answer[0], self.tokenizer).begins_word
            inside = target.strip()
            if not begins and not self.tokenizer.vocabulary.marks_spaces:
                inside = inside.removeprefix("##")
            yield Word(target, inside, begins)


def check_targets(targets: Any) -> list[str]:
    targets = check_texts([targets] if isinstance(targets, str) else targets, "targets")
    if not targets:
        raise InputError("targets is empty; name at least one word, or leave it None")
    return targets


def _filled(text: Masked, mask: Mask, word: Word, score: float) -> Filled:
    words = [word if other is mask else None for other in text.masks]
    return Filled(word.shown, float(np.exp(score)), with_words(text.text, text.masks, words))
