"""A checkpoint folder's tokenizer: which file it is in, how it is opened, how long its texts
may be, and which of its tokens are special."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tokenizers

from reference.errors import CheckpointError, ConfigError, warn
from reference.families import BY_MODEL_TYPE, EncoderConfig
from reference.files import is_file, read_json
from reference.text.added_tokens import named_tokens, special_names, with_added_tokens
from reference.text.bare_pieces import OWN, OWN_PIECES, PIECES, check_bare
from reference.text.characters import FILE as CHARACTERS
from reference.text.characters import MASK_ID, PAD_ID, UNKNOWN_ID, read_characters
from reference.text.classes import Part, TokenizerClass, class_for
from reference.text.guard import guarded
from reference.text.hugging_face import HuggingFaceVocabulary, lower_casing
from reference.text.opening import open_tokenizer
from reference.text.padding import SIDES, check_padding_side, input_names
from reference.text.sentence_piece import open_fairseq, open_own
from reference.text.sentence_settings import TextSettings, read_text_settings, token_limit
from reference.text.tokenizer import UNLIMITED, Tokenizer, Vocabulary

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    *PIECES,
    "tokenizer.vocab",
    "special_tokens_map.json",
    "added_tokens.json",
    CHARACTERS,
    "output_tokens.json",  # which a model of characters is asked for
)
OF_CHARACTERS = "CharacterVocabulary"  # in the place of a tokenizer's class
SPECIAL = ("cls", "sep", "pad", "unk", "mask")
# What the special tokens are called where neither settings nor a class name them: by BERT, and
# by RoBERTa.
USUAL_NAMES = {
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "mask": ("[MASK]", "<mask>"),
}


def read_tokenizer(folder: Path, config: EncoderConfig | None = None) -> Tokenizer:
    """The tokenizer of a checkpoint folder, as Transformers opens it: tokenizer.json first,
    then vocab.txt, then a SentencePiece model. Without a config it is that of a folder that
    holds a tokenizer alone, whose texts may be as long as its settings say."""
    folder = Path(folder)
    if _reads_characters(folder, config):
        return _character_tokenizer(folder, config)
    path = folder / "tokenizer_config.json"
    of_sentences = read_text_settings(folder)
    settings = _read_settings(folder) | of_sentences.tokenizer
    file = _tokenizer_file(folder)
    kind = OWN_PIECES if file.name == OWN else _class(folder, settings, config)
    vocabulary = _read_vocabulary(file, settings, kind, of_sentences, config)
    inputs = input_names(settings, path)
    typed = kind.token_types if inputs is None else "token_type_ids" in inputs
    names = special_names(kind, settings)
    special = [token.content for token in named_tokens(settings, names, kind)]
    vocab_size = len(vocabulary) if config is None else config.vocab_size
    return Tokenizer(
        vocabulary,
        _max_length(config, of_sentences, settings, path),
        vocab_size,
        typed and (config is None or config.has_token_types),  # without them, all are 0
        _special_tokens(vocabulary, names, vocab_size),
        frozenset(map(vocabulary.token_id, special)) - {None},
    )


def _reads_characters(folder: Path, config: EncoderConfig | None) -> bool:
    if config is None:
        return is_file(folder / CHARACTERS)
    return BY_MODEL_TYPE[config.model_type].tokenizers[config.model_type] == OF_CHARACTERS


def _character_tokenizer(folder: Path, config: EncoderConfig | None) -> Tokenizer:
    if not is_file(folder / CHARACTERS):
        raise CheckpointError(
            f"{folder} does not say which characters there are: no {CHARACTERS}"
        )
    found = read_characters(folder / CHARACTERS)
    size, longest = len(found.vocabulary), found.longest
    if config is not None and size > config.vocab_size:
        raise CheckpointError(
            f"{folder / CHARACTERS} has {size} ids, but the model's vocab_size is "
            f"{config.vocab_size}: they do not belong together"
        )
    return Tokenizer(
        found.vocabulary,
        longest if config is None else min(longest, config.max_tokens),
        size if config is None else config.vocab_size,
        False,
        {"pad": PAD_ID, "unk": UNKNOWN_ID, "mask": MASK_ID},
        frozenset({PAD_ID, UNKNOWN_ID, MASK_ID}),
        found.of_model,
    )


def _tokenizer_file(folder: Path) -> Path:
    files = [folder / name for name in ("tokenizer.json", "vocab.txt", *PIECES)]
    found = next(filter(is_file, files), None)
    if found is None:
        *names, last = (path.name for path in files)
        raise CheckpointError(f"{folder} holds no tokenizer: no {', '.join(names)} or {last}")
    return found


def _class(folder: Path, settings: Part, config: EncoderConfig | None) -> TokenizerClass:
    named = settings.get("tokenizer_class") or _optional_json(folder / "config.json").get(
        "tokenizer_class"
    )
    if config is not None:
        usual = BY_MODEL_TYPE[config.model_type].tokenizers[config.model_type]
    else:
        usual = named if isinstance(named, str) else "PreTrainedTokenizerFast"
    return class_for(named, usual, str(folder / "tokenizer_config.json"))


def _read_settings(folder: Path) -> Part:
    """tokenizer_config.json; and special_tokens_map.json, in which older folders name the
    special tokens, and which Transformers prefers until it has written its
    added_tokens_decoder."""
    path = folder / "tokenizer_config.json"
    settings = _optional_json(path)
    for key in ("add_bos_token", "add_eos_token"):
        if settings.get(key) is not None:
            raise ConfigError(
                f"{path}: {key} is {settings[key]!r:.80}, by which Transformers puts other "
                "special tokens about a text than the tokenizer has; it is not implemented"
            )
    if "added_tokens_decoder" in settings:
        return settings
    return settings | _optional_json(folder / "special_tokens_map.json")


def _read_vocabulary(
    path: Path,
    settings: Part,
    kind: TokenizerClass,
    of_sentences: TextSettings,
    config: EncoderConfig | None,
) -> Vocabulary:
    folder = path.parent
    side = _truncation_side(settings, folder / "tokenizer_config.json")
    split = _switch(settings, "split_special_tokens")
    if path.name in PIECES:
        check_padding_side(folder, settings, {}, config)
        check_bare(path, settings, kind, of_sentences)
        if path.name == OWN:
            return open_own(path, side, not split, config and config.vocab_size)
        return open_fairseq(path, side)
    word_list = path.name == "vocab.txt"
    content = _word_list(path, kind) if word_list else read_json(path, CheckpointError)
    check_padding_side(folder, settings, content, config)
    older = _optional_json(folder / "added_tokens.json")
    opened = open_tokenizer(path, content, with_added_tokens(settings, content, older), kind)
    if of_sentences.lower_case:
        lower_casing(opened)
    opened.encode_special_tokens = split
    return HuggingFaceVocabulary(
        opened, side or _side_of(content), path, _tidies(opened, settings)
    )


def _word_list(path: Path, kind: TokenizerClass) -> Part:
    """A bare word list as the model of a tokenizer.json: WordPiece's (Wu et al. 2016)."""
    if "[UNK]" not in kind.names.values():
        raise CheckpointError(
            f"{path} is a bare word list, which {kind.name}, by which this folder's tokenizer "
            "is opened, does not read; save the tokenizer with Transformers, which writes a "
            "tokenizer.json"
        )
    with guarded(f"{path} is not a WordPiece vocabulary"):
        return {"model": {"vocab": tokenizers.models.WordPiece.read_file(str(path))}}


def _max_length(
    config: EncoderConfig | None, of_sentences: TextSettings, settings: Part, path: Path
) -> int:
    """sentence-transformers' own limit, else the tokenizer's, capped by the positions that the
    model was made for, as it has it."""
    key = "model_max_length" if "model_max_length" in settings else "max_len"
    tokenizers_limit = token_limit(settings, key, path)
    own = of_sentences.max_seq_length
    if key in of_sentences.tokenizer:
        own = tokenizers_limit
    if config is None:
        return own or tokenizers_limit or UNLIMITED
    if own is not None:
        if own > config.max_tokens:
            warn(
                f"{of_sentences.path} allows texts of {own} tokens, but the model has "
                f"positions for {config.max_tokens}; texts are cut to that",
            )
        return min(own, config.max_tokens)
    longest = min(config.max_tokens, config.max_position_embeddings)
    return min(tokenizers_limit or longest, longest)


def _optional_json(path: Path) -> dict:
    return read_json(path, CheckpointError) if is_file(path) else {}


def _truncation_side(settings: Part, path: Path) -> str | None:
    side = settings.get("truncation_side")
    if side not in (None, *SIDES):
        raise ConfigError(f"{path}: truncation_side is {side!r:.80}; it must be left or right")
    return side


def _side_of(content: Part) -> str:
    stored = content.get("truncation")
    left = isinstance(stored, dict) and stored.get("direction") == "Left"
    return "left" if left else "right"


def _tidies(opened: tokenizers.Tokenizer, settings: Part) -> bool:
    """Whether decoding takes back the spaces before punctuation; of byte-level pieces
    Transformers does not, for they say where there was one."""
    if type(opened.model).__name__ != "BPE":
        return _switch(settings, "clean_up_tokenization_spaces")
    return _switch(settings, "clean_up_tokenization_spaces") and _switch(
        settings, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"
    )


def _switch(settings: Part, key: str) -> bool:
    value = settings.get(key, False)
    if not isinstance(value, (bool, type(None))):
        raise ConfigError(
            f"tokenizer_config.json: {key} is {value!r:.80}; it must be true or false"
        )
    return bool(value)


def _special_tokens(
    vocabulary: Vocabulary, names: Mapping[str, str], vocab_size: int
) -> dict[str, int]:
    """Their ids by kind; one that the model has no row for is none."""
    ids: dict[str, int] = {}
    for kind in SPECIAL:
        given = (names[kind],) if kind in names else USUAL_NAMES[kind]
        found = [vocabulary.token_id(name) for name in given]
        known = [number for number in found if number is not None and number < vocab_size]
        if known:
            ids[kind] = known[0]
    return ids
