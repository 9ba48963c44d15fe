"""SentencePiece models (Kudo and Richardson 2018), as checkpoints carry them: XLM-RoBERTa's,
and those that are trained here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from reference.errors import CheckpointError, shortened
from reference.text.encoding import Encoding, Origins
from reference.text.truncation import kept_tokens

Item = TypeVar("Item")

SPACE = "▁"  # in a piece it stands for the space before a word


# The special tokens of a model that is read under its own ids, in their order, as training
# here writes them.
PAD, UNKNOWN, BEGIN, END, MASK = SPECIAL = ("<pad>", "<unk>", "<s>", "</s>", "[MASK]")
NOTHING = "(?!)"  # a pattern that matches nowhere


class SentencePieceVocabulary:
    """A SentencePiece model, and the ids of its special tokens.

    Of other pieces the model's id is sentencepiece's own and `offset` more. Special tokens that
    are typed in a text are those, unless `typed` is False: then they are letters like others.
    """

    marks_spaces = True

    def __init__(
        self,
        processor: Any,
        specials: Mapping[str, int],
        side: str | None = None,
        offset: int = 0,
        typed: bool = True,
    ) -> None:
        self.processor = processor
        self.specials = specials
        self.begin, self.end, self.unknown = (specials[n] for n in (BEGIN, END, UNKNOWN))
        self.names = {number: name for name, number in specials.items()}
        self.side = side or "right"
        self.offset = offset
        names = "|".join(map(re.escape, specials))
        self.typed = re.compile(f"({names if typed else NOTHING})")

    def __len__(self) -> int:
        return max(len(self.processor) + self.offset, *(n + 1 for n in self.names))

    def encode(
        self, texts: Sequence[tuple[str, ...]], max_length: int, located: bool = False
    ) -> list[Encoding]:
        ids = iter(self._ids([text for both in texts for text in both]))
        return [self._cut([next(ids) for _ in both], both, max_length) for both in texts]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool) -> str:
        pieces = [
            self.piece(number) or ""
            for number in ids
            if not (skip_special_tokens and number in self.names)
        ]
        return "".join(pieces).replace(SPACE, " ").removeprefix(" ")

    def token_id(self, token: str) -> int | None:
        if token in self.specials:
            return self.specials[token]
        piece = self.processor.piece_to_id(token)
        return None if piece == self.processor.unk_id() else piece + self.offset

    def piece(self, number: int) -> str | None:
        if number in self.names:
            return self.names[number]
        known = self.offset <= number < len(self.processor) + self.offset
        return self.processor.id_to_piece(number - self.offset) if known else None

    def begins_word(self, before: str) -> bool:
        return not before or before[-1].isspace()

    def spelled(self, text: str, begins_word: bool) -> list[int]:
        (ids,) = self._ids([text])
        first = self.piece(ids[0]) if ids else None
        if begins_word or first is None or not first.startswith(SPACE):
            return ids
        inside = first.removeprefix(SPACE)
        whole = self.token_id(inside)
        letters = [self._letter_id(letter) for letter in inside]
        return [*(letters if whole is None else [whole]), *ids[1:]]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        """The ids of each text, all of them in one call of the library."""
        split = [self.typed.split(text) for text in texts]
        plain = iter(self.processor.encode([part for parts in split for part in parts[::2]]))
        ids: list[list[int]] = []
        for parts in split:
            ids.append([])
            for place, part in enumerate(parts):
                ids[-1] += [self.specials[part]] if place % 2 else self._model_ids(next(plain))
        return ids

    def _model_ids(self, pieces: list[int]) -> list[int]:
        unknown = self.processor.unk_id()
        return [self.unknown if p == unknown else p + self.offset for p in pieces]

    def _letter_id(self, letter: str) -> int:
        found = self.token_id(letter)
        return self.unknown if found is None else found

    def _cut(
        self, ids_of_texts: list[list[int]], texts: tuple[str, ...], max_length: int
    ) -> Encoding:
        ids = _framed(ids_of_texts, self.begin, self.end)
        find_origins = partial(self._origins, texts, max_length)
        if len(ids) <= max_length:
            return Encoding(ids, [0] * len(ids), 0, find_origins)
        numbers = [[text] * len(its_ids) for text, its_ids in enumerate(ids_of_texts)]
        kept = kept_tokens(_framed(numbers, None, None), max_length, self.side)
        cut = len(ids) - len(kept)
        return Encoding([ids[token] for token in kept], [0] * len(kept), cut, find_origins)

    def _origins(self, texts: tuple[str, ...], max_length: int) -> Origins:
        found = [list(self._places(text)) for text in texts]
        whole = Origins(
            _framed([[place for place, _ in tokens] for tokens in found], (0, 0), (0, 0)),
            _framed([[word for _, word in tokens] for tokens in found], None, None),
            _framed([[text] * len(tokens) for text, tokens in enumerate(found)], None, None),
            _framed([[0] * len(tokens) for tokens in found], 1, 1),
        )
        if len(whole.offsets) <= max_length:
            return whole
        return whole.at(kept_tokens(whole.sequence_ids, max_length, self.side))

    def _places(self, text: str) -> Iterator[tuple[tuple[int, int], int]]:
        """Of each token the characters and the word. A word begins where a piece brings the
        sign of the space along; a special token that was typed is one."""
        word, start = -1, 0
        for number, part in enumerate(self.typed.split(text)):
            if number % 2:
                word += 1
                yield (start, start + len(part)), word
            else:
                found = self.processor.encode(part, return_type="offset_mapping")
                places = zip(found["pieces"], found["offsets"], strict=True)
                for piece_number, (piece, (first, end)) in enumerate(places):
                    word += piece.startswith(SPACE) or piece_number == 0
                    yield _without_space(text, start + first, start + end), word
            start += len(part)


def _framed(parts: Sequence[Sequence[Item]], begin: Item, end: Item) -> list[Item]:
    """<s> A </s>, and of a pair <s> A </s></s> B </s>."""
    framed = [begin, *parts[0], end]
    return framed if len(parts) == 1 else [*framed, end, *parts[1], end]


def _without_space(text: str, start: int, end: int) -> tuple[int, int]:
    """The space before a word is none of its characters. A sign that stands alone is given the
    first of them, as Transformers does."""
    while start < end and (text[start].isspace() or text[start] == SPACE):
        start += 1
    return start, max(end, min(start + 1, len(text)))


def open_fairseq(path: Path, side: str | None = None) -> SentencePieceVocabulary:
    """XLM-RoBERTa's, in fairseq's order: four specials first, then the pieces from 3 on, and
    the mask at the end.

    A sentencepiece id is one less than the model's, and its unknown piece, 0, is the model's 3.
    """
    processor = _processor(path)
    specials = {BEGIN: 0, PAD: 1, END: 2, UNKNOWN: 3, "<mask>": len(processor) + 1}
    return SentencePieceVocabulary(processor, specials, side, offset=1)


def open_own(
    path: Path, side: str | None = None, typed: bool = True, vocab_size: int | None = None
) -> SentencePieceVocabulary:
    """A model under its own ids, whose special tokens are where training here puts them."""
    processor = _processor(path)
    wanted = ", ".join(f"{name} {number}" for number, name in enumerate(SPECIAL))
    for number, name in enumerate(SPECIAL):
        found = processor.piece_to_id(name)
        if processor.id_to_piece(found) != name:
            raise CheckpointError(f"{path} has no {name}; its first pieces must be {wanted}")
        if found != number:
            raise CheckpointError(
                f"{path} gives {name} the id {found}; its first pieces must be {wanted}"
            )
    if vocab_size not in (None, len(processor)):
        raise CheckpointError(
            f"{path} has {len(processor)} pieces, but the model's vocab_size is {vocab_size}: "
            "tokenizer and model do not belong together"
        )
    if any(map(processor.is_byte, range(len(processor)))):
        raise CheckpointError(
            f"{path} writes unknown characters as bytes, which is not implemented; train it "
            "with byte_fallback=False"
        )
    specials = {name: number for number, name in enumerate(SPECIAL)}
    return SentencePieceVocabulary(processor, specials, side, typed=typed)


def _processor(path: Path) -> Any:
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError) as problem:
        raise CheckpointError(
            f"{path} is not a SentencePiece model: {shortened(problem)}"
        ) from None
