"""Words are counted exactly while there is room, and the rarest make room after that."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.training.tokenizer import words
from reference.training.tokenizer.words import LONGEST_WORD, WordCounts

TEXTS = st.lists(st.text(st.sampled_from("ab é中\t\n"), max_size=12), max_size=12)


def count(texts, budget=10_000, with_spaces=False):
    counts = WordCounts(budget, with_spaces)
    assert sum(counts.add(texts)) == len(texts)
    return counts.most_frequent(), counts.left_out


@given(TEXTS)
def test_words_are_what_is_between_blanks(texts):
    found, left_out = count(texts)
    assert dict(found) == Counter(" ".join(texts).split()) and left_out == 0
    assert [word for word, _ in found] == sorted(word for word, _ in found)


@given(TEXTS)
def test_a_word_of_bytes_has_the_space_before_it(texts):
    found, _ = count(texts, with_spaces=True)
    assert sum(len(word) * number for word, number in found) == sum(map(len, texts))
    assert all(" " not in word[1:] for word, _ in found)
    assert dict(count(["a b  c"], with_spaces=True)[0]) == {"a": 1, " b": 1, " ": 1, " c": 1}


def test_the_rarest_make_room(monkeypatch):
    monkeypatch.setattr(words, "BYTES_AT_ONCE", 64)  # so it happens on the way, too
    frequent = [f"often{number:02}" for number in range(40)] * 9
    rare = [f"rare{number:04}" for number in range(3000)]
    texts = [word for pair in zip(frequent * 9, rare, strict=False) for word in pair]
    found, left_out = count(texts, budget=1000)
    assert set(frequent) <= dict(found).keys() and len(found) > 60
    assert sum(len(word) + 1 for word, _ in found) <= 1000
    kept = sum(number for _, number in found)
    assert left_out == pytest.approx(1 - kept / len(texts)) and 0.4 < left_out < 0.5
    assert count(texts, budget=1000)[0] == found


def test_of_equally_rare_ones_some_from_everywhere_stay():
    texts = [f"{number:05}" for number in range(3000)]
    found, _ = count(texts, budget=3000)
    assert len(found) == 500
    places = [texts.index(word) for word, _ in found]
    assert 100 < sum(place < 1000 for place in places) < 240
    assert count(texts[::-1], budget=3000)[0] == found


def test_a_word_without_end_is_cut():
    found, left_out = count(["x" * (2 * LONGEST_WORD) + "yz", "x"])
    assert dict(found) == {"x" * LONGEST_WORD: 2, "yz": 1, "x": 1} and left_out == 0
