"""Mistyped texts: what is changed and how often, and that every character still knows where it
comes from."""

import importlib.util
import math
import re
from collections import Counter
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reference.errors import InputError
from reference.training.characters import augmentation
from reference.training.characters.augmentation import (
    NEIGHBOURS,
    Altered,
    Augmentation,
    misspellings,
)

KINDS = [field.name for field in fields(Augmentation)]
# Letters that become several, a sigma, marks, joiners, and whatever Unicode has.
TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(
        ["straße", "İı", "ΌΣΟΣ", "ŉǆﬁ", "ᾳώ", "e\u0301te\u0301", "ক\u09cd\u200dষ", "a\u0345"]
    )
    | st.sampled_from(
        ["The", "government", "don’t", "(believe)", "a", " ", "\u3000\n", "👩\u200d🚀"]
    ),
    max_size=8,
).flatmap(lambda parts: st.sampled_from(["".join(parts), " ".join(parts)]))
RATES = st.sampled_from([0.0, 0.3, 1.0])
AUGMENTATIONS = st.builds(Augmentation, **dict.fromkeys(KINDS, RATES))
SEEDS = st.integers(0, 2**32)


def altered(text: str, seed: int = 0, **rates: float) -> Altered:
    return Augmentation(**rates)(text, np.random.default_rng(seed))


def spans(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(r"\S+", text)]


def near(found: int, of: int, rate: float) -> bool:
    """Within four standard deviations of a binomial draw: 1 of 16,000 is further off, and the
    seeds are fixed."""
    return abs(found - of * rate) <= 4 * math.sqrt(of * rate * (1 - rate))


@given(TEXTS, AUGMENTATIONS, SEEDS)
@example("a", Augmentation(*[1.0] * 6), 0)
@example("ab", Augmentation(swap=1, drop=1), 0)
@example(" \u0301a\u0301 \u0301", Augmentation(swap=1, drop=1, double=1), 0)
def test_every_character_stands_for_one_of_the_same_word(text, augment, seed):
    found = augment(text, np.random.default_rng(seed))
    assert found.origins.dtype == np.int64 and found.origins.shape == (len(found.text),)
    # White space stands where it stood between the words, of which none is lost.
    white = [place for place, sign in enumerate(found.text) if sign.isspace()]
    assert found.origins[white].tolist() == [
        place for place, sign in enumerate(text) if sign.isspace()
    ]
    assert [text[place] for place in found.origins[white]] == [found.text[i] for i in white]
    old, new = spans(text), spans(found.text)
    assert len(old) == len(new) and bool(found.text) == bool(text)
    for (start, end), (first, last) in zip(old, new, strict=True):
        origins = found.origins[first:last]
        assert ((origins >= start) & (origins < end)).all()
        if not augment.swap:
            assert (np.diff(origins) >= 0).all()
    assert found.carried(old) == new
    again = augment(text, np.random.default_rng(seed))
    assert again.text == found.text and (again.origins == found.origins).all()


def test_without_rates_nothing_is_changed_or_drawn():
    generator = np.random.default_rng(5)
    before = generator.bit_generator.state
    found = Augmentation()("Some  text\n", generator)
    assert found.text == "Some  text\n" and found.origins.tolist() == list(range(11))
    assert generator.bit_generator.state == before
    assert altered("", **dict.fromkeys(KINDS, 1.0)).text == ""


@pytest.mark.parametrize(
    ("rates", "text", "expected", "origins"),
    [
        ({"swap": 1}, "abcd ef1g", "badc fe1g", [1, 0, 3, 2, 4, 6, 5, 7, 8]),
        ({"swap": 1}, "eeft", "efet", [0, 2, 1, 3]),  # the same letters are not swapped
        ({"swap": 1}, "e\u0301t", "te\u0301", [2, 0, 1]),
        ({"drop": 1}, "abc d1, e\u0301", "c 1, e\u0301", [2, 3, 5, 6, 7, 8, 9]),
        ({"double": 1}, "ab 1é", "aabb 1éé", [0, 0, 1, 1, 2, 3, 4, 4]),
        ({"double": 1}, "e\u0301", "ee\u0301", [0, 0, 1]),
        ({"swap": 1, "drop": 1}, "ab", "b", [1]),
        ({"swap": 1, "double": 1}, "ab", "bbaa", [1, 1, 0, 0]),
        ({"drop": 1, "double": 1}, "ab", "bb", [1, 1]),
        ({"neighbour": 1}, "é e\u0301 ß 1 語", "é e\u0301 ß 1 語", [*range(10)]),
    ],
)
def test_each_slip_by_itself_and_with_others(rates, text, expected, origins):
    found = altered(text, **rates)
    assert (found.text, found.origins.tolist()) == (expected, origins)


@given(st.text("aeB\u0301\u0308\u200d\u200c 1", max_size=20), SEEDS)
def test_marks_stay_with_their_letters(text, seed):
    units = lambda text: re.findall(r"(?s).[\u0301\u0308\u200d\u200c]*", text)
    found = altered(text, seed, swap=0.5)
    assert Counter(units(found.text)) == Counter(units(text))
    found = altered(text, seed, drop=0.5)
    assert not Counter(units(found.text)) - Counter(units(text))


def test_only_letters_are_mistyped():
    text = "👩\u200d🚀 👍🏽 🇩🇪 1st: 42!\t…"
    found = altered(text, swap=1, double=1, neighbour=1, drop=1)
    assert re.sub("[a-z]", "", found.text) == re.sub("[a-z]", "", text)


def test_neighbours_of_a_key():
    assert {*NEIGHBOURS} == {*"abcdefghijklmnopqrstuvwxyz", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    for key, others in NEIGHBOURS.items():
        assert key not in others and all(key in NEIGHBOURS[other] for other in others)
        assert key.islower() == others.islower() and 2 <= len({*others}) == len(others) <= 6
    text = "Gg" * 12_000
    for rate in (0.25, 1):
        found = Counter(altered(text, neighbour=rate).text)
        assert {*found} - {*"Gg"} == {*NEIGHBOURS["G"], *NEIGHBOURS["g"]}
        assert all(near(found[sign], 12_000, rate / 6) for sign in found if sign not in "Gg")


@given(TEXTS, SEEDS)
@example("straße", 0)
@example("ᾳώ ᾳώ ᾳώ ᾳώ", 0)
@example("ΌΣΟΣ İ", 3)
def test_case_is_changed_whole_words_at_a_time(text, seed):
    found = altered(text, seed, case=1)
    for word, (first, last) in zip(text.split(), spans(found.text), strict=True):
        new = found.text[first:last]
        begin = next((i for i, sign in enumerate(word) if sign.isalpha()), 0)
        ways = {word.upper(), word.lower(), word[:begin] + word[begin:].capitalize()}
        assert new in (ways - {word} or {word})
    for place, sign in enumerate(text):
        stands = "".join(found.text[i] for i in np.flatnonzero(found.origins == place))
        assert stands in {sign, sign.upper(), sign.lower(), sign.title(), "ς"}


def test_each_way_to_write_a_word_is_as_likely():
    words = altered("(word) " * 3000, case=1).text.split()
    assert {*words} == {"(WORD)", "(Word)"} and near(words.count("(WORD)"), 3000, 1 / 2)
    words = altered("wOrd " * 3000, case=1).text.split()
    assert all(near(words.count(way), 3000, 1 / 3) for way in ("WORD", "Word", "word"))


# Of words of two letters only the first can be swapped; nothing else is refused in longer ones.
@pytest.mark.parametrize("rate", [0.02, 0.3])
@pytest.mark.parametrize(
    ("kind", "text", "of", "count"),
    [
        ("swap", "ab " * 8000, 8000, lambda text, found: found.text.count("ba")),
        ("drop", "abcdefghij1, " * 800, 8000, lambda text, found: len(text) - len(found.text)),
        (
            "double",
            "abcdefghij1, " * 800,
            8000,
            lambda text, found: len(found.text) - len(text),
        ),
        ("neighbour", "abcdefghijé, " * 800, 8000, lambda text, found: differ(text, found)),
        ("case", "word 12 語 " * 8000, 8000, lambda text, found: differing_words(text, found)),
    ],
)
def test_a_rate_is_the_share_of_what_is_counted(kind, text, of, count, rate):
    found = altered(text, 11, **{kind: rate})
    assert near(count(text, found), of, rate)


def differ(text: str, found: Altered) -> int:
    return sum(a != b for a, b in zip(text, found.text, strict=True))


def differing_words(text: str, found: Altered) -> int:
    return sum(a != b for a, b in zip(text.split(), found.text.split(), strict=True))


def test_a_swapped_letter_is_not_counted_again():
    """In a long word each letter but the last may be swapped, and not those that just were."""
    text, rate = "abcdefghij" * 1000, 0.3
    found = altered(text, 4, swap=rate)
    swapped = np.flatnonzero(np.diff(found.origins) < 0)
    assert (np.diff(swapped) > 1).all()
    assert near(len(swapped), len(text) - 1 - len(swapped), rate)


def test_kinds_are_drawn_apart_from_each_other():
    text = "abcdefghij " * 1000
    found = altered(text, 8, drop=0.3, double=0.5)
    times = np.bincount(found.origins, minlength=len(text))
    assert near((times == 0).sum(), 10_000, 0.3) and near((times == 2).sum(), 10_000, 0.35)


def test_misspellings_are_those_of_the_dictionary():
    folder = Path(importlib.util.find_spec("codespell_lib").origin).parent
    lines = (folder / "data" / "dictionary.txt").read_text("utf-8").lower().splitlines()
    known = misspellings()
    assert misspellings() is known and len(known) > 10_000
    for line in lines:
        wrong, right = line.split("->")
        alone = "," not in right and " " not in line and len(right) > 1
        assert (wrong in known.get(right, ())) == alone
    assert sum(map(len, known.values())) > 0.85 * len(lines)
    for right, wrong in known.items():
        assert right not in wrong and len({*wrong}) == len(wrong) > 0
        assert not any(sign.isspace() for sign in "".join([right, *wrong]))
    with pytest.raises(TypeError):
        known["a"] = ("b",)


def test_words_are_misspelt_as_the_dictionary_has_it():
    known = misspellings()
    words = [word for word in known if word.isalpha()]
    found = altered(" ".join(words), 1, misspelling=1).text.split()
    assert all(new in known[word] for word, new in zip(words, found, strict=True))
    text = " ".join(words).upper()
    assert altered(text, 2, misspelling=1).text.isupper()
    for rate in (0.05, 0.5):
        text = " ".join(f"({word.capitalize()}), qxqxq" for word in words)
        assert near(differing_words(text, altered(text, 3, misspelling=rate)), len(words), rate)


@pytest.fixture
def invented(monkeypatch):
    known = {"blorbing": ("blrobing",), "don't": ("dont'",), "zinf": ("zin", "zinnf")}
    monkeypatch.setattr(augmentation, "misspellings", lambda: known)


@pytest.mark.parametrize(
    ("text", "expected", "origins"),
    [
        ("“Blorbing!”", "“Blrobing!”", [*range(11)]),
        ("BLORBING", "BLROBING", [*range(8)]),
        ("blorbing’s bLorbing", "blorbing’s bLorbing", [*range(19)]),
        ("a don’t", "a dont’", [*range(7)]),
        ("re\u0301blorbing", "re\u0301blorbing", [*range(11)]),
    ],
)
@pytest.mark.usefixtures("invented")
def test_a_misspelt_word_keeps_its_case_and_what_is_around_it(text, expected, origins):
    found = altered(text, misspelling=1)
    assert (found.text, found.origins.tolist()) == (expected, origins)


@pytest.mark.usefixtures("invented")
def test_a_misspelling_of_another_length_is_spread_over_the_word():
    origins = {"zin": [0, 1, 2], "zinnf": [0, 1, 2, 2, 3]}
    for seed in range(20):
        found = altered("zinf", seed, misspelling=1)
        assert found.origins.tolist() == origins[found.text]
    aligned = augmentation._aligned
    assert aligned("abcd", "axyzd") == [0, 1, 1, 2, 3] and aligned("ab", "xab") == [0, 0, 1]
    assert aligned("ab", "a") == [0] and aligned("ab", "b") == [1]
    assert aligned("abab", "ab") == [0, 1] and aligned("aa", "aaa") == [0, 1, 1]


@given(TEXTS, AUGMENTATIONS, SEEDS, st.data())
def test_spans_stay_apart_and_in_order(text, augment, seed, data):
    found = augment(text, np.random.default_rng(seed))
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pairs = list(pairwise(ends))
    carried = found.carried([(start, end, "label") for start, end in pairs])
    assert [label for *_, label in carried] == ["label"] * len(pairs)
    for (_, end, _), (start, _, _) in pairwise(carried):
        assert end == start
    assert all(0 <= start <= end <= len(found.text) for start, end, _ in carried)
    assert found.carried([(0, len(text))]) == [(0, len(found.text))]


def test_spans_of_a_changed_text():
    found = Altered("Neww Yrk", np.array([0, 1, 2, 2, 3, 4, 6, 7]))
    assert found.carried([(0, 3, "A", 1), (4, 8), (5, 6), (3, 3)]) == [
        (0, 4, "A", 1),
        (5, 8),
        (6, 6),
        (4, 4),
    ]
    assert Altered("acb", np.array([0, 2, 1])).carried([(0, 2), (2, 3)]) == [(0, 2), (2, 3)]
    for span in ((-1, 2), (3, 2)):
        with pytest.raises(
            InputError, match=rf"span \({span[0]}, 2\) must begin at 0 or later"
        ):
            found.carried([span])


def test_bad_input():
    for kind in KINDS:
        for rate in (-0.1, 1.1, math.nan, "a", True, None):
            with pytest.raises(InputError, match=rf"^{kind} is .* between 0 and 1"):
                Augmentation(**{kind: rate})
    assert Augmentation(case=np.float32(0.5)) == Augmentation(case=0.5)
    generator = np.random.default_rng(0)
    for rate in (0, 0.5):
        with pytest.raises(
            InputError, match=r"character 1 of the text 'a\\ud83d' is half of a"
        ):
            Augmentation(drop=rate)("a\ud83d", generator)
    with pytest.raises(InputError, match="text is 5; it must be a string"):
        Augmentation()(5, generator)
    with pytest.raises(InputError, match="generator is 5; it must be a NumPy Generator"):
        Augmentation()("a", 5)


def test_without_codespell_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(augmentation, "misspellings", misspellings.__wrapped__)
    with pytest.raises(InputError, match=r"codespell.* is not installed.*\[misspellings\]"):
        Augmentation(misspelling=0.1)
    assert altered("ab", swap=1).text == "ba"
