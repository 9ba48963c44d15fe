"""A checkpoint folder's tokenizer: which file it is in, how long its texts may be, and which of
its tokens are special."""

from __future__ import annotations

from pathlib import Path

from reference.errors import CheckpointError, ConfigError
from reference.families import EncoderConfig
from reference.files import is_file, read_json
from reference.sentence import read_text_settings, token_limit
from reference.text.hugging_face import (
    HuggingFaceVocabulary,
    read_tokenizer_json,
    read_word_pieces,
)
from reference.text.sentence_piece import SentencePieceVocabulary
from reference.text.tokenizer import Tokenizer, Vocabulary

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "added_tokens.json",
)
SIDES = ("right", "left")
# What the special tokens are called where no settings name them: by BERT, and by RoBERTa.
USUAL_NAMES = {
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "mask": ("[MASK]", "<mask>"),
}


def read_tokenizer(folder: Path, config: EncoderConfig) -> Tokenizer:
    """The tokenizer of a checkpoint folder: tokenizer.json first, then vocab.txt, then a
    SentencePiece model."""
    folder = Path(folder)
    path = folder / "tokenizer_config.json"
    settings = _optional_json(path)
    of_sentences = read_text_settings(folder)
    named = settings | _older_names(folder, settings)
    vocabulary = _read_vocabulary(folder, named)
    return Tokenizer(
        vocabulary,
        _max_length(
            config,
            of_sentences.max_seq_length,
            token_limit(settings, "model_max_length", path),
        ),
        config.vocab_size,
        of_sentences.lower_case,
        config.has_token_types,
        _special_tokens(vocabulary, named, path),
    )


def _read_vocabulary(folder: Path, settings: dict) -> Vocabulary:
    ready, words, pieces = (
        folder / "tokenizer.json",
        folder / "vocab.txt",
        folder / "sentencepiece.bpe.model",
    )
    side = _truncation_side(settings, folder / "tokenizer_config.json")
    if ready.is_file():
        return HuggingFaceVocabulary(read_tokenizer_json(ready), side)
    if words.is_file():
        _check_frame(settings, folder)
        return HuggingFaceVocabulary(read_word_pieces(words, settings), side)
    if pieces.is_file():
        return SentencePieceVocabulary(pieces, side)
    raise CheckpointError(
        f"{folder} holds no tokenizer: no {ready.name}, {words.name} or {pieces.name}"
    )


def _max_length(
    config: EncoderConfig, sentence_limit: int | None, tokenizers_limit: int | None
) -> int:
    """sentence-transformers' own limit, else the tokenizer's, as it has it; the model's
    positions cap both."""
    longest = min(config.max_tokens, config.max_position_embeddings)
    return min(sentence_limit or tokenizers_limit or longest, longest)


def _optional_json(path: Path) -> dict:
    return read_json(path, CheckpointError) if is_file(path) else {}


def _truncation_side(settings: dict, path: Path) -> str | None:
    side = settings.get("truncation_side")
    if side not in (None, *SIDES):
        raise ConfigError(f"{path}: truncation_side is {side!r:.80}; it must be left or right")
    return side


def _older_names(folder: Path, settings: dict) -> dict:
    """Older folders name the special tokens in a file of their own, which Transformers prefers
    until it has written its added_tokens_decoder."""
    if "added_tokens_decoder" in settings:
        return {}
    return _optional_json(folder / "special_tokens_map.json")


def _special_tokens(vocabulary: Vocabulary, named: dict, path: Path) -> dict[str, int]:
    ids: dict[str, int] = {}
    for kind, usual in USUAL_NAMES.items():
        token = _named_token(named, kind, path)
        found = [vocabulary.token_id(name) for name in ((token,) if token else usual)]
        known = [number for number in found if number is not None]
        if known:
            ids[kind] = known[0]
    return ids


def _named_token(named: dict, kind: str, path: Path) -> str | None:
    token = named.get(f"{kind}_token")
    if isinstance(token, dict):
        token = token.get("content")
    if not isinstance(token, (str, type(None))):
        raise ConfigError(f"{path}: {kind}_token is {token!r:.80}; it must be a string")
    return token


def _check_frame(named: dict, folder: Path) -> None:
    """A bare word list says nothing of the special tokens about a text; they are BERT's, unless
    the folder names others, as MPNet's does."""
    for kind, usual in (("cls", "[CLS]"), ("sep", "[SEP]")):
        token = _named_token(named, kind, folder / "tokenizer_config.json")
        if token not in (None, usual):
            raise CheckpointError(
                f"{folder / 'vocab.txt'} is read as BERT's word list, with {usual} about "
                f"texts, but the {kind}_token of this folder is {token!r:.80}; save the "
                "tokenizer with Transformers, which writes a tokenizer.json"
            )
