"""Parts of a tokenizer.json that its library knows, sound and odd, to be swapped for one
another."""

from typing import Any

BIG = 2**64 - 1
NORMALIZERS: list[Any] = [
    None,
    {"type": "Lowercase"},
    {"type": "NFKC"},
    {"type": "Strip", "strip_left": True, "strip_right": True},
    {"type": "StripAccents"},
    {"type": "Prepend", "prepend": "x"},
    {"type": "Prepend", "prepend": ""},
    {"type": "Replace", "pattern": {"String": ""}, "content": "aa"},
    {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100},
    {"type": "Replace", "pattern": {"Regex": "(a*)*b"}, "content": ""},
    {"type": "Replace", "pattern": {"Regex": ""}, "content": "b"},
    {"type": "Replace", "pattern": {"Regex": "["}, "content": "b"},
    {"type": "Sequence", "normalizers": []},
    {
        "type": "Sequence",
        "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 50}]
        * 4,
    },
    {"type": "Precompiled", "precompiled_charsmap": ""},
    {"type": "Precompiled", "precompiled_charsmap": "AAAA"},
    {"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8AAAAA"},
    {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": False,
        "strip_accents": False,
        "lowercase": False,
    },
    {"type": "ByteLevel"},
    {"type": "Nmt"},
]
PRE_TOKENIZERS: list[Any] = [
    None,
    {"type": "BertPreTokenizer"},
    {"type": "Whitespace"},
    {"type": "WhitespaceSplit"},
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
    {"type": "Digits", "individual_digits": True},
    {"type": "Punctuation", "behavior": "Isolated"},
    {"type": "CharDelimiterSplit", "delimiter": " "},
    {"type": "UnicodeScripts"},
    {"type": "Split", "pattern": {"Regex": "(x+x+)+y"}, "behavior": "Removed", "invert": False},
    {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": False},
    {"type": "Split", "pattern": {"String": ""}, "behavior": "Removed", "invert": True},
    {"type": "FixedLength", "length": 0},
    {"type": "FixedLength", "length": 3},
    {"type": "Sequence", "pretokenizers": []},
]
_CLS, _A, _B = (
    {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
    {"Sequence": {"id": "A", "type_id": 0}},
    {"Sequence": {"id": "B", "type_id": 1}},
)
POST_PROCESSORS: list[Any] = [
    None,
    {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
    {"type": "BertProcessing", "sep": ["[SEP]", BIG], "cls": ["x", 2**32 - 1]},
    {"type": "BertProcessing", "sep": ["[SEP]", 299], "cls": ["x", 300]},
    {
        "type": "RobertaProcessing",
        "sep": ["</s>", 2],
        "cls": ["<s>", 0],
        "trim_offsets": True,
        "add_prefix_space": False,
    },
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
    {"type": "Sequence", "processors": []},
    {"type": "TemplateProcessing", "single": [_A], "pair": [_A, _B], "special_tokens": {}},
    {"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}},
    {
        "type": "TemplateProcessing",
        "single": [_CLS, _A],
        "pair": [_A, _B],
        "special_tokens": {},
    },
    {
        "type": "TemplateProcessing",
        "single": [_CLS, _A, _CLS, _A],
        "pair": [_B, _A],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2, 2], "tokens": ["[CLS]", "x"]}},
    },
]
MODELS: list[Any] = [
    {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "",
        "max_input_chars_per_word": 3,
        "vocab": {"[UNK]": 1, "a": 5, "b": 299},
    },
    {
        "type": "WordPiece",
        "unk_token": "[none]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 0,
        "vocab": {"a": 5},
    },
    {"type": "WordLevel", "vocab": {"a": 5, "the": 6}, "unk_token": "a"},
    {"type": "WordLevel", "vocab": {}, "unk_token": "a"},
    {
        "type": "Unigram",
        "unk_id": 0,
        "vocab": [["a", -1.0], ["the", -2.0]],
        "byte_fallback": True,
    },
    {"type": "Unigram", "unk_id": None, "vocab": [["a", 0.0]]},
    {"type": "Unigram", "unk_id": 9, "vocab": []},
    {
        "type": "BPE",
        "vocab": {"a": 5, "b": 6, "ab": 7},
        "merges": [["a", "b"]],
        "unk_token": "a",
    },
    {"type": "BPE", "vocab": {}, "merges": [], "unk_token": "[UNK]", "fuse_unk": True},
    {"type": "BPE", "vocab": {"a": 2**32 - 1}, "merges": [], "byte_fallback": True},
]
_ADDED = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
PARTS: dict[str, list[Any]] = {
    "normalizer": NORMALIZERS,
    "pre_tokenizer": PRE_TOKENIZERS,
    "post_processor": POST_PROCESSORS,
    "model": MODELS,
    "decoder": [None, {"type": "WordPiece", "prefix": "", "cleanup": True}, {"type": "Fuse"}],
    "truncation": [
        None,
        {"direction": "Left", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        {"direction": "Right", "max_length": 0, "strategy": "OnlySecond", "stride": 5},
        {"direction": "Right", "max_length": BIG, "strategy": "OnlyFirst", "stride": BIG},
    ],
    "padding": [
        None,
        {
            "strategy": {"Fixed": 30},
            "direction": "Left",
            "pad_to_multiple_of": 8,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        {
            "strategy": {"Fixed": 2**40},
            "direction": "Right",
            "pad_to_multiple_of": 0,
            "pad_id": 2**32 - 1,
            "pad_type_id": 7,
            "pad_token": "",
        },
    ],
    "added_tokens": [
        [],
        [{"id": 0, "content": "", "special": True, **_ADDED}],
        [{"id": 5, "content": "the", "special": False, **_ADDED, "normalized": True}],
        [{"id": 2**32 - 1, "content": "cat", "special": True, **_ADDED}],
        [
            {
                "id": 298,
                "content": "cat",
                "special": True,
                **_ADDED,
                "lstrip": True,
                "rstrip": True,
            }
        ],
        [{"id": 4, "content": " ", "special": True, **_ADDED, "single_word": True}],
    ],
    "version": ["2.0", None, 1, "1.0"],
}
