"""Texts as characters: what has an id, what has not, and what is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.errors import CheckpointError, InputError
from reference.text import Tokenizer
from reference.text.characters import (
    FIRST,
    MASK_ID,
    PAD_ID,
    SPECIAL,
    UNKNOWN_ID,
    CharacterVocabulary,
    most_frequent,
)

# Whatever Unicode has: combining marks, emoji with joiners, right to left, the last code point.
WORDS = [
    "naïve",
    "e\u0301te\u0301",
    "👩\u200d🚀",
    "שלום",
    "\x00\ue003",
    "\U0010ffff",
    "a b",
    "",
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(TEXTS, TEXTS)
def test_known_characters_come_back_and_others_are_unknown(text, other):
    vocabulary = CharacterVocabulary(most_frequent([text]))
    ids = vocabulary.ids(text)
    assert ids.dtype == np.int64 and len(ids) == len(text)
    assert ((ids >= FIRST) & (ids < len(vocabulary))).all()
    assert vocabulary.decode(ids.tolist(), skip_special_tokens=True) == text
    expected = [number >= FIRST for number in vocabulary.ids(other)]
    assert expected == [character in text for character in other]


@given(TEXTS)
def test_without_a_list_no_character_is_unknown(text):
    vocabulary = CharacterVocabulary()
    ids = vocabulary.ids(text)
    assert (ids >= FIRST).all() and (ids < len(vocabulary)).all()
    assert vocabulary.decode(ids.tolist(), skip_special_tokens=False) == text


@pytest.mark.parametrize("listed", [True, False])
def test_no_character_has_the_id_of_a_special_token(listed):
    vocabulary = CharacterVocabulary("".join(dict.fromkeys("".join(WORDS))) if listed else None)
    for word in [*WORDS, *SPECIAL]:
        assert not {PAD_ID, MASK_ID} & {*vocabulary.ids(word).tolist()}
    assert [vocabulary.token_id(name) for name in SPECIAL] == [PAD_ID, UNKNOWN_ID, MASK_ID]
    assert [vocabulary.piece(number) for number in range(FIRST)] == [*SPECIAL]
    number = vocabulary.token_id("ï")
    assert vocabulary.piece(number) == "ï" and vocabulary.spelled("ï", True) == [number]
    assert vocabulary.token_id("ïn") is None
    assert vocabulary.piece(len(vocabulary)) is None and vocabulary.piece(-1) is None


def test_an_unknown_character_has_no_id_of_its_own():
    vocabulary = CharacterVocabulary("ab")
    assert vocabulary.ids("abc\U0010ffff").tolist() == [3, 4, UNKNOWN_ID, UNKNOWN_ID]
    assert vocabulary.token_id("c") is None
    assert vocabulary.decode([3, UNKNOWN_ID, 4], False) == "a[UNK]b"
    assert vocabulary.decode([3, UNKNOWN_ID, 4], True) == "ab"
    assert CharacterVocabulary("").ids("a").tolist() == [UNKNOWN_ID]


def test_texts_are_cut_by_characters_and_told():
    tokenizer = Tokenizer(CharacterVocabulary("abc"), 4, 6)
    whole, cut, short = tokenizer(["abca", "abcabcabc", "a"])
    assert (whole, whole.cut) == ([3, 4, 5, 3], 0)
    assert (cut, cut.cut) == ([3, 4, 5, 3], 5)
    assert short.offsets == [(0, 1)] and short.special_tokens_mask == [0]
    (spaced,) = tokenizer(["a bc"])
    assert spaced.word_ids == [0, 1, 2, 2] and spaced.sequence_ids == [0] * 4
    with pytest.raises(InputError, match="has no tokens"):
        tokenizer([""])
    with pytest.raises(InputError, match="and no pairs"):
        tokenizer(["a"], ["b"])


def test_the_most_frequent_characters_come_first():
    assert most_frequent(["banana", "nab"]) == "anb"
    assert most_frequent(["banana", "nab"], 2) == "an"
    assert most_frequent([]) == most_frequent([""]) == ""


def test_half_of_a_surrogate_pair_is_no_character():
    with pytest.raises(InputError, match=r"character 1 of the text 'a\\ud83d' is half of a"):
        CharacterVocabulary().ids("a\ud83d")


def test_a_character_is_listed_once():
    with pytest.raises(CheckpointError, match="has two ids"):
        CharacterVocabulary("aba")
