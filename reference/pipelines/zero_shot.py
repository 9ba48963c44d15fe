"""Labels by a masked language model: a question with a mask, and how likely each answer is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from reference.errors import ConfigError, InputError
from reference.families.tasks import TEXT_CLASSIFICATION
from reference.files import read_json
from reference.pipelines.base import Pipeline
from reference.pipelines.choices import LETTERS, Choices, Template
from reference.pipelines.choosing import Asked, Choosing, cut_to
from reference.pipelines.cloze import Answer, Cloze, Gap, widened
from reference.pipelines.entailment import ZeroShotEntailment
from reference.pipelines.probabilities import log_sum_exp
from reference.text import Encoding

TEMPLATE = "{text}\nThis text is about {mask}."
# As ModernBERT-Instruct was taught to be asked (Clavié et al. 2025).
LISTING = (
    "You will be given a text and choices for what it is about.\n"
    "TEXT:\n{text}\nCHOICES:\n{labels}\nANSWER:\nAnswer: {mask}"
)
EACH = "{text}\nQuestion: is this text about {label}? Answer: {mask}."
FOR, AGAINST = "yes", "no"


@dataclass(frozen=True)
class Question:
    """A template, what stands in it besides the text, and the answers, each in the spellings
    that count as one."""

    template: Template
    values: dict[str, str]
    answers: list[list[Answer]]

    @property
    def longest(self) -> int:
        return max(len(spelling) for answer in self.answers for spelling in answer)


class ZeroShot(Choosing, Cloze):
    """The label is the likeliest answer at the mask of a question about the text.

    template: has {text} and {mask} once each, and {labels} where they are to be listed, as they
        must be for `letters` and for descriptions. With multi_label it has {text}, {label} and
        {mask}: each label, or its description, is asked for in a question of its own, to be
        answered with yes or no, and its probability is that of yes against no.

    An answer counts in both its spellings, with the space before it and without; one of several
    tokens stands at as many masks (reference/pipelines/cloze.py). `mass` is the probability in
    the whole vocabulary of all answers together, with multi_label of the question where it is
    smallest. Each number of masks is a question of its own, so that it may pass one where the
    answers differ in length.

    The text is cut and the question is not; the mask is the template's own, whatever masks the
    text may hold.
    """

    gives_mass = True

    @classmethod
    def for_folder(cls, folder: Path) -> type[Pipeline]:
        names = read_json(folder / "config.json", ConfigError).get("architectures") or [""]
        of_entailment = str(names[0]).endswith(TEXT_CLASSIFICATION.suffix)
        return ZeroShotEntailment if of_entailment else cls

    def _questions(
        self, choices: Choices, template: str | None, multi: bool, letters: bool
    ) -> list[Question]:
        self._check_mask()
        if multi:
            if letters:
                raise InputError(
                    "letters stand for labels to choose from; with multi_label=True each is "
                    "asked for by itself, and is answered with yes or no"
                )
            template = EACH if template is None else template
            made = Template(template, ["text", "label", "mask"])
            answers = [self._spellings(word, word) for word in (FOR, AGAINST)]
            return [Question(made, {"label": label}, answers) for label in choices.meanings]
        needed = "letters need" if letters else choices.descriptions and "descriptions need"
        default = LISTING if needed else TEMPLATE
        made = Template(default if template is None else template, ["text", "mask"], ["labels"])
        if needed and "labels" not in made.names:
            raise InputError(
                f"template is {template!r:.200}; {needed} a place where the labels are listed, "
                "{labels}"
            )
        if letters and len(choices.labels) > len(LETTERS):
            raise InputError(
                f"labels has {len(choices.labels)} entries; with letters=True there may be "
                f"{len(LETTERS)}, one a letter"
            )
        words = LETTERS[: len(choices.labels)] if letters else choices.labels
        answers = [self._spellings(word, f"the label {word!r:.80}") for word in words]
        self._check_different(choices.labels, answers)
        return [Question(made, {"labels": choices.listed(letters)}, answers)]

    def _spellings(self, word: str, what: str) -> list[Answer]:
        """With the space before it and, where that is another spelling of the same word,
        without."""
        spellings = [self._answer(word, True, what)]
        if self.tokenizer.vocabulary.marks_spaces:
            bare = tuple(self.tokenizer.vocabulary.spelled(word.strip(), False))
            if bare and self.tokenizer.unk_token_id not in bare:
                spellings.append(bare)
        return list(dict.fromkeys(spellings))

    def _check_different(self, labels: Sequence[str], answers: list[list[Answer]]) -> None:
        seen: dict[Answer, str] = {}
        for label, spellings in zip(labels, answers, strict=True):
            for spelling in spellings:
                if spelling in seen:
                    raise InputError(
                        f"labels has {seen[spelling]!r:.80} and {label!r:.80}, which are the "
                        "same tokens to this tokenizer; name one of them otherwise"
                    )
            seen |= dict.fromkeys(spellings, label)

    def _scores(self, texts: Sequence[str], first: int, asked: Asked) -> Iterator[np.ndarray]:
        gaps: list[Gap] = []
        questions = asked.questions
        for number, text in enumerate(texts, first):
            of_text = [self._prompt(text, number, question) for question in questions]
            asked.cuts.see([max((encoding for encoding, _ in of_text), key=lambda e: e.cut)])
            for question, (encoding, place) in zip(questions, of_text, strict=True):
                gaps += _gaps(question, encoding, place)
        found = iter(self._log_probabilities(gaps, asked.batch_size))
        for _ in texts:
            yield np.array([_sums(question, found) for question in questions])

    def _prompt(self, text: str, number: int, question: Question) -> tuple[Encoding, int]:
        """The question about a text, cut to leave room for the longest answer, and the place of
        its mask."""
        values = {"text": text, "mask": self.tokenizer.mask_token, **question.values}
        prompt, characters = question.template.fill(values)
        (whole,) = self.tokenizer([prompt], truncation=False, first=number)
        start, end = characters["text"]
        of_text = [
            token
            for token, (first, last) in enumerate(whole.offsets)
            if start <= first < end and last <= end and whole.sequence_ids[token] is not None
        ]
        limit, side = self.tokenizer.max_length, self.tokenizer.vocabulary.side
        cut = cut_to(whole, of_text, limit - question.longest + 1, side)
        if cut is None:
            raise InputError(
                f"the template and its labels have {len(whole) - len(of_text)} tokens, which "
                f"leaves no room for texts[{number}]: this model takes {limit}"
            )
        return cut, self._own_mask(cut, *characters["mask"])

    def _own_mask(self, encoding: Encoding, start: int, end: int) -> int:
        """The place of the mask with these characters; a space before it may belong to it."""
        for place, (first, last) in enumerate(encoding.offsets):
            if encoding[place] == self.mask and first <= start and end <= last:
                return place
        raise InputError(
            f"the template's mask is not among the tokens: this tokenizer reads a typed "
            f"{self.tokenizer.mask_token} as something else"
        )


def _gaps(question: Question, encoding: Encoding, place: int) -> Iterator[Gap]:
    """One for each spelling of each answer, with as many masks as it has tokens."""
    wider = {1: encoding}
    for spelling in chain.from_iterable(question.answers):
        length = len(spelling)
        if length not in wider:
            wider[length] = widened(encoding, place, length)
        yield Gap(wider[length], tuple(range(place, place + length)), spelling)


def _sums(question: Question, found: Iterator[float]) -> list[float]:
    """The log-probability of each answer, its spellings together."""
    return [
        float(log_sum_exp(np.array([next(found) for _ in spellings])))
        for spellings in question.answers
    ]
