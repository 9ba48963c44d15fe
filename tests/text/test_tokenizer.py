"""What the tokenizer makes of odd arguments, and the way back from ids to text."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference.errors import CheckpointError, InputError
from reference.families.reading import read_config
from reference.text import read_tokenizer


@pytest.fixture
def tokenizer(ours_and_theirs):
    return ours_and_theirs["bert"][0]


@pytest.mark.parametrize(
    "text", ["The river, it's  a stone's!", "the <mask> river </s>", "é Ω"]
)
@pytest.mark.parametrize("skip", [True, False])
def test_decode_equals_transformers(both, text, skip):
    ours, theirs = both
    (encoding,) = ours([text])
    expected = theirs.decode(encoding, skip_special_tokens=skip)
    assert ours.decode(encoding, skip_special_tokens=skip) == expected
    assert ours.decode(np.array(encoding), skip) == expected


@given(st.data())
def test_any_ids_decode_as_in_transformers(both, data):
    ours, theirs = both
    ids = data.draw(st.lists(st.integers(0, len(theirs) - 1), max_size=12))
    for skip in (True, False):
        assert ours.decode(ids, skip) == theirs.decode(ids, skip_special_tokens=skip)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([101, 30522], r"ids\[1\] is 30522; ids lie from 0 to 30521"),
        ([101, -1], r"ids\[1\] is -1"),
        ([1.5], r"ids\[0\] is 1.5"),
    ],
)
def test_ids_that_are_none(tokenizer, ids, message):
    with pytest.raises(InputError, match=message):
        tokenizer.decode(ids)


def test_ids_of_the_model_that_its_tokenizer_lacks_decode_to_nothing(both):
    """Embedding matrices are padded to round numbers of rows."""
    ours, theirs = both
    if ours.vocab_size > len(theirs):
        assert ours.decode([ours.vocab_size - 1]) == ""


@pytest.mark.parametrize("length", [2, 0, -1, 3.5, True])
def test_lengths_that_leave_no_room(tokenizer, length):
    with pytest.raises(InputError, match="max_length"):
        tokenizer(["a"], max_length=length)


def test_a_length_beyond_all_numbers_cuts_nothing(both):
    ours, _ = both
    text = "word " * 9
    assert ours([text], max_length=2**64) == ours([text], max_length=60)
    assert ours([text], max_length=2**64)[0].cut == 0


def test_numpys_numbers_are_numbers(tokenizer):
    assert len(tokenizer(["word " * 9], max_length=np.int64(5))[0]) == 5


@pytest.mark.parametrize(
    ("texts", "pairs", "message"),
    [
        ("a lone text", None, "texts must be a list of strings, not str"),
        (["a"], "a lone text", "pairs must be a list of strings, not str"),
        (["a"], ["b", "c"], "texts has 1 entries and pairs has 2"),
        (["a", "b"], ["c", None], r"pairs\[1\] is NoneType"),
    ],
)
def test_texts_that_are_none(tokenizer, texts, pairs, message):
    with pytest.raises(InputError, match=message):
        tokenizer(texts, pairs)


def test_a_tokenizer_of_another_model_is_told(copy):
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(settings | {"vocab_size": 1000}))
    tokenizer = read_tokenizer(copy, read_config(copy))
    with pytest.raises(
        CheckpointError, match=r"texts\[0\] has the id 7632.* do not belong together"
    ):
        tokenizer(["hi there"])
    with pytest.raises(CheckpointError, match=r"texts\[1\] with pairs\[1\] has the id 7632"):
        tokenizer(["", ""], ["", "hi there"])


def test_a_text_without_tokens_is_named(copy):
    content = json.loads((copy / "tokenizer.json").read_text())
    (copy / "tokenizer.json").write_text(json.dumps(content | {"post_processor": None}))
    (copy / "tokenizer_config.json").write_text('{"tokenizer_class": "TokenizersBackend"}')
    tokenizer = read_tokenizer(copy, read_config(copy))
    with pytest.raises(InputError, match=r"texts\[1\], ' ', has no tokens"):
        tokenizer(["a text", " "])


def test_arrays_that_forward_takes(minilm, backend):
    """By hand as in Transformers, and with the same arrays."""
    import transformers

    texts = ["A cat sleeps.", "", "Rain fell on the stone wall all night long."]
    model = reference.load(minilm, backend=backend)
    theirs = transformers.AutoTokenizer.from_pretrained(minilm)
    for options in (
        {"padding": True},
        {"padding": "max_length", "max_length": 16},
        {"padding": True, "truncation": True, "max_length": 6},
    ):
        batch = model.tokenizer(texts, **options)
        expected = theirs(texts, return_tensors="np", **options)
        assert set(batch) == set(expected)
        for name, array in batch.items():
            np.testing.assert_array_equal(array, expected[name])
        assert model.forward(**batch)["last_hidden_state"].shape[:2] == array.shape
    pairs = model.tokenizer(texts, texts, padding=True)
    assert pairs["token_type_ids"].any()


def test_texts_left_whole(minilm):
    tokenizer = reference.load(minilm).tokenizer
    (whole,) = tokenizer(["word " * 300], truncation=False)
    assert len(whole) == 302 and whole.cut == 0
    with pytest.raises(InputError, match="texts is empty; a batch holds at least one text"):
        tokenizer([], padding=True)
    with pytest.raises(
        InputError, match="padding is 'longest'; it must be True, False or 'max_length'"
    ):
        tokenizer(["a"], padding="longest")
