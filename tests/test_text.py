"""Text to ids, held against Transformers' tokenizers."""

import json
import shutil

import pytest
import sentencepiece
import transformers
from hypothesis import given
from hypothesis import strategies as st

from reference.config import config_from_dict, read_config
from reference.errors import CheckpointError, ConfigError, InputError
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


@pytest.fixture
def copy(minilm, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for name in (
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
        "sentence_bert_config.json",
    ):
        shutil.copy(minilm / name, folder)
    return folder


@pytest.fixture(scope="module")
def ours_and_theirs(minilm):
    return read_tokenizer(
        minilm, read_config(minilm)
    ), transformers.AutoTokenizer.from_pretrained(minilm)


def test_ids_equal_transformers(ours_and_theirs):
    ours, theirs = ours_and_theirs
    assert ours(TEXTS) == theirs(TEXTS, truncation=True, max_length=256)["input_ids"]


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.integers(3, 20))
def test_any_text_at_any_length_equals_transformers(ours_and_theirs, texts, length):
    ours, theirs = ours_and_theirs
    expected = theirs(texts, truncation=True, max_length=length)["input_ids"]
    assert ours(texts, max_length=length) == expected


def test_the_word_list_alone_gives_the_same_ids(copy, ours_and_theirs):
    expected = ours_and_theirs[0](TEXTS)
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
    assert read_tokenizer(copy, read_config(copy)).max_length == 512


@pytest.mark.parametrize("limit", ["Infinity", "NaN", "2", "7.5", "true"])
def test_the_tokenizers_own_limit_is_checked(copy, limit):
    (copy / "tokenizer_config.json").write_text(f'{{"model_max_length": {limit}}}')
    with pytest.raises(ConfigError, match=r"tokenizer_config\.json: model_max_length"):
        read_tokenizer(copy, read_config(copy))


def test_a_tokenizer_of_another_model_is_told(copy):
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(settings | {"vocab_size": 1000}))
    tokenizer = read_tokenizer(copy, read_config(copy))
    with pytest.raises(
        CheckpointError, match=r"texts\[0\] has the id 7632.* do not belong together"
    ):
        tokenizer(["hi there"])


def test_a_text_without_tokens_is_named(copy):
    content = json.loads((copy / "tokenizer.json").read_text())
    (copy / "tokenizer.json").write_text(json.dumps(content | {"post_processor": None}))
    tokenizer = read_tokenizer(copy, read_config(copy))
    with pytest.raises(InputError, match=r"texts\[1\], ' ', has no tokens"):
        tokenizer(["a text", " "])


def test_numpys_numbers_are_numbers(ours_and_theirs):
    import numpy as np

    assert len(ours_and_theirs[0](["word " * 9], max_length=np.int64(5))[0]) == 5


def test_the_shortest_limit_counts(copy):
    config = read_config(copy)
    assert read_tokenizer(copy, config).max_length == 256
    (copy / "sentence_bert_config.json").unlink()
    assert read_tokenizer(copy, config).max_length == 512
    (copy / "tokenizer_config.json").write_text(
        '{"model_max_length": 1000000000000000019884624838656}'
    )
    assert read_tokenizer(copy, config).max_length == 512


def test_sentencepiece_equals_transformers(tmp_path):
    """A multilingual checkpoint's sentencepiece.bpe.model alone, in fairseq's order of ids."""
    text = tmp_path / "text"
    text.write_text(
        "\n".join(
            f"the river {word} stands beside a stone {word}" for word in "abcdefghij" * 20
        )
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(tmp_path / "sentencepiece.bpe"),
        vocab_size=28,
        model_type="unigram",
        unk_id=0,
        bos_id=1,
        eos_id=2,
        minloglevel=2,
    )
    config = config_from_dict({"model_type": "xlm-roberta"})
    ours = read_tokenizer(tmp_path, config)
    theirs = transformers.XLMRobertaTokenizer.from_pretrained(tmp_path)
    texts = ["the river stands", "a stone", "", "unknown Ω letters"]
    assert (
        ours(texts, max_length=12) == theirs(texts, truncation=True, max_length=12)["input_ids"]
    )


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


@pytest.mark.parametrize("length", [2, 0, -1, 3.5, True])
def test_lengths_that_leave_no_room(ours_and_theirs, length):
    with pytest.raises(InputError, match="max_length"):
        ours_and_theirs[0](["a"], max_length=length)
