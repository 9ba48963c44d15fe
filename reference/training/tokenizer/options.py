"""What a tokenizer shall be like, checked before any text is read."""

from __future__ import annotations

from dataclasses import dataclass

from reference.checks import check_name, check_switch, check_whole
from reference.errors import InputError, shown

KINDS = ("unigram", "bpe", "wordpiece", "byte-bpe")
# Bytes of different words: what 1 GB of memory is enough for, whatever the kind.
WORD_BUDGET = 4_000_000


@dataclass(frozen=True)
class Options:
    """The options of `train_tokenizer`, each with its default."""

    kind: str = "unigram"
    vocab_size: int = 20_000
    coverage: float = 0.9995
    lower_case: bool = False
    max_length: int | None = None
    word_budget: int = WORD_BUDGET

    def __post_init__(self) -> None:
        check_name(self.kind, KINDS, "kind")
        check_whole("vocab_size", self.vocab_size, 6)  # five are special
        check_switch("lower_case", self.lower_case)
        check_whole("word_budget", self.word_budget, 1000)
        if self.max_length is not None:
            check_whole("max_length", self.max_length, 3)
        number = isinstance(self.coverage, (int, float)) and not isinstance(self.coverage, bool)
        if not number or not 0.98 <= self.coverage <= 1:
            raise InputError(
                f"coverage is {shown(self.coverage)}; it must be a number from 0.98 to 1, the "
                "share of all characters that are pieces of their own"
            )

    def too_large(self, most: int) -> InputError:
        return InputError(
            f"vocab_size is {self.vocab_size}, but these texts have {most} pieces of the kind "
            f"{self.kind} at most; give more text, or a vocab_size of {most} or less"
        )

    def too_small(self, least: int) -> InputError:
        fewer = "" if self.kind == "byte-bpe" else ", or a coverage that leaves out rare ones"
        return InputError(
            f"vocab_size is {self.vocab_size}, but the special tokens and single characters of "
            f"these texts take {least} already; give a vocab_size of {least} or more{fewer}"
        )
