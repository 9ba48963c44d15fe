"""Text to ids: Hugging Face tokenizers and SentencePiece models, as a checkpoint folder carries
them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import tokenizers

from reference.checks import check_texts, check_whole
from reference.config import EncoderConfig
from reference.errors import CheckpointError, InputError
from reference.files import is_file, read_json
from reference.sentence import read_text_settings, token_limit

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "added_tokens.json",
)


class Vocabulary(Protocol):
    """What turns a batch of texts into ids with the special tokens in place, cut to a
    length."""

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]: ...


@dataclass
class Tokenizer:
    """A vocabulary, and how long the checkpoint wants its texts to be."""

    vocabulary: Vocabulary
    max_length: int
    vocab_size: int  # the model's
    lower_case: bool = False

    def __call__(self, texts: Sequence[str], max_length: int | None = None) -> list[list[int]]:
        """The ids of each text, special tokens included, truncated to max_length tokens."""
        length = check_whole(
            "max_length", self.max_length if max_length is None else max_length, least=3
        )
        texts = check_texts(texts)
        if self.lower_case:
            texts = [text.lower() for text in texts]
        sequences = self.vocabulary.encode(texts, length)
        for number, sequence in enumerate(sequences):
            if not sequence:
                raise InputError(
                    f"texts[{number}], {texts[number]!r:.40}, has no tokens: this tokenizer "
                    "adds no special ones"
                )
            if max(sequence) >= self.vocab_size:
                raise CheckpointError(
                    f"texts[{number}] has the id {max(sequence)}, but the model's vocab_size "
                    f"is {self.vocab_size}: "
                    "tokenizer and model do not belong together"
                )
        return sequences


def read_tokenizer(folder: Path, config: EncoderConfig) -> Tokenizer:
    """The tokenizer of a checkpoint folder: tokenizer.json first, then vocab.txt, then a
    SentencePiece model."""
    folder = Path(folder)
    settings = _optional_json(folder / "tokenizer_config.json")
    of_sentences = read_text_settings(folder)
    return Tokenizer(
        _read_vocabulary(folder, settings),
        _max_length(
            config,
            of_sentences.max_seq_length,
            token_limit(settings, "model_max_length", folder / "tokenizer_config.json"),
        ),
        config.vocab_size,
        of_sentences.lower_case,
    )


class HuggingFaceVocabulary:
    """A tokenizer of the tokenizers library, freed of the padding and truncation stored in its
    file."""

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
    """XLM-RoBERTa's SentencePiece model in fairseq's order: four specials first, then the
    pieces from 3 on.

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
                *(
                    piece + self.OFFSET if piece else self.UNKNOWN
                    for piece in pieces[: max_length - 2]
                ),
                self.EOS,
            ]
            for pieces in self.processor.encode(list(texts))
        ]


def _read_vocabulary(folder: Path, settings: dict) -> Vocabulary:
    ready, words, pieces = (
        folder / "tokenizer.json",
        folder / "vocab.txt",
        folder / "sentencepiece.bpe.model",
    )
    if ready.is_file():
        try:
            return HuggingFaceVocabulary(tokenizers.Tokenizer.from_file(str(ready)))
        except Exception as problem:  # the library raises plain Exception
            raise CheckpointError(f"{ready} is not a tokenizer: {problem}") from None
    if words.is_file():
        return HuggingFaceVocabulary(_word_pieces(words, settings))
    if pieces.is_file():
        return SentencePieceVocabulary(pieces)
    raise CheckpointError(
        f"{folder} holds no tokenizer: no {ready.name}, {words.name} or {pieces.name}"
    )


def _word_pieces(path: Path, settings: dict) -> tokenizers.Tokenizer:
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


def _max_length(
    config: EncoderConfig, sentence_limit: int | None, tokenizers_limit: int | None
) -> int:
    """sentence-transformers' own limit, else the tokenizer's, as it has it; the model's
    positions cap both."""
    longest = min(config.max_tokens, config.max_position_embeddings)
    return min(sentence_limit or tokenizers_limit or longest, longest)


def _optional_json(path: Path) -> dict:
    return read_json(path, CheckpointError) if is_file(path) else {}
