"""Text to ids: Hugging Face tokenizers and SentencePiece models, as a checkpoint folder carries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import tokenizers

from reference.config import BertConfig, read_json
from reference.errors import CheckpointError, InputError
from reference.inputs import check_texts


class Vocabulary(Protocol):
    """What turns a batch of texts into ids with the special tokens in place, cut to a length."""

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]: ...


@dataclass
class Tokenizer:
    """A vocabulary, and how long the checkpoint wants its texts to be."""

    vocabulary: Vocabulary
    max_length: int
    lower_case: bool = False

    def __call__(self, texts: Sequence[str], max_length: int | None = None) -> list[list[int]]:
        """The ids of each text, special tokens included, truncated to max_length tokens."""
        length = self.max_length if max_length is None else max_length
        if isinstance(length, bool) or not isinstance(length, int) or length < 3:
            raise InputError(f"max_length is {length!r}; it must be a whole number of at least 3")
        texts = check_texts(texts)
        if self.lower_case:
            texts = [text.lower() for text in texts]
        return self.vocabulary.encode(texts, length)


def read_tokenizer(folder: Path, config: BertConfig) -> Tokenizer:
    """The tokenizer of a checkpoint folder: tokenizer.json first, then vocab.txt, then a SentencePiece model."""
    folder = Path(folder)
    settings = _optional_json(folder / "tokenizer_config.json")
    sentence_settings = _optional_json(folder / "sentence_bert_config.json")
    return Tokenizer(
        _read_vocabulary(folder, settings),
        _max_length(config, settings, sentence_settings, folder),
        bool(sentence_settings.get("do_lower_case")),
    )


class HuggingFaceVocabulary:
    """A tokenizer of the tokenizers library, freed of the padding and truncation stored in its file."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        self.truncated_to: int | None = None

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        if max_length != self.truncated_to:
            self.tokenizer.enable_truncation(max_length)
            self.truncated_to = max_length
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(list(texts))]


class SentencePieceVocabulary:
    """XLM-RoBERTa's SentencePiece model in fairseq's order: four specials first, then the pieces from 3 on.

    A sentencepiece id is one less than the model's, and its unknown piece, 0, is the model's 3.
    """

    BOS, EOS, UNKNOWN, OFFSET = 0, 2, 3, 1

    def __init__(self, path: Path) -> None:
        import sentencepiece

        try:
            self.processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (RuntimeError, OSError) as problem:
            raise CheckpointError(f"{path} is not a SentencePiece model: {problem}") from None

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        return [
            [
                self.BOS,
                *(piece + self.OFFSET if piece else self.UNKNOWN for piece in pieces[: max_length - 2]),
                self.EOS,
            ]
            for pieces in self.processor.encode(list(texts))
        ]


def _read_vocabulary(folder: Path, settings: dict) -> Vocabulary:
    ready, words, pieces = folder / "tokenizer.json", folder / "vocab.txt", folder / "sentencepiece.bpe.model"
    if ready.is_file():
        try:
            return HuggingFaceVocabulary(tokenizers.Tokenizer.from_file(str(ready)))
        except Exception as problem:  # the library raises plain Exception
            raise CheckpointError(f"{ready} is not a tokenizer: {problem}") from None
    if words.is_file():
        return HuggingFaceVocabulary(_word_pieces(words, settings))
    if pieces.is_file():
        return SentencePieceVocabulary(pieces)
    raise CheckpointError(f"{folder} holds no tokenizer: no {ready.name}, {words.name} or {pieces.name}")


def _word_pieces(path: Path, settings: dict) -> tokenizers.Tokenizer:
    """BERT's WordPiece tokenizer (Wu et al. 2016) from the bare word list that old checkpoints have."""
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


def _max_length(config: BertConfig, settings: dict, sentence_settings: dict, folder: Path) -> int:
    """The shortest of what the model, its tokenizer and sentence_bert_config.json allow."""
    limits = [config.max_tokens]
    for values, key in ((settings, "model_max_length"), (sentence_settings, "max_seq_length")):
        limit = values.get(key)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or limit < 3:
            raise CheckpointError(f"{folder}: {key} is {limit!r}; it must be a whole number of at least 3")
        limits.append(int(limit))
    return min(limits)


def _optional_json(path: Path) -> dict:
    return read_json(path, CheckpointError) if path.is_file() else {}
