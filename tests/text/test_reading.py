"""What a folder says of its tokenizer: the file, the limits, the special tokens."""

import json
import shutil

import pytest
import transformers

from reference.errors import CheckpointError, ConfigError
from reference.families.reading import read_config
from reference.text import read_tokenizer

TEXTS = [
    "Hello, World!",
    "naïve café",
    "",
    "中文 text",
    "a" * 150,
    "don't 3.14",
    "[MASK] x [SEP]",
    "\t\n",
    "🙂",
]


def test_the_word_list_alone_gives_the_same_ids(copy, ours_and_theirs):
    expected = ours_and_theirs["bert"][0](TEXTS)
    (copy / "tokenizer.json").unlink()
    assert read_tokenizer(copy, read_config(copy))(TEXTS) == expected


def test_lower_casing_before_the_tokenizer(copy):
    (copy / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": 16, "do_lower_case": True})
    )
    tokenizer = read_tokenizer(copy, read_config(copy))
    assert tokenizer.max_length == 16 and tokenizer(["ÀB"]) == tokenizer(["àb"])
    assert len(tokenizer(["word " * 30])[0]) == 16


@pytest.mark.parametrize(
    ("max_seq_length", "model_max_length"),
    [(30, 20), (20, 30), (None, 20), (20, None), (None, None), (20, 1e30)],
)
def test_the_limit_is_that_of_sentence_transformers(
    minilm, tmp_path, max_seq_length, model_max_length
):
    from sentence_transformers import SentenceTransformer

    folder = shutil.copytree(minilm, tmp_path / "whole")
    for name, key, value in (
        ("sentence_bert_config.json", "max_seq_length", max_seq_length),
        ("tokenizer_config.json", "model_max_length", model_max_length),
    ):
        settings = json.loads((folder / name).read_text())
        del settings[key]
        (folder / name).write_text(
            json.dumps(settings if value is None else settings | {key: value})
        )
    theirs = SentenceTransformer(str(folder), device="cpu").max_seq_length
    assert read_tokenizer(folder, read_config(folder)).max_length == theirs


@pytest.mark.parametrize(
    "name", ["sentence_roberta_config.json", "sentence_xlm-roberta_config.json"]
)
def test_the_settings_older_names_are_read(copy, name):
    (copy / "sentence_bert_config.json").rename(copy / name)
    assert read_tokenizer(copy, read_config(copy)).max_length == 256


def test_no_limit_goes_beyond_the_models_positions(copy):
    (copy / "sentence_bert_config.json").write_text('{"max_seq_length": 1000}')
    with pytest.warns(UserWarning, match="allows texts of 1000 tokens, .* positions for 512"):
        assert read_tokenizer(copy, read_config(copy)).max_length == 512


@pytest.mark.parametrize("limit", ["Infinity", "NaN", "2", "7.5", "true"])
def test_the_tokenizers_own_limit_is_checked(copy, limit):
    (copy / "tokenizer_config.json").write_text(f'{{"model_max_length": {limit}}}')
    with pytest.raises(ConfigError, match=r"tokenizer_config\.json: model_max_length"):
        read_tokenizer(copy, read_config(copy))


def test_the_shortest_limit_counts(copy):
    config = read_config(copy)
    assert read_tokenizer(copy, config).max_length == 256
    (copy / "sentence_bert_config.json").unlink()
    assert read_tokenizer(copy, config).max_length == 512
    (copy / "tokenizer_config.json").write_text(
        '{"model_max_length": 1000000000000000019884624838656}'
    )
    assert read_tokenizer(copy, config).max_length == 512


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.txt", "sentencepiece.bpe.model"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe\x00", b"[" * 5000])
def test_damaged_tokenizers(copy, name, content):
    for other in ("tokenizer.json", "vocab.txt"):
        (copy / other).unlink()
    (copy / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        read_tokenizer(copy, read_config(copy))(["a text"])


def test_a_folder_without_tokenizer(copy):
    (copy / "tokenizer.json").unlink()
    (copy / "vocab.txt").unlink()
    with pytest.raises(CheckpointError, match="holds no tokenizer"):
        read_tokenizer(copy, read_config(copy))


@pytest.mark.parametrize("limit", ["long", 2, True, -5, 7.9, float("inf"), float("nan")])
def test_limits_that_cannot_be_meant(copy, limit):
    (copy / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": limit}))
    with pytest.raises(ConfigError, match="max_seq_length"):
        read_tokenizer(copy, read_config(copy))


@pytest.mark.parametrize(
    ("file", "token", "number"),
    [
        (None, None, 103),
        ("tokenizer_config.json", "[unused3]", 4),
        ("tokenizer_config.json", {"__type": "AddedToken", "content": "[unused3]"}, 4),
        ("special_tokens_map.json", {"content": "[unused3]"}, 4),
    ],
)
def test_special_tokens_are_known_by_name(copy, file, token, number):
    (copy / "tokenizer_config.json").write_text("{}")
    if file:
        (copy / file).write_text(json.dumps({"mask_token": token}))
    tokenizer = read_tokenizer(copy, read_config(copy))
    theirs = transformers.BertTokenizer.from_pretrained(copy)
    for kind in ("cls", "sep", "pad", "unk", "mask"):
        name = f"{kind}_token_id"
        assert getattr(tokenizer, name) == getattr(theirs, name)
    assert tokenizer.mask_token_id == number


def test_special_tokens_of_every_kind(both):
    ours, theirs = both
    for kind in ("cls", "sep", "pad", "unk", "mask"):
        name = f"{kind}_token_id"
        assert getattr(ours, name) == getattr(theirs, name) is not None


def test_a_mask_that_the_model_has_no_row_for_is_none(copy):
    (copy / "tokenizer.json").unlink()
    (copy / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    values = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(values | {"vocab_size": 5}))
    tokenizer = read_tokenizer(copy, read_config(copy))
    assert tokenizer.mask_token_id is None and tokenizer.sep_token_id == 3


def test_a_special_token_that_is_no_string(copy):
    (copy / "tokenizer_config.json").write_text('{"mask_token": 5}')
    with pytest.raises(ConfigError, match="mask_token is 5; it must be a string"):
        read_tokenizer(copy, read_config(copy))
