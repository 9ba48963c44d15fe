"""Output tokens for hidden characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reference.checks import check_iterable, check_switch, check_texts, check_whole
from reference.errors import CheckpointError, InputError, shown
from reference.families import tasks
from reference.pipelines.base import Pipeline
from reference.pipelines.batching import windows
from reference.pipelines.cutting import Cuts
from reference.pipelines.masked_lm import Filled, check_targets
from reference.pipelines.probabilities import best_first, log_softmax
from reference.pipelines.results import Results
from reference.text import Encoding
from reference.text.characters import MASK, MASK_ID, read_characters
from reference.text.output_tokens import FILE, OutputTokens, read

_HIDDEN = re.compile(f"(?:{re.escape(MASK)})+")


@dataclass(frozen=True)
class Gap:
    """Some characters in a row that are hidden."""

    place: int  # of the first, among the characters that the model reads
    start: int  # in the text, which writes a mask for each
    end: int


class MaskedCharacters(Pipeline):
    """Logits over the output tokens at every character: [batch, tokens, outputs]."""

    name = "masked-lm"
    task = tasks.MASKED_LM

    @cached_property
    def outputs(self) -> OutputTokens:
        """The output tokens, by their ids."""
        folder = self.checkpoint.folder
        count = read_characters(folder / "characters.json").outputs
        found = OutputTokens(read(folder / FILE), count)
        if count != self.config.outputs:
            raise CheckpointError(
                f"{folder / 'characters.json'}: num_outputs is {count}, but the model chooses "
                f"among {self.config.outputs}: they do not belong together"
            )
        return found

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
        """For each text, for each of its gaps, the `top_k` likeliest output tokens as
        Filled(token, probability, text), best first. One string gives the result of one text.

        A text writes [MASK] for each character that is hidden, and those in a row are one gap:
        "the c[MASK][MASK] sat". An output token begins with the space before a word, if it was
        learned with one, and then that is hidden too. The number of masks says how long the
        answer is, and the model has learned what that tells it; a token of another length may
        still be found.

        A token is shown without the space before it, which its `text` shows. `targets` are the
        only answers asked for: each must be an output token, with the space before it or
        without; what the model gives to both is added up.
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
        top_k = check_whole("top_k", top_k, least=1)
        batch_size = check_whole("batch_size", batch_size, least=1)
        if check_switch("joint", joint):
            raise InputError(
                "joint=True is for words; a model of characters fills each gap by itself"
            )
        asked = None if targets is None else self._asked(check_targets(targets))
        return self._parts(check_iterable(texts), top_k, asked, batch_size, truncation)

    def _parts(
        self,
        texts: Iterator[str],
        top_k: int,
        asked: dict[str, list[int]] | None,
        batch_size: int,
        truncation: str | None,
    ) -> Iterator[tuple[list[str], Results]]:
        cuts = self._cuts(truncation)
        for first, window in windows(texts):
            checked = enumerate(check_texts(window, first=first), first)
            read = [self._read(f"texts[{number}]", text) for number, text in checked]
            yield window, self._fill(window, read, top_k, asked, batch_size, cuts)
        cuts.tell()

    def _fill(
        self,
        texts: Sequence[str],
        read: Sequence[tuple[Encoding, list[Gap]]],
        top_k: int,
        asked: dict[str, list[int]] | None,
        batch_size: int,
        cuts: Cuts,
    ) -> Results:
        encodings = [encoding for encoding, _ in read]
        cuts.see(encodings)
        gaps = {id(encoding): its for encoding, its in read}
        found = self._logits(
            encodings,
            batch_size,
            lambda logits, _: [self._best(row, top_k, asked) for row in logits],
            lambda encoding: [gap.place for gap in gaps[id(encoding)]],
        )
        return Results(
            Results(
                Results(_filled(text, gap, *answer) for answer in answers)
                for gap, answers in zip(its, its_found, strict=True)
            )
            for text, (_, its), its_found in zip(texts, read, found, strict=True)
        )

    def _best(
        self, row: np.ndarray, count: int, asked: dict[str, list[int]] | None
    ) -> list[tuple[str, float]]:
        """The likeliest answers, spelled as they stand in the text, and their
        log-probabilities."""
        scores = log_softmax(row)
        if asked is None:
            best = best_first(scores, min(count, len(scores)))
            return [(self.outputs.text(int(token)), float(scores[token])) for token in best]
        together = [float(np.logaddexp.reduce(scores[ids])) for ids in asked.values()]
        likelier = [max(ids, key=lambda number: scores[number]) for ids in asked.values()]
        spelled = list(map(self.outputs.text, likelier))
        return [(spelled[n], together[n]) for n in best_first(np.array(together), count)]

    def _asked(self, targets: list[str]) -> dict[str, list[int]]:
        """The ids of each target, which may have two."""
        found = {}
        for place, target in enumerate(targets):
            word = target.strip()
            ids = [self._known[one] for one in (word, f" {word}") if one in self._known]
            if not ids:
                raise InputError(
                    f"targets[{place}] is {shown(target)}, which is no output token of this "
                    "model; it answers with whole tokens only"
                )
            found[target] = ids
        return found

    @cached_property
    def _known(self) -> dict[str, int]:
        return {self.outputs.text(number): number for number in range(self.outputs.count)}

    def _read(self, name: str, text: str) -> tuple[Encoding, list[Gap]]:
        """The ids of a text, and where something is hidden in it: somewhere, and none of it cut
        away."""
        ids: list[int] = []
        gaps, done, vocabulary = [], 0, self.tokenizer.vocabulary
        for found in _HIDDEN.finditer(text):
            ids += vocabulary.spelled(text[done : found.start()], False)
            done = found.end()
            gaps.append(Gap(len(ids), found.start(), done))
            ids += [MASK_ID] * (len(found[0]) // len(MASK))
        if not gaps:
            raise InputError(
                f"{name}, {shown(text, 60)}, hides nothing; write {MASK} for each character "
                "that is hidden"
            )
        length = self.tokenizer.max_length
        last = max(place for place, number in enumerate(ids) if number == MASK_ID)
        if last >= length:
            raise InputError(
                f"{name} hides characters beyond the {length} that this model reads; shorten "
                "the text"
            )
        ids += vocabulary.spelled(text[done:], False)
        kept = ids[:length]
        cut = len(ids) - len(kept)
        return Encoding(kept, [0] * len(kept), cut, lambda: None), gaps


def _filled(text: str, gap: Gap, token: str, score: float) -> Filled:
    with_it = text[: gap.start] + token + text[gap.end :]
    return Filled(token.removeprefix(" "), float(np.exp(score)), with_it)
