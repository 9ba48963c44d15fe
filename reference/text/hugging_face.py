"""Tokenizers of the tokenizers library: from a tokenizer.json, or from the bare word list of
old BERTs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import tokenizers

from reference.errors import CheckpointError
from reference.text.encoding import Encoding, Origins
from reference.text.truncation import kept_tokens


class HuggingFaceVocabulary:
    """A tokenizer of the tokenizers library, freed of the padding and truncation stored in its
    file: texts are encoded whole, and cut afterwards."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, side: str | None = None) -> None:
        stored = tokenizer.truncation or {}
        self.side = side or stored.get("direction", "right")
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer

    def encode(self, texts: Sequence[tuple[str, ...]], max_length: int) -> list[Encoding]:
        # The fast way counts no characters and no words. Few ask for them: they are found then.
        found = self.tokenizer.encode_batch_fast(_as_inputs(texts))
        return [
            self._cut(whole, max_length, partial(self._origins, its_texts, max_length))
            for whole, its_texts in zip(found, texts, strict=True)
        ]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)

    def token_id(self, token: str) -> int | None:
        return self.tokenizer.token_to_id(token)

    def _cut(self, whole: tokenizers.Encoding, max_length: int, find_origins: Any) -> Encoding:
        ids, types = whole.ids, whole.type_ids
        if len(ids) <= max_length:
            return Encoding(ids, types, 0, find_origins)
        kept = kept_tokens(whole.sequence_ids, max_length, self.side)
        cut = len(ids) - len(kept)
        return Encoding(
            [ids[token] for token in kept], [types[token] for token in kept], cut, find_origins
        )

    def _origins(self, texts: tuple[str, ...], max_length: int) -> Origins:
        (whole,) = self.tokenizer.encode_batch(_as_inputs([texts]))
        origins = Origins(
            whole.offsets, whole.word_ids, whole.sequence_ids, whole.special_tokens_mask
        )
        if len(whole) <= max_length:
            return origins
        return origins.at(kept_tokens(whole.sequence_ids, max_length, self.side))


def read_tokenizer_json(path: Path) -> tokenizers.Tokenizer:
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as problem:  # the library raises plain Exception
        raise CheckpointError(f"{path} is not a tokenizer: {problem}") from None


def read_word_pieces(path: Path, settings: dict) -> tokenizers.Tokenizer:
    """BERT's WordPiece tokenizer (Wu et al. 2016) from the bare word list that old checkpoints
    have."""
    from tokenizers.implementations import BertWordPieceTokenizer

    try:
        wrapped = BertWordPieceTokenizer(
            str(path),
            lowercase=settings.get("do_lower_case", True),
            strip_accents=settings.get("strip_accents"),
            handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        )
    except Exception as problem:  # the library raises plain Exception and TypeError
        raise CheckpointError(f"{path} is not a WordPiece vocabulary: {problem}") from None
    return tokenizers.Tokenizer.from_str(wrapped.to_str())


def _as_inputs(texts: Sequence[tuple[str, ...]]) -> list[str | tuple[str, str]]:
    """One text as a string, two as a pair: as the library takes them."""
    return [both if len(both) == 2 else both[0] for both in texts]
