"""No tokenizer file brings the process down: a panic inside the tokenizers library, which
`except Exception` does not catch, is a CheckpointError, and so is a file that makes a mountain
of a text."""

import base64
import json

import pytest
import tokenizers

from reference.errors import CheckpointError
from reference.families.reading import read_config
from reference.text import read_tokenizer
from reference.text.guard import MOST_GROWTH, guarded
from reference.text.hugging_face import HuggingFaceVocabulary

CHARSMAP = base64.b64encode(b"\x08\0\0\0" + b"\xff" * 8 + b"abc").decode()


@pytest.fixture
def damaged(copy):
    """Write a tokenizer.json with these parts changed, taken as it stands, and read it."""

    def read(**parts):
        content = json.loads((copy / "tokenizer.json").read_text())
        for part, value in parts.items():
            content[part] = content[part] | value if part == "model" else value
        (copy / "tokenizer.json").write_text(json.dumps(content))
        (copy / "tokenizer_config.json").write_text('{"tokenizer_class": "TokenizersBackend"}')
        return read_tokenizer(copy, read_config(copy))

    return read


def split(pattern):
    """Where it goes back and forth: every way to share the letters out is tried."""
    pattern = {"Regex": pattern}
    return {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}


def template(token):
    return {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": token, "type_id": 0}}],
        "pair": [],
        "special_tokens": {},
    }


@pytest.mark.parametrize(
    "parts",
    [
        {"pre_tokenizer": split("(a+)+!")},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": CHARSMAP}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"post_processor": template("[NONE]")},
        {"model": {"unk_token": "[NONE]"}},
    ],
)
def test_damage_is_found_when_the_file_is_read(damaged, parts):
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        damaged(**parts)


def test_a_text_that_makes_the_library_panic(damaged):
    """One that no sample is like."""
    tokenizer = damaged(pre_tokenizer=split("(b+)+$"))
    assert tokenizer(["a text"])
    for call in (
        lambda: tokenizer(["b" * 60 + "c"]),
        lambda: tokenizer(["fine", "b" * 60 + "c"], ["", ""]),
    ):
        with pytest.raises(CheckpointError, match=r"tokenizer\.json cannot encode these texts"):
            call()


def test_decoding_is_guarded():
    """The library takes only ids of 32 bits."""
    vocabulary = HuggingFaceVocabulary(
        tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, unk_token="a"))
    )
    with pytest.raises(CheckpointError, match="cannot decode these ids"):
        vocabulary.decode([2**40], skip_special_tokens=True)


@pytest.mark.parametrize("passing", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_program_passes(passing):
    with pytest.raises(passing), guarded("a tokenizer"):
        raise passing


def replace(content, pattern=None):
    return {"type": "Replace", "pattern": pattern or {"Regex": "."}, "content": content}


@pytest.mark.parametrize(
    "normalizer",
    [
        {"type": "Sequence", "normalizers": [replace("a" * 100)] * 4},
        {
            "type": "Sequence",
            "normalizers": [{"type": "Sequence", "normalizers": [replace("aaaa")] * 2}] * 2,
        },
        replace("a" * 10**6, {"String": "e"}),
        replace("a" * MOST_GROWTH, {"String": ""}),
        {"type": "Prepend", "prepend": "a" * 10**6},
    ],
)
def test_a_normaliser_that_multiplies_a_text_is_refused(damaged, normalizer):
    with pytest.raises(
        CheckpointError, match=r"the normalizer can make a text .* times as long"
    ):
        damaged(normalizer=normalizer)


def test_a_decoder_likewise(damaged):
    decoder = {"type": "Sequence", "decoders": [replace("a" * 100)] * 4}
    with pytest.raises(CheckpointError, match="the decoder can make a text 104060401 times"):
        damaged(decoder=decoder)


def test_what_is_usual_is_not_too_much(damaged):
    steps = [
        {"type": "NFKC"},
        replace("...", {"String": "…"}),
        replace(" ", {"Regex": " {2,}"}),
    ]
    tokenizer = damaged(normalizer={"type": "Sequence", "normalizers": steps})
    assert tokenizer(["a…  b"]) == tokenizer(["a... b"]) != tokenizer(["a b"])
