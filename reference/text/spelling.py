"""How a word is spelled inside a text. With byte-level and SentencePiece vocabularies the space
before a word is part of its first piece; with WordPiece it is the pieces after the first that
have a sign."""

from __future__ import annotations

import tokenizers
from tokenizers.models import WordPiece

BLANKS = ("Ġ", "▁", "Ċ", "ĉ", "č")  # how pieces write a space, a line's end, a tab
SPACES = "Ġ▁"


def spelled(tokenizer: tokenizers.Tokenizer, text: str, begins_word: bool) -> list[int]:
    """The ids of a text after a space, or right after a letter."""
    if _is_continuation(tokenizer, text):
        return [tokenizer.token_to_id(text)]
    after_space = _ids(tokenizer, f" {text}")
    if begins_word:
        return after_space
    bare = _ids(tokenizer, text)
    return _continued(tokenizer, text) if bare == after_space else bare


def begins_word(tokenizer: tokenizers.Tokenizer, before: str) -> bool:
    """Whether what stands right after this text is spelled as the beginning of a word."""
    if before and before[-1].isspace():
        return True
    if not before:
        return marks_inside(tokenizer) or _ids(tokenizer, "a") == _ids(tokenizer, " a")
    return marks_inside(tokenizer) and len(_words(tokenizer, f"{before[-1]}x")) > 1


def marks_inside(tokenizer: tokenizers.Tokenizer) -> bool:
    """Whether pieces inside a word have the sign, and not those that follow a space."""
    return isinstance(tokenizer.model, WordPiece)


def _is_continuation(tokenizer: tokenizers.Tokenizer, text: str) -> bool:
    """A WordPiece that is written as the vocabulary has it, ##ing for one."""
    if not marks_inside(tokenizer) or tokenizer.token_to_id(text) is None:
        return False
    return text.startswith(tokenizer.model.continuing_subword_prefix)


def _ids(tokenizer: tokenizers.Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def _words(tokenizer: tokenizers.Tokenizer, text: str) -> list[str]:
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    if tokenizer.pre_tokenizer is None:
        return [text]
    return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


def _continued(tokenizer: tokenizers.Tokenizer, text: str) -> list[int]:
    """The ids of a text whose first word goes on with the one before it, which this tokenizer
    itself never makes of a text alone."""
    first, *rest = _words(tokenizer, text) or [""]
    ids = [token.id for word in rest for token in tokenizer.model.tokenize(word)]
    if marks_inside(tokenizer):
        return [*_inside(tokenizer, first), *ids]
    return [*(token.id for token in tokenizer.model.tokenize(first.lstrip(SPACES))), *ids]


def _inside(tokenizer: tokenizers.Tokenizer, word: str) -> list[int]:
    """WordPiece's longest match first, as for the end of a longer word."""
    model, ids = tokenizer.model, []
    while word:
        ends = range(len(word), 0, -1)
        found = [
            tokenizer.token_to_id(model.continuing_subword_prefix + word[:e]) for e in ends
        ]
        taken = next((place for place, number in enumerate(found) if number is not None), None)
        if taken is None:
            return [tokenizer.token_to_id(model.unk_token)]
        ids.append(found[taken])
        word = word[ends[taken] :]
    return ids
