"""The tokenizer of a checkpoint: texts in, checked encodings out, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from reference.checks import check_switch, check_texts, check_whole
from reference.errors import CheckpointError, InputError, shown
from reference.text.encoding import Encoding

UNLIMITED = sys.maxsize  # the max_length of a tokenizer that belongs to no model and names none


class Vocabulary(Protocol):
    """What turns texts into encodings with the special tokens in place, cut to a length."""

    side: str  # which end of a text is cut: "right" or "left"
    # Whether the space before a word is part of its first piece, as it is of a byte-level or a
    # SentencePiece vocabulary; WordPiece marks the pieces after the first.
    marks_spaces: bool

    def __len__(self) -> int:
        """One more than its last id."""
        ...

    def encode(
        self, texts: Sequence[tuple[str, ...]], max_length: int, located: bool = False
    ) -> list[Encoding]:
        """Each entry of `texts` is one text, or the two of a pair. With `located` it will be
        asked of all where their tokens come from, which may be cheaper to find at once."""
        ...

    def decode(self, ids: Sequence[int], skip_special_tokens: bool) -> str: ...

    def token_id(self, token: str) -> int | None: ...

    def piece(self, number: int) -> str | None:
        """The token as the vocabulary writes it."""
        ...

    def begins_word(self, before: str) -> bool:
        """Whether what stands right after this text is spelled as the beginning of a word."""
        ...

    def spelled(self, text: str, begins_word: bool) -> list[int]:
        """The ids of a text after a space, or right after a letter; no special tokens."""
        ...


@dataclass
class Tokenizer:
    """A vocabulary, and how long the checkpoint wants its texts to be."""

    vocabulary: Vocabulary
    max_length: int
    vocab_size: int  # the model's
    has_token_types: bool = True  # whether the model has, and is given them
    special_tokens: Mapping[str, int] = field(default_factory=dict)  # {"mask": 103, ...}
    # Of special tokens that settings or the class name: Transformers' all_special_ids.
    special_ids: frozenset[int] = frozenset()
    # What a new model's configuration takes from it, besides the size of the vocabulary.
    of_model: Mapping[str, int] = field(default_factory=dict)

    def __call__(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        max_length: int | None = None,
        first: int = 0,
        *,
        padding: bool | str = False,
        truncation: bool = True,
        located: bool = False,
    ) -> list[Encoding] | dict[str, np.ndarray]:
        """Encode each text, or each text and its pair, special tokens included, cut to
        max_length tokens, or where `truncation` is False left whole. Messages count texts from
        `first`. `located` says that the origins of all tokens will be asked for.

        With `padding` the result is arrays that `forward` takes: forward(**tokenizer(texts,
        padding=True)). True pads to the longest, "max_length" to max_length.
        """
        length = check_whole(
            "max_length", self.max_length if max_length is None else max_length, least=3
        )
        width = length if padding == "max_length" else None
        if isinstance(padding, str) and padding != "max_length":
            raise InputError(
                f"padding is {shown(padding)}; it must be True, False or 'max_length'"
            )
        if width == UNLIMITED:
            raise InputError(
                "padding is 'max_length', but this tokenizer names none; give max_length"
            )
        padded = padding == "max_length" or check_switch("padding", padding)
        if not check_switch("truncation", truncation):
            length = UNLIMITED
        encodings = self._encode(texts, pairs, length, first, located)
        return self._pad(encodings, width) if padded else encodings

    def _encode(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None,
        length: int,
        first: int,
        located: bool = False,
    ) -> list[Encoding]:
        given = side_by_side(texts, pairs)
        encodings = self.vocabulary.encode(given, length, located)
        for number, (encoding, its_texts) in enumerate(
            zip(encodings, given, strict=True), first
        ):
            self._check(encoding, number, its_texts)
            if not self.has_token_types:
                encoding.token_type_ids = [0] * len(encoding)
        return encodings

    def _pad(self, encodings: list[Encoding], width: int | None) -> dict[str, np.ndarray]:
        """The encodings below one another, padded on the right to that width or to the longest:
        a batch for `forward`."""
        if not encodings:
            raise InputError("texts is empty; a batch holds at least one text")
        longest = max(map(len, encodings))
        width = max(longest, width or 0)
        pad = self.pad_token_id or 0
        rows = {
            "input_ids": [(encoding, pad) for encoding in encodings],
            "attention_mask": [([1] * len(encoding), 0) for encoding in encodings],
        }
        if self.has_token_types:
            rows["token_type_ids"] = [(encoding.token_type_ids, 0) for encoding in encodings]
        return {
            name: np.array([[*row, *[fill] * (width - len(row))] for row, fill in its_rows])
            for name, its_rows in rows.items()
        }

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """The text that ids stand for, as near as the tokenizer can tell: BERT's forgets
        capitals and which spaces there were."""
        skip = check_switch("skip_special_tokens", skip_special_tokens)
        try:
            given = list(ids)
        except TypeError:
            raise InputError(
                f"ids is {shown(ids)}; it must be a list of whole numbers"
            ) from None
        known = [check_whole(f"ids[{place}]", number, 0) for place, number in enumerate(given)]
        for place, number in enumerate(known):
            if number >= self.vocab_size:
                raise InputError(
                    f"ids[{place}] is {shown(number)}; ids lie from 0 to {self.vocab_size - 1}"
                )
        return self.vocabulary.decode(known, skip)

    @property
    def cls_token_id(self) -> int | None:
        return self.special_tokens.get("cls")

    @property
    def sep_token_id(self) -> int | None:
        return self.special_tokens.get("sep")

    @property
    def pad_token_id(self) -> int | None:
        return self.special_tokens.get("pad")

    @property
    def unk_token_id(self) -> int | None:
        return self.special_tokens.get("unk")

    @property
    def mask_token_id(self) -> int | None:
        return self.special_tokens.get("mask")

    @property
    def mask_token(self) -> str | None:
        """The mask as it is written in a text."""
        mask = self.mask_token_id
        return None if mask is None else self.vocabulary.piece(mask)

    def _check(self, encoding: Encoding, number: int, texts: tuple[str, ...]) -> None:
        name = f"texts[{number}]" + (f" with pairs[{number}]" if len(texts) == 2 else "")
        if not encoding:
            raise InputError(
                f"{name}, {texts[0]!r:.40}, has no tokens: this tokenizer adds no special ones"
            )
        if max(encoding) >= self.vocab_size:
            raise CheckpointError(
                f"{name} has the id {max(encoding)}, but the model's vocab_size is "
                f"{self.vocab_size}: tokenizer and model do not belong together"
            )


def side_by_side(texts: Sequence[str], pairs: Sequence[str] | None) -> list[tuple[str, ...]]:
    """Each text by itself, or each text and its pair."""
    texts = check_texts(texts)
    if pairs is None:
        return [(text,) for text in texts]
    pairs = check_texts(pairs, "pairs")
    if len(texts) != len(pairs):
        raise InputError(
            f"texts has {len(texts)} entries and pairs has {len(pairs)}; each text stands with "
            "the one at the same place"
        )
    return list(zip(texts, pairs, strict=True))
