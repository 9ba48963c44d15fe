"""Tokenizers of the tokenizers library, behind what the package asks of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers.models import BPE, Unigram
from tokenizers.normalizers import Lowercase
from tokenizers.normalizers import Sequence as Steps

from reference.text import spelling
from reference.text.encoding import Encoding, Origins
from reference.text.guard import guarded
from reference.text.truncation import kept_tokens

# What Transformers takes back of the spaces that decoding puts between tokens, in this order.
TIDIED = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


class HuggingFaceVocabulary:
    """A tokenizer of the tokenizers library, freed of the padding and truncation stored in its
    file: texts are encoded whole, and cut afterwards."""

    def __init__(
        self,
        tokenizer: tokenizers.Tokenizer,
        side: str = "right",
        path: Path | str = "the tokenizer",
        tidies: bool = False,
    ) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        self.side = side
        self.path = path
        self.tidies = tidies  # whether decoding takes back spaces, as TIDIED says

    def __len__(self) -> int:
        return 1 + max(self.tokenizer.get_vocab().values(), default=-1)

    def encode(
        self, texts: Sequence[tuple[str, ...]], max_length: int, located: bool = False
    ) -> list[Encoding]:
        # The fast way counts no characters and no words. Few ask for them: they are found then,
        # or now where they are wanted of all.
        with guarded(f"{self.path} cannot encode these texts"):
            if located:
                found = self.tokenizer.encode_batch(_as_inputs(texts))
            else:
                found = self.tokenizer.encode_batch_fast(_as_inputs(texts))
        origins = [
            partial(self._of_whole, whole, max_length)
            if located
            else partial(self._origins, its_texts, max_length)
            for whole, its_texts in zip(found, texts, strict=True)
        ]
        return [
            self._cut(whole, max_length, find)
            for whole, find in zip(found, origins, strict=True)
        ]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool) -> str:
        with guarded(f"{self.path} cannot decode these ids"):
            text = self.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)
        for spaced, tidy in TIDIED if self.tidies else ():
            text = text.replace(spaced, tidy)
        return text

    def token_id(self, token: str) -> int | None:
        return self.tokenizer.token_to_id(token)

    def piece(self, number: int) -> str | None:
        return self.tokenizer.id_to_token(number)

    @property
    def marks_spaces(self) -> bool:
        return isinstance(self.tokenizer.model, (BPE, Unigram))

    def begins_word(self, before: str) -> bool:
        with guarded(f"{self.path} cannot encode this text"):
            return spelling.begins_word(self.tokenizer, before)

    def spelled(self, text: str, begins_word: bool) -> list[int]:
        with guarded(f"{self.path} cannot encode this text"):
            return spelling.spelled(self.tokenizer, text, begins_word)

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
        with guarded(f"{self.path} cannot encode this text"):
            (whole,) = self.tokenizer.encode_batch(_as_inputs([texts]))
        return self._of_whole(whole, max_length)

    def _of_whole(self, whole: tokenizers.Encoding, max_length: int) -> Origins:
        origins = Origins(
            whole.offsets, whole.word_ids, whole.sequence_ids, whole.special_tokens_mask
        )
        if len(whole) <= max_length:
            return origins
        return origins.at(kept_tokens(whole.sequence_ids, max_length, self.side))


def lower_casing(tokenizer: tokenizers.Tokenizer) -> None:
    """Lower-case texts before all else, as sentence-transformers does where its own settings
    say so, and the tokenizer does not in the same way."""
    first = tokenizer.normalizer
    steps = list(first) if isinstance(first, Steps) else [first] if first else []
    if not any(isinstance(step, Lowercase) for step in steps):
        tokenizer.normalizer = Steps([Lowercase(), *steps])


def _as_inputs(texts: Sequence[tuple[str, ...]]) -> list[str | tuple[str, str]]:
    """One text as a string, two as a pair: as the library takes them."""
    return [both if len(both) == 2 else both[0] for both in texts]
