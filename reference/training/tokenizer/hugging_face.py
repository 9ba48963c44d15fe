"""Tokenizers of the tokenizers library: WordPiece (Wu et al. 2016) as BERT has it, and pairs of
bytes (Sennrich et al. 2016; Radford et al. 2019) as ModernBERT does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from reference.errors import InputError
from reference.training.tokenizer.options import Options

PAD, UNK, CLS, SEP, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
INSIDE = "##"  # begins a WordPiece that begins no word
CHARACTERS_AT_ONCE = 2**14


def train(words: list[tuple[str, int]], options: Options) -> dict[str, bytes]:
    """What Transformers needs to open it: the files of a folder by name."""
    if options.kind == "wordpiece":
        return files_of(_word_pieces(words, options), options.max_length, token_types=True)
    return files_of(_byte_pairs(words, options), options.max_length)


def _word_pieces(words: list[tuple[str, int]], options: Options) -> tokenizers.Tokenizer:
    """Of characters that are rare, or not in the text, nothing is known: a word that holds one
    is [UNK]."""
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token=UNK))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=options.lower_case)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=INSIDE)
    split = _split(words, tokenizer)
    alphabet = _alphabet(split, options.coverage)
    inside = sorted({f"{INSIDE}{c}" for word in split for c in word[1:] if c in alphabet})
    trainer = trainers.WordPieceTrainer(
        vocab_size=options.vocab_size,
        # By itself the library numbers the pieces inside words in an order that varies.
        special_tokens=[*SPECIAL, *inside],
        initial_alphabet=sorted(alphabet),
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    vocabulary = _learned(split, models.WordPiece(unk_token=UNK), trainer, options)
    tokenizer.model = models.WordPiece(vocab=vocabulary.get_vocab(), unk_token=UNK)
    return _framed(tokenizer, first=":0", second=":1")


def _byte_pairs(words: list[tuple[str, int]], options: Options) -> tokenizers.Tokenizer:
    """Nothing is unknown, for every byte is a piece."""
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token=UNK))
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if options.lower_case else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=options.vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    split = _split(words, tokenizer)
    tokenizer.model = _learned(split, models.BPE(unk_token=UNK), trainer, options).model
    return _framed(tokenizer)


def _split(words: list[tuple[str, int]], tokenizer: tokenizers.Tokenizer) -> Counter[str]:
    """How often each word comes as the tokenizer splits and writes them."""
    normal, parts = tokenizer.normalizer, tokenizer.pre_tokenizer
    found: Counter[str] = Counter()
    words.reverse()
    while words:
        word, count = words.pop()
        for part, _ in parts.pre_tokenize_str(normal.normalize_str(word)):
            found[part] += count
    if not found:
        raise InputError("the texts hold no letters: nothing is left of them to learn from")
    return found


def _alphabet(words: Counter[str], coverage: float) -> set[str]:
    """The most frequent characters, until they make up that share of the text."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    wanted = coverage * counts.total()
    alphabet: set[str] = set()
    covered = 0
    for character, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        if covered >= wanted:
            break
        alphabet.add(character)
        covered += count
    return alphabet


def _learned(
    words: Counter[str],
    model: models.Model,
    trainer: trainers.Trainer,
    options: Options,
) -> tokenizers.Tokenizer:
    """The model, trained. The library makes fewer pieces than it was asked for where the text
    has no more, and more where the alphabet alone has; neither is what was meant."""
    learner = tokenizers.Tokenizer(model)
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    learner.train_from_iterator(repeated(words), trainer)
    found = learner.get_vocab_size()
    if found < options.vocab_size:
        raise options.too_large(found)
    if found > options.vocab_size:
        raise options.too_small(found)
    return learner


def repeated(words: Counter[str]) -> Iterator[str]:
    """Every word as often as it came: the library takes texts only, and no counts."""
    for word in sorted(words):
        count, most = words.pop(word), 1 + CHARACTERS_AT_ONCE // len(word)
        while count > 0:
            yield " ".join([word] * min(count, most))
            count -= most


def _framed(
    tokenizer: tokenizers.Tokenizer, first: str = "", second: str = ""
) -> tokenizers.Tokenizer:
    """With its special tokens, and those about a text and a pair, of which type they are."""
    # A mask takes the space before it along, as a piece in its place would.
    mask = tokenizers.AddedToken(MASK, lstrip=True, special=True)
    tokenizer.add_special_tokens([*SPECIAL[:-1], mask])
    single = f"{CLS}{first} $A{first} {SEP}{first}"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single,
        pair=f"{single} $B{second} {SEP}{second}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (CLS, SEP)],
    )
    return tokenizer


def files_of(
    tokenizer: tokenizers.Tokenizer, max_length: int | None, token_types: bool = False
) -> dict[str, bytes]:
    """tokenizer.json, and what beside it says how it is opened."""
    inputs = ["input_ids", *(["token_type_ids"] if token_types else []), "attention_mask"]
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": inputs,
        "clean_up_tokenization_spaces": False,
    }
    settings |= {
        f"{name}_token": token
        for name, token in zip("pad unk cls sep mask".split(), SPECIAL, strict=True)
    }
    settings = {key: value for key, value in settings.items() if value is not None}
    return {
        "tokenizer.json": tokenizer.to_str().encode(),
        "tokenizer_config.json": (json.dumps(settings, indent=2) + "\n").encode(),
    }
