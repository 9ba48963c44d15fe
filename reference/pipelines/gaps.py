"""Where the masks of a text are, which spelling fits there, and the text with words in their
places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reference.errors import InputError, shown
from reference.text import Encoding, Tokenizer
from reference.text.spelling import BLANKS, SPACES


@dataclass(frozen=True)
class Mask:
    """A mask of a text."""

    place: int  # among the tokens
    start: int  # its characters
    end: int
    begins_word: bool  # whether what fills it is spelled as after a space


@dataclass(frozen=True)
class Word:
    """What may stand at a mask."""

    shown: str  # as a reader sees it: without a space before it; ##ing goes on with a word
    inside: str  # without the ##
    begins_word: bool


@dataclass(frozen=True)
class Masked:
    """A text, its tokens, and the masks in it."""

    name: str  # in errors
    text: str
    encoding: Encoding
    masks: list[Mask]


def find_masks(name: str, text: str, encoding: Encoding, tokenizer: Tokenizer) -> Masked:
    """A text with its masks: at least one, and none of them cut away."""
    seen = whole = encoding.count(tokenizer.mask_token_id)
    if encoding.cut:
        (uncut,) = tokenizer([text], truncation=False)
        whole = uncut.count(tokenizer.mask_token_id)
    if not whole:
        raise InputError(
            f"{name}, {shown(text, 60)}, has no mask; this tokenizer writes it "
            f"{tokenizer.mask_token}"
        )
    if seen < whole:
        raise InputError(
            f"{name} has {whole} times {tokenizer.mask_token}, {whole - seen} of them beyond "
            f"the {tokenizer.max_length} tokens that this model takes; shorten the text"
        )
    return Masked(name, text, encoding, masks_of(text, encoding, tokenizer))


def masks_of(text: str, encoding: Encoding, tokenizer: Tokenizer) -> list[Mask]:
    """The masks among the tokens, in their order."""
    masks: list[Mask] = []
    for place, number in enumerate(encoding):
        if number == tokenizer.mask_token_id:
            first, last = encoding.offsets[place]
            found = text[first:last]  # with the space before it, which some masks take along
            start = last - len(found.lstrip())
            end = first + len(found.rstrip())
            joined = bool(masks) and masks[-1].end == start
            before = "a" if joined else text[:start]  # a mask stands for letters
            fits = tokenizer.vocabulary.begins_word(before)
            masks.append(
                Mask(place, start, end, fits and not _blank(encoding, place, tokenizer))
            )
    return masks


def _blank(encoding: Encoding, place: int, tokenizer: Tokenizer) -> bool:
    """Whether the space before the mask is a token already, and no part of what fills it."""
    piece = tokenizer.vocabulary.piece(encoding[place - 1]) if place else None
    return piece is not None and piece.endswith(BLANKS)


def word_of(number: int, tokenizer: Tokenizer) -> Word:
    """The token of that id."""
    vocabulary = tokenizer.vocabulary
    piece = vocabulary.piece(number) or ""
    if vocabulary.marks_spaces:
        shown = vocabulary.decode([number], skip_special_tokens=False).removeprefix(" ")
        return Word(shown, shown, piece.startswith(tuple(SPACES)))
    inside = piece.removeprefix("##")
    return Word(piece, inside, inside == piece)


def with_words(text: str, masks: Sequence[Mask], words: Sequence[Word | None]) -> str:
    """The text with words in the places of its masks; where there is None the mask stays."""
    made, done = "", 0
    for mask, word in zip(masks, words, strict=True):
        made += text[done : mask.start]
        done = mask.end
        made = made + text[mask.start : mask.end] if word is None else _joined(made, mask, word)
    return made + text[done:]


def _joined(before: str, mask: Mask, word: Word) -> str:
    """As the tokens would be read: a word that begins has a space before it, and one that goes
    on has none."""
    if not word.begins_word:
        return (before.rstrip() if mask.begins_word else before) + word.inside
    spaced = mask.begins_word or not before
    return f"{before}{'' if spaced else ' '}{word.inside}"
