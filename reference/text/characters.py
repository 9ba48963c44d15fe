"""Texts as characters: one id each, so that a misspelt word is still nearly the word.

A character is a code point of Unicode. What a reader sees as one sign may be several of them:
an emoji with joiners, a letter and its accent. Each has an id and a place of its own, and
lengths count them, not bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from reference.checks import check_whole
from reference.errors import CheckpointError, EncodersError, InputError, shown
from reference.files import read_json
from reference.text.encoding import Encoding, Origins

PAD, UNKNOWN, MASK = SPECIAL = ("[PAD]", "[UNK]", "[MASK]")
PAD_ID, UNKNOWN_ID, MASK_ID = range(3)
FIRST = len(SPECIAL)  # the id of the first character; no text can name one before it
CODE_POINTS = 0x110000  # so many there are in Unicode
REPLACEMENT = "\ufffd"  # how Unicode writes a character that is not known

FILE = "characters.json"  # of a model's folder; beside other things it says what is read here
LISTED, HASHED = KINDS = ("listed", "hashed")  # ids by a list, or by numbers in Unicode
HASHES = 8  # tables that a new model hashes the latter to


class CharacterVocabulary:
    """The ids of characters.

    `characters` are those that have an id, in the order of these; all others are unknown.
    Without any, every code point has one, its number in Unicode, and none is unknown.
    """

    marks_spaces = False
    side = "right"

    def __init__(self, characters: str | None = None) -> None:
        self.characters = characters
        if characters is None:
            return
        if len(set(characters)) < len(characters):
            raise CheckpointError("a character has two ids; each may be listed once")
        codes = code_points(characters)
        self._ids = np.full(int(codes.max(initial=0)) + 2, UNKNOWN_ID, np.int64)
        self._ids[codes] = np.arange(len(codes)) + FIRST

    def __len__(self) -> int:
        return FIRST + (CODE_POINTS if self.characters is None else len(self.characters))

    def ids(self, text: str) -> np.ndarray:
        """The id of each character: int64 [characters]."""
        codes = code_points(text)
        if self.characters is None:
            return codes + FIRST
        return self._ids[np.minimum(codes, len(self._ids) - 1)]  # whose last is no character's

    def encode(
        self, texts: Sequence[tuple[str, ...]], max_length: int, located: bool = False
    ) -> list[Encoding]:
        return [self._encode(both, max_length) for both in texts]

    def _encode(self, texts: tuple[str, ...], max_length: int) -> Encoding:
        if len(texts) > 1:
            raise InputError(
                "a model of characters reads one text at a time, and no pairs: nothing says "
                "where the second begins"
            )
        ids = self.ids(texts[0][:max_length])
        cut = max(0, len(texts[0]) - max_length)
        return Encoding(
            ids.tolist(), [0] * len(ids), cut, partial(_origins, texts[0], len(ids))
        )

    def decode(self, ids: Sequence[int], skip_special_tokens: bool) -> str:
        specials = () if skip_special_tokens else SPECIAL
        return "".join(
            specials[number] if number < len(specials) else self._character(number)
            for number in ids
        )

    def token_id(self, token: str) -> int | None:
        if token in SPECIAL:
            return SPECIAL.index(token)
        if len(token) != 1:
            return None
        found = int(self.ids(token)[0])
        return None if found == UNKNOWN_ID else found

    def piece(self, number: int) -> str | None:
        if 0 <= number < FIRST:
            return SPECIAL[number]
        return self._character(number) or None

    def begins_word(self, before: str) -> bool:
        """A character is spelled alike wherever it is."""
        return False

    def spelled(self, text: str, begins_word: bool) -> list[int]:
        return self.ids(text).tolist()

    def _character(self, number: int) -> str:
        place = number - FIRST
        if place < 0:
            return ""
        if self.characters is None:
            return chr(place) if place < CODE_POINTS else ""
        return self.characters[place] if place < len(self.characters) else ""


@dataclass(frozen=True)
class CharacterFile:
    """What a folder's characters.json says of its texts."""

    vocabulary: CharacterVocabulary
    longest: int  # so many characters of a text are read
    outputs: int  # so many output tokens belong to it

    @property
    def of_model(self) -> dict[str, int]:
        """What a new model takes from it."""
        hashes = HASHES if self.vocabulary.characters is None else 0
        return {
            "max_example_len": self.longest,
            "num_outputs": self.outputs,
            "num_hashes": hashes,
        }


def read_characters(path: Path) -> CharacterFile:
    """The file as it is read by whoever has texts; what else is in it, its writer reads."""
    content = read_json(path, CheckpointError)
    kind, characters = content.get("kind"), content.get("characters")
    if kind not in KINDS:
        raise CheckpointError(f"{path}: kind is {shown(kind)}; it is one of {', '.join(KINDS)}")
    if kind == HASHED and characters is not None:
        raise CheckpointError(
            f"{path}: characters is {shown(characters)}; of the kind hashed it is null"
        )
    if kind == LISTED and (not isinstance(characters, str) or not characters):
        raise CheckpointError(
            f"{path}: characters is {shown(characters)}; it must be a string of those that "
            "have an id"
        )
    try:
        return CharacterFile(
            CharacterVocabulary(characters),
            check_whole("max_example_len", content.get("max_example_len"), 1),
            check_whole("num_outputs", content.get("num_outputs"), 1),
        )
    except EncodersError as problem:
        raise CheckpointError(f"{path}: {problem}") from None


def code_points(text: str) -> np.ndarray:
    """The number of each character in Unicode: int64 [characters]."""
    try:
        encoded = text.encode("utf-32-le")
    except UnicodeEncodeError as problem:
        raise InputError(
            f"character {problem.start} of the text {shown(text, 40)} is half of a surrogate "
            "pair, which is no character; decode the text with the encoding that it has"
        ) from None
    return np.frombuffer(encoded, "<u4").astype(np.int64)


def most_frequent(texts: Iterable[str], most: int | None = None) -> str:
    """The different characters of these texts, the most frequent first, equally frequent ones
    in the order of Unicode; at most so many."""
    counts = np.zeros(CODE_POINTS, np.int64)
    for text in texts:
        codes, times = np.unique(code_points(text), return_counts=True)
        counts[codes] += times
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    return "".join(map(chr, order[:most].tolist()))


def _origins(text: str, length: int) -> Origins:
    """A word ends where white space begins or ends."""
    words, word, before = [], -1, None
    for character in text[:length]:
        blank = character.isspace()
        word += blank != before
        before = blank
        words.append(word)
    places = [(place, place + 1) for place in range(length)]
    return Origins(places, words, [0] * length, [0] * length)
