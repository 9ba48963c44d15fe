"""The classes by which Transformers opens a folder's tokenizer.

A class does not take a tokenizer.json as it stands: BERT's, RoBERTa's and MPNet's, for three,
take the vocabulary out of it and build the rest anew, from tokenizer_config.json and defaults
of their own. Only PreTrainedTokenizerFast, now TokenizersBackend, keeps the file's parts. Here
it is done likewise, and a file that says something else than what is built is refused or warned
of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tokenizers
from tokenizers import processors

from reference.errors import ConfigError

Part = dict[str, Any]
# The order in which Transformers adds them to a vocabulary that lacks them.
KINDS = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")


@dataclass(frozen=True)
class TokenizerClass:
    """How a class of Transformers opens a folder."""

    name: str
    # The special tokens where no settings name them.
    names: Mapping[str, str] = field(default_factory=dict)
    # The tokenizer but for its vocabulary, from the settings, the names of the special tokens
    # and the file's model; None: as the file has it.
    build: Callable[[Part, Mapping[str, str], Part], Part] | None = None
    # What stands about a text; made when all tokens have their ids.
    frame: Callable[[tokenizers.Tokenizer, Mapping[str, str], Part], Any] | None = None
    # Which kinds stand before and behind a text.
    ends: tuple[str, str] = ("cls", "sep")
    token_types: bool = False  # whether a model is given them, unless the settings say
    # Whether its special tokens are looked for as words are, after the normaliser, and a mask
    # takes the space before it along.
    tokens_as_words: bool = False
    unnamed: tuple[str, ...] = ()  # special tokens of no kind, unless the settings say


BERT_NAMES = {
    "unk": "[UNK]",
    "sep": "[SEP]",
    "pad": "[PAD]",
    "cls": "[CLS]",
    "mask": "[MASK]",
}
ROBERTA_NAMES = {
    "bos": "<s>",
    "eos": "</s>",
    "unk": "<unk>",
    "sep": "</s>",
    "pad": "<pad>",
    "cls": "<s>",
    "mask": "<mask>",
}


def _word_pieces(settings: Part, names: Mapping[str, str], model: Part) -> Part:
    return {
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": _switch(settings, "tokenize_chinese_chars", True),
            "strip_accents": _switch(settings, "strip_accents", None),
            "lowercase": _switch(settings, "do_lower_case", True),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": names["unk"],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        },
    }


def _byte_pieces(settings: Part, names: Mapping[str, str], model: Part) -> Part:
    space = _switch(settings, "add_prefix_space", False)
    return {
        "normalizer": None,
        "pre_tokenizer": _byte_level(add_prefix_space=space),
        "decoder": _byte_level(),
        "model": {
            "type": "BPE",
            "dropout": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
        },
    }


def _byte_level(add_prefix_space: bool = True) -> Part:
    return {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": True,
        "use_regex": True,
    }


def _sentence_pieces(settings: Part, names: Mapping[str, str], model: Part) -> Part:
    scheme = "always" if _switch(settings, "add_prefix_space", True) else "never"
    words = {
        "type": "Metaspace",
        "replacement": "▁",
        "prepend_scheme": scheme,
        "split": True,
    }
    return {
        "normalizer": {"type": "Precompiled"},  # the file's, if it has one
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, words],
        },
        "decoder": words,
        "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": False},
    }


def _pieces_of_camembert(settings: Part, names: Mapping[str, str], model: Part) -> Part:
    made = _sentence_pieces(settings, names, model)
    pieces = [piece for piece, _ in model.get("vocab") or []]
    unknown = pieces.index(names["unk"]) if names["unk"] in pieces else 0
    return made | {"model": made["model"] | {"unk_id": unknown}}


def _bert_frame(
    tokenizer: tokenizers.Tokenizer, names: Mapping[str, str], settings: Part
) -> Any:
    cls, sep = names["cls"], names["sep"]
    return processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in (cls, sep)],
    )


def _roberta_frame(
    tokenizer: tokenizers.Tokenizer, names: Mapping[str, str], settings: Part
) -> Any:
    return processors.RobertaProcessing(
        *((names[kind], tokenizer.token_to_id(names[kind])) for kind in ("sep", "cls")),
        _switch(settings, "trim_offsets", True),
        _switch(settings, "add_prefix_space", False),
    )


def _mpnet_frame(
    tokenizer: tokenizers.Tokenizer, names: Mapping[str, str], settings: Part
) -> Any:
    return _roberta_frame(tokenizer, names, {})


def _sentence_piece_frame(
    tokenizer: tokenizers.Tokenizer, names: Mapping[str, str], settings: Part
) -> Any:
    bos, eos = names["bos"], names["eos"]
    return processors.TemplateProcessing(
        single=[bos, "$A", eos],
        pair=[bos, "$A", eos, eos, "$B", eos],
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in (bos, eos)],
    )


AS_IT_STANDS = TokenizerClass("PreTrainedTokenizerFast")
BERT = TokenizerClass("BertTokenizer", BERT_NAMES, _word_pieces, _bert_frame, token_types=True)
CLASSES: Mapping[str, TokenizerClass] = {
    "BertTokenizer": BERT,
    "ElectraTokenizer": BERT,
    "DistilBertTokenizer": TokenizerClass(
        "DistilBertTokenizer", BERT_NAMES, _word_pieces, _bert_frame
    ),
    "MPNetTokenizer": TokenizerClass(
        "MPNetTokenizer",
        ROBERTA_NAMES | {"unk": "[UNK]"},
        _word_pieces,
        _mpnet_frame,
        tokens_as_words=True,
    ),
    "RobertaTokenizer": TokenizerClass(
        "RobertaTokenizer", ROBERTA_NAMES, _byte_pieces, _roberta_frame
    ),
    "XLMRobertaTokenizer": TokenizerClass(
        "XLMRobertaTokenizer",
        ROBERTA_NAMES,
        _sentence_pieces,
        _sentence_piece_frame,
        ends=("bos", "eos"),
    ),
    "CamembertTokenizer": TokenizerClass(
        "CamembertTokenizer",
        ROBERTA_NAMES,
        _pieces_of_camembert,
        _sentence_piece_frame,
        ends=("bos", "eos"),
        unnamed=("<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"),
    ),
    "PreTrainedTokenizerFast": AS_IT_STANDS,
    "PreTrainedTokenizer": AS_IT_STANDS,
    "TokenizersBackend": AS_IT_STANDS,
}


def class_for(named: Any, usual: str, where: str) -> TokenizerClass:
    """The class that opens a folder: the one that its settings name, else the model's usual
    one.

    Where the usual one takes the file as it stands, Transformers lets no settings change that.
    """
    if CLASSES.get(usual) is AS_IT_STANDS:
        return AS_IT_STANDS
    if not isinstance(named, (str, type(None))):
        raise ConfigError(f"{where}: tokenizer_class is {named!r:.80}; it must be a string")
    name = (named or usual).removesuffix("Fast")
    if name == "PreTrainedTokenizer":
        return AS_IT_STANDS
    if name not in CLASSES:
        raise ConfigError(
            f"{where}: the tokenizer class is {name!r:.80}, which builds a tokenizer in a way "
            f"of its own that is not implemented; supported: {', '.join(CLASSES)}. With "
            "PreTrainedTokenizerFast a tokenizer.json is taken as it stands"
        )
    return CLASSES[name]


def _switch(settings: Part, key: str, default: bool | None) -> bool | None:
    value = settings.get(key, default)
    if not isinstance(value, bool) and not (value is None and default is None):
        raise ConfigError(
            f"tokenizer_config.json: {key} is {value!r:.80}; it must be true or false"
        )
    return value
