"""What a character model is asked for where characters are masked: the word or piece of a word
that stood there.

The pieces are pairs of bytes, learned as `reference.training.tokenizer` learns them, from the
same counts of words; but a text is not normalised first, so that a piece is the very characters
that it stands for. Their ids go by how often they come, the most frequent first: a sampled
softmax draws its negatives by that order (`reference.negatives`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from reference.checks import check_whole
from reference.errors import CheckpointError, InputError, shown
from reference.files import read_json
from reference.text.guard import guarded

FILE = "output_tokens.json"  # of a model's folder, beside its characters
# Words, each with the space before it: GPT-2's pattern (Radford et al. 2019), but that a mark
# stays with its letter, as the vowels of Hindi and Thai do, and so does a joiner.
WORDS = (
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}[\p{L}\p{M}\u200c\u200d]*| ?\p{N}+| ?[^\s\p{L}\p{N}]+"
    r"|\s+(?!\S)|\s+"
)
# Each byte as a letter that can be seen (Radford et al. 2019): itself, or one further on.
SEEN = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
UNSEEN = (byte for byte in range(0x100) if byte not in SEEN)
LETTERS = {chr(byte): byte for byte in SEEN} | {
    chr(0x100 + number): byte for number, byte in enumerate(UNSEEN)
}
BYTES = sorted(LETTERS)
_SPACED = re.compile(" ?[^ ]+| ")
# So much of the word in which a text is cut decides which pieces it comes apart into. Where it
# goes on for longer, the pieces may be others, of the same characters.
AHEAD = 64
# Of words that a text came apart into, so many are kept, if they have so few characters.
MOST_KNOWN, LONGEST_KNOWN = 2**16, 32

Place = tuple[int, int, int]  # a first character, one past the last, the output token's id


@dataclass(frozen=True, eq=False)
class OutputTokens:
    """Pieces of which the first `count` are output tokens. The others have ids after them and
    are no answers: those that are too short to be asked for, those that only ever came as parts
    of greater ones, and bytes that the data did not have."""

    tokenizer: tokenizers.Tokenizer
    count: int
    known: dict[str, list[Place]] = field(default_factory=dict, repr=False)  # of words

    def __post_init__(self) -> None:
        pieces = self.tokenizer.get_vocab_size()
        if check_whole("num_outputs", self.count, 1) > pieces:
            raise InputError(
                f"num_outputs is {self.count}, but there are only {pieces} output tokens and "
                "parts of some"
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OutputTokens):
            return NotImplemented
        return self.count == other.count and self.content() == other.content()

    def text(self, number: int) -> str:
        """What an output token spells; where it ends inside a character, U+FFFD for the rest of
        that."""
        number = check_whole("id", number, 0)
        if number >= self.count:
            raise InputError(
                f"id is {number}; output tokens have ids from 0 to {self.count - 1}"
            )
        return self.tokenizer.decode([number], skip_special_tokens=False)

    def places(self, text: str, length: int) -> list[Place]:
        """The output tokens of the beginning of a text, of so many characters and what is left
        of the last word, in order. One that begins or ends inside a character takes in the
        whole of it.

        No piece goes on after a space, for none was learned that does, so a text comes apart
        word by word; and most of its words were there before.
        """
        space = text.find(" ", length, length + AHEAD)
        text = text[: length + AHEAD if space < 0 else space]
        found, begin = [], 0
        for word in _SPACED.findall(text):
            pieces = self.known.get(word)
            for start, end, number in self._of_word(word) if pieces is None else pieces:
                found.append((begin + start, begin + end, number))
            begin += len(word)
        return found

    def _of_word(self, word: str) -> list[Place]:
        whole = self.tokenizer.encode(word)
        found = [
            (start, end, number)
            for number, (start, end) in zip(whole.ids, whole.offsets, strict=True)
            if number < self.count
        ]
        if len(word) <= LONGEST_KNOWN:
            if len(self.known) >= MOST_KNOWN:
                self.known.clear()
            self.known[word] = found
        return found

    def content(self) -> bytes:
        """The file: a tokenizer.json."""
        return self.tokenizer.to_str().encode()


def read(path: Path) -> tokenizers.Tokenizer:
    """The pieces of a file."""
    content = read_json(path, CheckpointError)
    model = content.get("model")
    if not isinstance(model, dict):
        raise CheckpointError(f"{path}: model is {shown(model)}; it must be an object")
    vocab, merges = _checked_vocab(path, model), _checked_merges(path, model)
    with guarded(f"{path} is no tokenizer.json"):
        opened = tokenizers.Tokenizer.from_str(json.dumps(content))
        expected = made_of(vocab, merges)
    # Both as this version of the library writes them, so nothing of the file is overlooked.
    there, right = json.loads(opened.to_str()), json.loads(expected.to_str())
    for name, found, wanted in (("", there, right), ("model.", there["model"], right["model"])):
        for key in wanted:
            if key != "model" and found.get(key) != wanted[key]:
                raise CheckpointError(
                    f"{path}: {name}{key} is {shown(found.get(key))}; of output tokens it is "
                    f"{shown(wanted[key])}"
                )
    return expected


def _checked_vocab(path: Path, model: Mapping[str, Any]) -> dict[str, int]:
    """Without all of the bytes, text would be lost without a word."""
    vocab = model.get("vocab")
    if not isinstance(vocab, dict):
        raise CheckpointError(f"{path}: model.vocab is {shown(vocab)}; it must be an object")
    for piece, number in vocab.items():
        if not isinstance(number, int) or isinstance(number, bool):
            raise CheckpointError(
                f"{path}: model.vocab gives {piece!r:.80} the id {shown(number)}; it must be a "
                "whole number"
            )
    if sorted(vocab.values()) != list(range(len(vocab))):
        raise CheckpointError(
            f"{path}: model.vocab has {len(vocab)} pieces; their ids must be 0 to "
            f"{len(vocab) - 1}, each once"
        )
    missing = [piece for piece in BYTES if piece not in vocab]
    if missing:
        raise CheckpointError(
            f"{path}: model.vocab lacks {missing[0]!r}, which writes a byte; it must hold all "
            f"{len(BYTES)}"
        )
    return vocab


def _checked_merges(path: Path, model: Mapping[str, Any]) -> list[Sequence[str]]:
    merges = model.get("merges")
    if not isinstance(merges, list):
        raise CheckpointError(f"{path}: model.merges is {shown(merges)}; it must be a list")
    for number, pair in enumerate(merges):
        two = isinstance(pair, list) and len(pair) == 2
        if not two or not all(isinstance(piece, str) for piece in pair):
            raise CheckpointError(
                f"{path}: model.merges[{number}] is {shown(pair)}; it must be a pair of pieces"
            )
    return merges


def characters_in(piece: str) -> int:
    """Of how many characters there is something in it: one begins at each byte that continues
    none, and of another the piece may have the end."""
    goes_on = [0x80 <= LETTERS[letter] < 0xC0 for letter in piece]
    return goes_on.count(False) + goes_on[0]


def made_of(vocab: Mapping[str, int], merges: Sequence[Sequence[str]]) -> tokenizers.Tokenizer:
    pairs = [(left, right) for left, right in merges]
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=dict(vocab), merges=pairs))
    tokenizer.pre_tokenizer = split()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def split() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
