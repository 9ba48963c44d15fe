"""Ids, and where each comes from, held against Transformers' tokenizers."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reference.families.reading import read_config
from reference.inputs import pack, pad
from reference.pipelines.detections import TokenPlaces
from reference.text import Encoding, read_tokenizer

TEXTS = [
    "Hello, World!",
    "naïve café",
    "",
    "中文 text",
    "the river  stands beside a stone ",
    "a" * 150,
    "don't 3.14",
    "[MASK] x [SEP]",
    "the <mask> river</s>stone",
    "\t\n",
    "🙂",
]
WORDS = "the River stone é 中文 Ω , it's [SEP] [MASK] </s> <mask>".split()
texts = st.lists(st.sampled_from([*WORDS, ""]), max_size=12).map(" ".join)


def check_equal(ours, theirs, texts, pairs=None, max_length=256):
    expected = theirs(
        texts,
        pairs,
        truncation=True,
        max_length=max_length,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        return_token_type_ids=True,
    )
    encodings = ours(texts, pairs, max_length)
    assert encodings == expected["input_ids"]
    for row, encoding in enumerate(encodings):
        assert encoding.token_type_ids == expected["token_type_ids"][row]
        assert encoding.offsets == expected["offset_mapping"][row]
        assert encoding.special_tokens_mask == expected["special_tokens_mask"][row]
        assert encoding.word_ids == expected.word_ids(row)
        assert encoding.sequence_ids == expected.sequence_ids(row)


def spans(encoding, *texts):
    """What each token stands for in its text."""
    return [
        texts[sequence][start:end]
        for (start, end), sequence in zip(encoding.offsets, encoding.sequence_ids, strict=True)
        if sequence is not None
    ]


def test_texts_equal_transformers(both):
    check_equal(*both, TEXTS)


def test_pairs_equal_transformers(both):
    check_equal(*both, TEXTS, TEXTS[::-1])


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=3), st.integers(4, 24))
def test_any_text_and_pair_at_any_length(both, given_texts, length):
    firsts, seconds = (list(column) for column in zip(*given_texts, strict=True))
    check_equal(*both, firsts, max_length=length)
    check_equal(*both, firsts, seconds, length)


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.integers(3, 20))
def test_any_characters_equal_transformers(ours_and_theirs, given_texts, length):
    check_equal(*ours_and_theirs["bert"], given_texts, max_length=length)


@given(st.text(max_size=60) | texts, st.data())
def test_the_tokens_of_a_piece_are_those_that_share_a_character_with_it(both, text, data):
    """Whatever is in it: they are found by halving, which takes their order for granted."""
    (encoding,) = both[0]([text], max_length=data.draw(st.integers(3, 100)))
    ends = st.integers(0, len(text))
    start, end = sorted(data.draw(st.tuples(ends, ends)))
    expected = [
        token
        for token, ((first, last), special) in enumerate(
            zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
        )
        if not special and first < end and last > start
    ]
    assert TokenPlaces(encoding.origins).of(start, end) == expected


def test_what_is_cut_is_counted(ours_and_theirs):
    ours, _ = ours_and_theirs["bert"]
    cut = [encoding.cut for encoding in ours(["a", "a b c d e f", "a b"], max_length=4)]
    assert cut == [0, 4, 0]
    (pair,) = ours(["a b c d e f"], ["g h i"], max_length=8)
    assert pair.cut == 4 and len(pair) == 8


def test_offsets_point_into_the_texts(ours_and_theirs):
    ours, _ = ours_and_theirs["bert"]
    question, answer = "Where does the Rhône end?", "In the sea."
    (encoding,) = ours([question], [answer])
    found = spans(encoding, question, answer)
    assert found == ["Where", "does", "the", "Rhône", "end", "?", "In", "the", "sea", "."]


def test_offsets_stay_true_where_lower_casing_makes_a_text_longer(copy):
    (copy / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": 16, "do_lower_case": True})
    )
    tokenizer = read_tokenizer(copy, read_config(copy))
    text, pair = "İİ İzmir xyz", "İ abc"
    assert len(text.lower()) == len(text) + 3
    (encoding,) = tokenizer([text], [pair])
    assert spans(encoding, text, pair) == "İİ İ z mir x y z İ abc".split()


def test_an_encoding_is_the_list_of_its_ids(ours_and_theirs):
    ours, theirs = ours_and_theirs["bert"]
    (encoding,) = ours(["a text"])
    expected = theirs("a text")["input_ids"]
    assert isinstance(encoding, Encoding) and encoding.ids == expected
    assert encoding == expected and expected == encoding and encoding != [0]
    assert encoding[1:3] == expected[1:3] and [*encoding] == expected
    assert encoding + [0] == [*expected, 0]  # noqa: RUF005
    assert np.array(ours(["a text", "a word"])).shape == (2, 4)
    np.testing.assert_array_equal(pack([encoding])[0], expected)
    np.testing.assert_array_equal(pad([encoding, [5]], 0)[0], [expected, [5, 0, 0, 0]])


def test_origins_are_found_only_when_asked_for(ours_and_theirs, monkeypatch):
    ours, _ = ours_and_theirs["bert"]
    (encoding,) = ours(["a text"])
    calls = []
    find = encoding.find_origins
    monkeypatch.setattr(encoding, "find_origins", lambda: calls.append(1) or find())
    assert len(encoding) == 4 and encoding.cut == 0 and not calls
    assert encoding.word_ids == [None, 0, 1, None]
    assert encoding.offsets == [(0, 0), (0, 1), (2, 6), (0, 0)] and calls == [1]


def test_tokens_cut_away_by_hand(both):
    """Those of an encoding that is cut already, and where the rest comes from."""
    ours, _ = both
    (whole,) = ours(["the river stands beside a stone"], max_length=8)
    cut = whole.without([2, 3])
    assert cut == [*whole[:2], *whole[4:]] and cut.cut == whole.cut + 2
    assert cut.offsets == [*whole.offsets[:2], *whole.offsets[4:]]
    assert cut.sequence_ids[0] is None and len(cut.token_type_ids) == len(cut)
    assert len(whole) == 8
