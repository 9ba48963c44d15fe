"""XLM-RoBERTa's SentencePiece models (Kudo and Richardson 2018), as its checkpoints carry
them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from reference.errors import CheckpointError, shortened
from reference.text.encoding import Encoding, Origins
from reference.text.truncation import kept_tokens

Item = TypeVar("Item")

SPACE = "▁"  # in a piece it stands for the space before a word


class SentencePieceVocabulary:
    """A SentencePiece model in fairseq's order: four specials first, then the pieces from 3 on,
    and the mask at the end.

    A sentencepiece id is one less than the model's, and its unknown piece, 0, is the model's 3.
    """

    marks_spaces = True
    BOS, PAD, EOS, UNKNOWN, OFFSET = 0, 1, 2, 3, 1

    def __init__(self, path: Path, side: str | None = None) -> None:
        import sentencepiece

        try:
            self.processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (RuntimeError, OSError) as problem:
            raise CheckpointError(
                f"{path} is not a SentencePiece model: {shortened(problem)}"
            ) from None
        self.side = side or "right"
        self.specials = {
            "<s>": self.BOS,
            "<pad>": self.PAD,
            "</s>": self.EOS,
            "<unk>": self.UNKNOWN,
            "<mask>": len(self.processor) + self.OFFSET,
        }
        self.typed = re.compile("(" + "|".join(map(re.escape, self.specials)) + ")")

    def encode(self, texts: Sequence[tuple[str, ...]], max_length: int) -> list[Encoding]:
        ids = iter(self._ids([text for both in texts for text in both]))
        return [self._cut([next(ids) for _ in both], both, max_length) for both in texts]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool) -> str:
        names = {number: name for name, number in self.specials.items()}
        pieces = [
            names.get(number) or self.processor.id_to_piece(number - self.OFFSET)
            for number in ids
            if number in names or number - self.OFFSET < len(self.processor)
            if not (skip_special_tokens and number in names)
        ]
        return "".join(pieces).replace(SPACE, " ").removeprefix(" ")

    def token_id(self, token: str) -> int | None:
        if token in self.specials:
            return self.specials[token]
        piece = self.processor.piece_to_id(token)
        return piece + self.OFFSET if piece else None

    def piece(self, number: int) -> str | None:
        names = {number: name for name, number in self.specials.items()}
        if number in names:
            return names[number]
        known = self.OFFSET <= number < len(self.processor) + self.OFFSET
        return self.processor.id_to_piece(number - self.OFFSET) if known else None

    def begins_word(self, before: str) -> bool:
        return not before or before[-1].isspace()

    def spelled(self, text: str, begins_word: bool) -> list[int]:
        (ids,) = self._ids([text])
        first = self.piece(ids[0]) if ids else None
        if begins_word or first is None or not first.startswith(SPACE):
            return ids
        inside = first.removeprefix(SPACE)
        whole = self.token_id(inside)
        letters = [self.token_id(letter) or self.UNKNOWN for letter in inside]
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
        return [piece + self.OFFSET if piece else self.UNKNOWN for piece in pieces]

    def _cut(
        self, ids_of_texts: list[list[int]], texts: tuple[str, ...], max_length: int
    ) -> Encoding:
        ids = _framed(ids_of_texts, self.BOS, self.EOS)
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
