"""Cutting afterwards is cutting as the tokenizers library does, in any thread."""

import json
import threading

import pytest
import tokenizers
import transformers
from hypothesis import given
from hypothesis import strategies as st

from reference.errors import ConfigError, InputError
from reference.families.reading import config_from_dict, read_config
from reference.text import read_tokenizer
from reference.text.hugging_face import HuggingFaceVocabulary
from reference.text.truncation import kept_lengths

WORDS = ["the", "river", "unbelievable", "中文", "[SEP]", "[CLS]", "[MASK]", "</s>", "!"]
texts = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)


@pytest.mark.parametrize("kind", ["bert", "modernbert", "roberta"])
@given(texts, st.none() | texts, st.integers(4, 40), st.sampled_from(["left", "right"]))
def test_cut_as_the_library_cuts(folders, kind, text, pair, length, side):
    file = str(folders[kind] / "tokenizer.json")
    ours = HuggingFaceVocabulary(tokenizers.Tokenizer.from_file(file), side)
    library = tokenizers.Tokenizer.from_file(file)
    library.no_padding()
    library.enable_truncation(length, direction=side)
    (encoding,) = ours.encode([(text,) if pair is None else (text, pair)], length)
    expected = library.encode(text, pair)
    assert encoding == expected.ids
    assert encoding.token_type_ids == expected.type_ids
    assert encoding.offsets == expected.offsets
    assert encoding.word_ids == expected.word_ids
    assert encoding.sequence_ids == expected.sequence_ids
    assert encoding.special_tokens_mask == expected.special_tokens_mask
    library.no_truncation()
    assert encoding.cut == len(library.encode(text, pair)) - len(expected)


@pytest.mark.parametrize(
    ("first", "second", "room", "kept"),
    [
        (3, 4, 7, (3, 4)),
        (9, 2, 8, (6, 2)),
        (2, 9, 8, (2, 6)),
        (9, 8, 7, (4, 3)),
        (8, 9, 7, (3, 4)),
        (5, 5, 7, (3, 4)),
        (50, 60, 7, (3, 4)),
        (5, 0, 3, (3, 0)),
        (5, 6, 1, (0, 1)),
        (5, 6, 0, (0, 0)),
    ],
)
def test_the_longer_text_is_cut_first(first, second, room, kept):
    assert kept_lengths(first, second, room) == kept


def test_two_threads_may_want_two_lengths(ours_and_theirs):
    """The library keeps the length in the tokenizer, where the other thread would change it."""
    tokenizer, _ = ours_and_theirs["bert"]
    text = "river " * 400
    wrong, start = [], threading.Barrier(2)

    def encode(length):
        start.wait()
        for _ in range(300):
            try:
                found = {len(ids) for ids in tokenizer([text] * 3, max_length=length)}
            except Exception as problem:
                found = {repr(problem)}
            if found != {length}:
                wrong.append((length, found))

    threads = [threading.Thread(target=encode, args=(length,)) for length in (8, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("file", ["tokenizer_config.json", "tokenizer.json", "both"])
def test_the_side_is_the_checkpoints(copy, file):
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    content = json.loads((copy / "tokenizer.json").read_text())
    if file == "tokenizer_config.json":
        settings["truncation_side"] = "left"
    else:
        content["truncation"]["direction"] = "Left"
    if file == "both":
        settings["truncation_side"] = "right"
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    (copy / "tokenizer.json").write_text(json.dumps(content))
    ours = read_tokenizer(copy, read_config(copy))
    theirs = transformers.AutoTokenizer.from_pretrained(copy)
    text, pair = "one two three four five six seven", "eight nine ten eleven twelve"
    (encoding,) = ours([text], max_length=5)
    assert ours.decode(encoding) == ("one two three" if file == "both" else "five six seven")
    assert encoding == theirs(text, truncation=True, max_length=5)["input_ids"]
    expected = theirs(text, pair, truncation=True, max_length=9)["input_ids"]
    assert ours([text], [pair], max_length=9) == [expected]


def test_sentencepiece_cuts_on_the_left_too(folders, tmp_path, ours_and_theirs):
    _, theirs = ours_and_theirs["sentencepiece"]
    name = "sentencepiece.bpe.model"
    (tmp_path / name).write_bytes((folders["sentencepiece"] / name).read_bytes())
    (tmp_path / "tokenizer_config.json").write_text('{"truncation_side": "left"}')
    config = config_from_dict({"model_type": "xlm-roberta"})
    ours = read_tokenizer(tmp_path, config)
    (encoding,) = ours(["the river"], max_length=6)
    assert encoding == [0, *theirs("the river")["input_ids"][-5:]]
    assert encoding.offsets[1:-1] == [(5, 6), (6, 7), (7, 8), (8, 9)] and encoding.cut == 6


def test_a_side_that_is_none(copy):
    (copy / "tokenizer_config.json").write_text('{"truncation_side": "middle"}')
    with pytest.raises(ConfigError, match=r"truncation_side is 'middle'; it must be left or r"):
        read_tokenizer(copy, read_config(copy))


def test_no_room_for_the_special_tokens(ours_and_theirs):
    ours, _ = ours_and_theirs["roberta"]
    with pytest.raises(InputError, match=r"max_length is 3, .* adds 4 special tokens"):
        ours(["a river"], ["a stone"], max_length=3)
    assert ours(["a river"], ["a stone"], max_length=4) == [[0, 2, 2, 2]]
