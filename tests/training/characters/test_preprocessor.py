"""Texts for a model of characters: what is learned from a data set, which ids they get, what is
masked of them."""

import json
import pickle
import warnings
from collections import Counter
from types import SimpleNamespace

import datasets
import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from reference import corpus
from reference.errors import CheckpointError, InputError
from reference.masking import IGNORED
from reference.text import output_tokens
from reference.text.characters import (
    CODE_POINTS,
    FIRST,
    MASK_ID,
    PAD_ID,
    UNKNOWN_ID,
    CharacterVocabulary,
)
from reference.text.output_tokens import AHEAD
from reference.training.characters.augmentation import Augmentation
from reference.training.characters.preprocessor import MLMPreprocessor

# Combining marks, composed and not; emoji with joiners; right to left; vowels that are marks.
WORDS = [
    "naïve",
    "e\u0301te\u0301",
    "👩\u200d🚀",
    "❤\ufe0f",
    "שלום עולם",
    "हिन्दी में",
    "می\u200cخواهم",
    "\U0010ffff",
    "the cat's  own\thouse",
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.lists(
    st.sampled_from(WORDS), max_size=6
).map(" ".join)
# What can be learned from: there must be something, and no NUL.
SEEN = TEXTS.map(lambda text: text.replace("\0", "")).filter(lambda text: text.strip())


@pytest.fixture(scope="module")
def sentences():
    """Some of the package's own documentation, and every word above."""
    found = [*corpus.paragraphs(["huggingface_hub"]), " ".join(WORDS)]
    return [*found, *WORDS]


@pytest.fixture(scope="module")
def fitted(sentences):
    return MLMPreprocessor(600, 64).fit(sentences)


def generator(seed=0):
    return np.random.default_rng(seed)


def augmented(fitted, augmentation, **changes):
    """The same, reading worse text."""
    other = pickle.loads(pickle.dumps(fitted))
    other.augmentation = augmentation
    for name, value in changes.items():
        setattr(other, name, value)
    return other


# What is learned.


@given(st.lists(SEEN, min_size=1, max_size=5), TEXTS)
def test_characters_and_output_tokens_are_learned(texts, other):
    made = MLMPreprocessor(500).fit(texts)
    seen = Counter("".join(texts))
    assert sorted(made.vocabulary.characters) == sorted(seen)
    assert made.num_characters == len(made.vocabulary) == FIRST + len(seen)
    counts = [seen[character] for character in made.vocabulary.characters]
    assert counts == sorted(counts, reverse=True)
    ids = made.string_to_array(other, 200)[0, : len(other)].tolist()
    assert all(
        number >= FIRST if character in seen else number == UNKNOWN_ID
        for character, number in zip(other, ids, strict=True)
    )


@given(st.lists(SEEN, min_size=1, max_size=5), st.integers(1, 60))
def test_ids_of_output_tokens_go_by_how_often_they_come(texts, more):
    least = len(set("".join(texts).encode()))
    made = MLMPreprocessor(least + more).fit(texts)
    whole = tokenizers.Tokenizer.from_str(made._learned.outputs.content().decode())
    counts, lengths = Counter(), {}
    for encoding in map(whole.encode, texts):
        counts.update(encoding.ids)
        lengths |= {
            n: end - start
            for n, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
        }
    long = {number for number in counts if lengths[number] >= 3}
    assert sorted(long or counts) == list(range(made.num_outputs))
    assert made.num_outputs <= least + more
    frequent = [counts[number] for number in range(made.num_outputs)]
    assert frequent == sorted(frequent, reverse=True)


@given(TEXTS)
def test_a_text_comes_apart_as_the_tokenizer_of_the_file_has_it(fitted, text):
    outputs = fitted._learned.outputs
    whole = outputs.tokenizer.encode(text)
    expected = [
        (start, end, number)
        for number, (start, end) in zip(whole.ids, whole.offsets, strict=True)
        if number < fitted.num_outputs
    ]
    assert outputs.places(text, len(text)) == expected == outputs.places(text, len(text))
    for start, end, number in expected:
        if "\ufffd" not in fitted.output_token(number):
            assert fitted.output_token(number) == text[start:end]


def test_words_that_are_remembered_are_not_without_number(fitted, monkeypatch):
    outputs = augmented(fitted, None)._learned.outputs
    monkeypatch.setattr(output_tokens, "MOST_KNOWN", 3)
    places = [outputs.places(f"word{number} house", 40) for number in range(5)]
    assert len(outputs.known) <= 3
    assert places == [outputs.places(f"word{number} house", 40) for number in range(5)]
    outputs.places("a" * 100, 40)
    assert "a" * 100 not in outputs.known


def test_few_of_the_characters_may_have_an_id():
    made = MLMPreprocessor(300, 8, most_characters=2).fit(["banana nab"])
    assert made.vocabulary.characters == "an" and made.num_characters == 5
    assert made.string_to_array("bananx").tolist() == [[1, 3, 4, 3, 4, 1, 0, 0]]


@given(TEXTS)
def test_hashed_keeps_no_list_and_knows_every_character(text):
    made = MLMPreprocessor(300, hashed=True).fit(["one text"])
    assert made.vocabulary.characters is None
    assert made.num_characters == FIRST + CODE_POINTS
    ids = made.string_to_array(text, 200)[0, : len(text)].tolist()
    assert ids == [ord(character) + FIRST for character in text]


def test_the_same_from_every_kind_of_data_set():
    texts = ["the cat sat", " ", "on the mat", ""]
    made = MLMPreprocessor(100).fit(texts)
    rows = datasets.Dataset.from_dict({"n": [1, 2, 3, 4], "text": texts})
    named = rows.rename_column("text", "body")
    both = named.add_column("title", texts)
    for data, column in [
        (iter(texts), None),
        ((text for text in texts), None),
        (rows, None),
        (rows.to_iterable_dataset(), None),
        (named, None),
        (named, "body"),
        (both, "title"),
        (both.add_column("text", texts), None),
    ]:
        assert MLMPreprocessor(100).fit(data, column) == made
    with pytest.raises(InputError, match=r"2 columns of strings, .* n, body, title: say with"):
        MLMPreprocessor().fit(both)
    with pytest.raises(InputError, match="no column 'none'; it has n, text"):
        MLMPreprocessor().fit(rows, "none")
    with pytest.raises(InputError, match="0 columns of strings"):
        MLMPreprocessor().fit(rows.select_columns(["n"]))
    with pytest.raises(InputError, match="give one of them"):
        MLMPreprocessor().fit(datasets.DatasetDict(train=rows))


def test_a_file_has_a_text_a_line(tmp_path):
    (tmp_path / "texts").write_text("the cat sat\non the mat\n")
    made = MLMPreprocessor(100).fit(tmp_path / "texts")
    assert made == MLMPreprocessor(100).fit(["the cat sat", "on the mat"])


def test_texts_are_gone_through_once_and_not_kept():
    def often():
        for number in range(20_000):
            yield f"this is the text of number {number % 100} among others " * 3
            generated.append(number)

    generated: list[int] = []
    made = MLMPreprocessor(400, None).fit(often())
    assert len(generated) == 20_000
    assert made.max_example_len == 144
    assert " others" in map(made.output_token, range(made.num_outputs))


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([1], 16),
        ([16], 16),
        ([17], 32),
        ([10] * 99 + [500], 16),
        ([10] * 98 + [500] * 2, 512),
        ([5000], 1024),
    ],
)
def test_a_length_is_inferred(lengths, expected):
    made = MLMPreprocessor(300, None)
    assert made.max_example_len is None
    made.fit("a" * length for length in lengths)
    assert made.max_example_len == expected
    assert made.string_to_array("a").shape == (1, expected)
    made.fit(["a" * 40])  # inferred again
    assert made.max_example_len == 48


# What is no data set, and no setting.


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "there are no texts to learn from"),
        (["", " \n"], "there are no texts to learn from"),
        (iter(()), "there are no texts to learn from"),
        (["a text", 5], r"texts\[1\] is int 5; it must be a string"),
        (["a text", None], r"texts\[1\] is NoneType None; it must be a string"),
        (["a text", "a\ud83d"], r"texts\[1\] holds half of a surrogate pair"),
        (["a\0text"], r"texts\[0\] holds a NUL character"),
        (7, "texts must be a list of strings, not int"),
        ({"a": 1}, "texts must be a list of strings, not dict"),
        (
            datasets.Dataset.from_dict({"text": ["a", None]}),
            r"text\[1\] of the dataset is None",
        ),
    ],
)
def test_what_cannot_be_learned_from_leaves_all_as_it_was(data, message):
    made = MLMPreprocessor(300, None)
    with pytest.raises(InputError, match=message):
        made.fit(data)
    assert made == MLMPreprocessor(300, None) and "not fitted" in repr(made)
    made.fit(["one text"])
    if isinstance(data, type(iter(()))):
        return
    with pytest.raises(InputError, match=message):
        made.fit(data)
    assert made == MLMPreprocessor(300, None).fit(["one text"])


def test_every_byte_is_a_piece():
    with pytest.raises(InputError, match="3, but these texts have 4 different bytes, each"):
        MLMPreprocessor(3).fit(["abcd"])
    made = MLMPreprocessor(4).fit(["abcd", "b"])
    assert [made.output_token(number) for number in range(made.num_outputs)] == [*"bacd"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocab_size": 0}, "vocab_size is 0; it must be a whole number of at least 1"),
        ({"vocab_size": 2.5}, "vocab_size is 2.5"),
        ({"max_example_len": 0}, "max_example_len is 0"),
        ({"hashed": "no"}, "hashed is 'no'; it must be True or False"),
        ({"most_characters": 0}, "most_characters is 0"),
        ({"most_characters": 9, "hashed": True}, "most_characters is 9, but with hashed"),
        ({"min_mask_len": 0}, "min_mask_len is 0"),
        ({"mask_share": 0}, "mask_share is 0"),
        ({"mask_share": 1.5}, "mask_share is 1.5"),
        ({"augmentation": 0.1}, "augmentation is 0.1; it must be None or be called"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        MLMPreprocessor(**settings)


def test_nothing_is_done_before_it_has_learned(tmp_path):
    made = MLMPreprocessor()
    for use in [
        lambda: made.string_to_array("a"),
        lambda: made.arrays(["a"]),
        lambda: made.masked(["a"], generator()),
        lambda: made.save(tmp_path / "new"),
        lambda: made.output_token(0),
        lambda: made.num_outputs,
        lambda: made.num_characters,
        lambda: made.vocabulary,
    ]:
        with pytest.raises(InputError, match="learned nothing yet; call fit first"):
            use()
    assert made.max_example_len == 128 and not (tmp_path / "new").exists()


# Arrays.


def test_a_text_is_padded_and_cut():
    made = MLMPreprocessor(100, 6).fit(["abc"])
    assert made.string_to_array("cab").tolist() == [[5, 3, 4, 0, 0, 0]]
    assert made.string_to_array("cab", 4).tolist() == [[5, 3, 4, 0]]
    assert made.string_to_array("").tolist() == [[0] * 6]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert made.string_to_array("cab" * 3).tolist() == [[5, 3, 4, 5, 3, 4]]
        cut = made.arrays(["abcabc", "a" * 7, "b" * 8])
    assert [str(warning.message) for warning in told] == [
        "3 of the 9 characters of the text are cut: 6 are read",
        "3 of the 15 characters of 2 of 3 texts are cut: 6 are read",
    ]
    assert all(warning.filename == __file__ for warning in told)
    assert cut.tolist() == [[3, 4, 5, 3, 4, 5], [3] * 6, [4] * 6]


@given(st.lists(TEXTS, max_size=8), st.integers(1, 40))
def test_many_texts_are_as_each_by_itself(fitted, texts, length):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = fitted.arrays(iter(texts), length)
        alone = [fitted.string_to_array(text, length) for text in texts]
    assert rows.shape == (len(texts), length) and rows.dtype == np.int64
    assert (rows == np.concatenate([*alone, np.zeros((0, length), np.int64)])).all()
    for row, text in zip(rows, texts, strict=True):
        assert (row[: len(text)] != PAD_ID).all() and (row[len(text) :] == PAD_ID).all()
        assert (row != MASK_ID).all()


def test_many_texts_go_through_in_parts(fitted, monkeypatch):
    from reference.training.characters import preprocessor

    texts = [f"text {number}" for number in range(30)]
    expected = fitted.arrays(texts)
    monkeypatch.setattr(preprocessor, "CHARACTERS_AT_ONCE", 64 * 7)
    assert (fitted.arrays(texts) == expected).all()


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda made: made.string_to_array(5), "text is int 5; it must be a string"),
        (lambda made: made.string_to_array(["a"]), r"text is list \['a'\]; it must be"),
        (lambda made: made.string_to_array("a\ud83d"), "holds half of a surrogate pair"),
        (lambda made: made.string_to_array("a", 0), "length is 0"),
        (lambda made: made.arrays("a text"), "texts must be a list of strings, not str"),
        (lambda made: made.arrays(["a", 5]), r"texts\[1\] is int 5"),
        (lambda made: made.arrays(["a"], 2.0), "length is 2.0"),
        (lambda made: made.masked([], generator()), "texts is empty"),
        (lambda made: made.masked("a text", generator()), "texts must be a list of strings"),
        (lambda made: made.masked(["a", None], generator()), r"texts\[1\] is NoneType"),
        (lambda made: made.masked(["a\udc00"], generator()), r"texts\[0\] holds half"),
        (lambda made: made.masked(["a"], 5), "generator is 5; it must be a generator of NumPy"),
        (lambda made: made.output_token(-1), "id is -1"),
        (lambda made: made.output_token("a"), "id is 'a'"),
        (lambda made: made.output_token(made.num_outputs), r"have ids from 0 to \d+"),
    ],
)
def test_what_is_no_text(fitted, use, message):
    with pytest.raises(InputError, match=message):
        use(fitted)


# Masks.


def check_masked(made, texts, masked):
    """What holds of every batch; the masked characters of its texts as they are read."""
    ids, labels = masked.input_ids, masked.labels
    width = max([1, *map(len, masked.texts)])
    for array in (ids, labels, masked.attention_mask):
        assert array.shape == (len(texts), width) and array.dtype == np.int64
    spans = {row: [] for row in range(len(texts))}
    for row, start, end in masked.spans.tolist():
        spans[row].append((start, end))
    for row, text in enumerate(masked.texts):
        assert len(text) <= made.max_example_len
        expected = made.vocabulary.ids(text)
        assert not {PAD_ID, MASK_ID} & {*expected.tolist()}
        labelled = []
        for start, end in spans[row]:
            assert start >= 0 and start + made.min_mask_len <= end <= len(text)
            expected[start:end] = MASK_ID
            labelled.append(start)
        assert ids[row, : len(text)].tolist() == expected.tolist()
        assert (ids[row, len(text) :] == PAD_ID).all()
        attended = [1] * len(text) + [0] * (width - len(text))
        assert masked.attention_mask[row].tolist() == attended
        assert np.flatnonzero(labels[row] != IGNORED).tolist() == labelled
        for (_, end), (start, _) in zip(spans[row], spans[row][1:], strict=False):
            assert end < start  # a character is to be seen between them
    return spans


@given(st.lists(TEXTS, min_size=1, max_size=6), st.integers(0, 2**32), st.integers(1, 5))
def test_whole_output_tokens_are_masked(fitted, texts, seed, least):
    made = augmented(fitted, None, min_mask_len=least, mask_share=0.4)
    masked = made.masked(texts, generator(seed))
    assert masked.texts == tuple(text[:64] for text in texts)
    spans = check_masked(made, texts, masked)
    for row, text in enumerate(texts):
        there = made._learned.outputs.places(text, 64)
        long = [token for token in there if token[1] - token[0] >= least and token[1] <= 64]
        assert bool(spans[row]) == bool(long)
        for start, end in spans[row]:
            number = int(masked.labels[row, start])
            assert (start, end, number) in there
            token = made.output_token(number)
            assert token == text[start:end] or "\ufffd" in token
    again = made.masked(texts, generator(seed))
    for name in ("input_ids", "attention_mask", "labels", "spans"):
        assert (getattr(again, name) == getattr(masked, name)).all()


def test_the_share_is_masked_by_chance(fitted, sentences):
    long = [text for text in sentences if len(text) >= 64][:200]
    shares, first = [], set()
    chance = generator(3)
    for _ in range(20):
        masked = fitted.masked(long, chance)
        shares.append(np.mean(masked.input_ids == MASK_ID))
        first.add(masked.labels.tobytes())
    assert len(first) == 20
    assert 0.14 < np.mean(shares) < 0.16
    half = augmented(fitted, None, mask_share=0.3).masked(long, chance)
    assert 0.25 < np.mean(half.input_ids == MASK_ID) < 0.31


def test_every_long_token_has_its_turn():
    made = MLMPreprocessor(300, 40).fit(["first second third fourth"] * 9)
    text, chance = "first second third fourth", generator()
    found = Counter(
        made.output_token(number)
        for _ in range(200)
        for number in made.masked([text], chance).labels.ravel().tolist()
        if number != IGNORED
    )
    assert sorted(found) == [" fourth", " second", " third", "first"]
    assert min(found.values()) > 25


def test_where_no_token_is_long_enough_nothing_is_masked():
    made = MLMPreprocessor(300, 40).fit(["house of a"] * 9)
    masked = made.masked(["a a a", "", "x, y", "house"], generator())
    assert (masked.labels[:3] == IGNORED).all() and (masked.input_ids[:3] != MASK_ID).all()
    assert masked.attention_mask.sum(1).tolist() == [5, 0, 4, 5]
    assert masked.input_ids[3].tolist() == [MASK_ID] * 5
    assert masked.spans.tolist() == [[3, 0, 5]]
    empty = made.masked([""], generator())
    assert empty.input_ids.tolist() == [[PAD_ID]] and empty.labels.tolist() == [[IGNORED]]
    assert empty.spans.shape == (0, 3)


def test_neighbours_are_not_masked_together():
    made = MLMPreprocessor(300, 40, mask_share=1).fit(["alpha beta gamma delta"] * 9)
    for seed in range(20):
        masked = made.masked(["alpha beta gamma delta"], generator(seed))
        check_masked(made, [""], masked)
        assert len(masked.spans) in (1, 2)


def test_what_is_cut_is_not_masked():
    made = MLMPreprocessor(300, 12, mask_share=1).fit(["alpha beta gamma"] * 9)
    for seed in range(20):
        masked = made.masked(["alpha beta gamma"], generator(seed))
        assert masked.texts == ("alpha beta g",)  # " gamma" is cut, and " g" no token of it
        assert {made.output_token(n) for n in masked.labels[masked.labels >= 0]} <= {
            "alpha",
            " beta",
        }
    assert made.masked(["alpha b" + "x" * 10**5], generator()).input_ids.shape == (1, 12)


@given(TEXTS.map(lambda text: "".join(text.split())), TEXTS)
def test_the_last_words_come_apart_as_if_all_were_read(fitted, word, rest):
    text = f"{'a word or two ' * 4}{word[:AHEAD]} {rest}"
    whole = fitted._learned.outputs.places(text, len(text))
    for length in (50, 56, 60, 64):
        there = fitted._learned.outputs.places(text, length)
        expected = [token for token in whole if token[1] <= length]
        assert [token for token in there if token[1] <= length] == expected


def test_a_piece_of_a_character_takes_the_whole_of_it():
    """Of letters of three bytes the first two are often alike, and so they are a piece."""
    made = MLMPreprocessor(7, 40, min_mask_len=1).fit(["あいうえおあいうえお"])
    text = "あい"
    tokens = [made.output_token(number) for number in range(made.num_outputs)]
    assert any("\ufffd" in token for token in tokens)
    for seed in range(20):
        masked = made.masked([text], generator(seed))
        check_masked(made, [text], masked)
        assert len(masked.spans) == 1


# Worse texts.


class Doubled:
    """Each character twice, to be looked through."""

    def __call__(self, text, generator):
        origins = np.repeat(np.arange(len(text)), 2)
        return SimpleNamespace(text="".join(text[place] for place in origins), origins=origins)


def test_the_tokens_of_the_clean_text_are_asked_for():
    made = MLMPreprocessor(300, 60, augmentation=Doubled()).fit(["alpha beta gamma"] * 9)
    for seed in range(20):
        masked = made.masked(["alpha beta gamma", "of a"], generator(seed))
        assert masked.texts == ("aallpphhaa  bbeettaa  ggaammmmaa", "ooff  aa")
        check_masked(made, ["", ""], masked)
        for row, start, end in masked.spans.tolist():
            token = made.output_token(int(masked.labels[row, start]))
            assert "".join(c * 2 for c in token) == masked.texts[row][start:end]
        assert masked.spans[:, 0].tolist() == [0] * len(
            masked.spans
        )  # " of" is long by doubling
    assert made.string_to_array("alpha", 5).tolist() == made.arrays(["alpha"], 5).tolist()
    assert (made.string_to_array("alpha", 5) != PAD_ID).all()


def test_what_the_noise_moves_over_the_end_is_not_masked():
    made = MLMPreprocessor(300, 16, mask_share=1, augmentation=Doubled())
    made.fit(["alpha beta gamma"] * 9)
    for seed in range(9):
        masked = made.masked(["alpha beta gamma"], generator(seed))
        assert masked.texts == ("aallpphhaa  bbee",)
        assert masked.spans.tolist() == [[0, 0, 10]]


def test_what_the_noise_has_left_too_short_is_not_masked():
    def without_vowels(text, generator):
        origins = np.array([i for i, c in enumerate(text) if c not in "aeiou"], np.int64)
        return SimpleNamespace(text="".join(text[i] for i in origins), origins=origins)

    made = MLMPreprocessor(300, 40, mask_share=1, augmentation=without_vowels)
    made.fit(["alpha aeiou gamma"] * 9)
    for seed in range(9):
        masked = made.masked(["alpha aeiou gamma"], generator(seed))
        assert masked.texts == ("lph  gmm",)
        check_masked(made, [""], masked)
        assert masked.spans.tolist() == [[0, 0, 3], [0, 4, 8]]
    # Of what stood between two tokens nothing may be left.
    made.fit(["alpha", " gamma"])
    masked = made.masked(["alphaoo gamma"], generator())
    assert masked.texts == ("lph gmm",) and len(masked.spans) == 1


@given(st.lists(TEXTS, min_size=1, max_size=6), st.integers(0, 2**32))
def test_noise_of_every_kind_keeps_what_holds(fitted, texts, seed):
    noise = Augmentation(case=0.3, swap=0.3, drop=0.3, double=0.3, neighbour=0.3)
    made = augmented(fitted, noise, mask_share=0.5)
    masked = made.masked(texts, generator(seed))
    check_masked(made, texts, masked)
    clean = [{token[2] for token in made._learned.outputs.places(text, 64)} for text in texts]
    for row, labels in enumerate(masked.labels):
        assert {*labels.tolist()} - {IGNORED} <= clean[row]
    again = made.masked(texts, generator(seed))
    assert again.texts == masked.texts and (again.labels == masked.labels).all()


def test_characters_without_an_origin_are_told(fitted):
    wrong = lambda text, generator: SimpleNamespace(text=text, origins=np.arange(2))
    with pytest.raises(InputError, match=r"gave 6 characters, and origins of the shape \(2,\)"):
        augmented(fitted, wrong).masked(["a text"], generator())


# Files.


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hashed": True, "max_example_len": None},
        {"most_characters": 20, "min_mask_len": 4, "mask_share": 0.3},
        {"augmentation": Augmentation(case=0.1, swap=0.02, drop=0.03, double=0.04)},
    ],
)
def test_what_is_saved_comes_back_whole(tmp_path, sentences, settings):
    made = MLMPreprocessor(500, **{"max_example_len": 48} | settings).fit(sentences[-40:])
    folder = tmp_path / "deep" / "folder"
    made.save(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "characters.json",
        "output_tokens.json",
    ]
    read = MLMPreprocessor.load(str(folder))
    assert read == made and repr(read) == repr(made)
    texts = [text[:48] for text in sentences[-40:]]
    assert (read.arrays(texts, 48) == made.arrays(texts, 48)).all()
    ours, theirs = made.masked(texts, generator(7)), read.masked(texts, generator(7))
    assert (ours.input_ids == theirs.input_ids).all() and (ours.labels == theirs.labels).all()
    numbers = range(made.num_outputs)
    assert [*map(read.output_token, numbers)] == [*map(made.output_token, numbers)]
    whole = tokenizers.Tokenizer.from_file(str(folder / "output_tokens.json"))
    for number, token in ((n, made.output_token(n)) for n in numbers):
        if token.strip(" ").isalpha() and len(token) > 2:
            assert whole.encode(token).ids == [number]


def test_others_are_not_equal(fitted, sentences):
    assert fitted != MLMPreprocessor(600, 64) and fitted != "fitted"
    assert fitted == augmented(fitted, None)
    assert fitted != augmented(fitted, None, mask_share=0.2)
    assert fitted != augmented(fitted, Augmentation(swap=0.1))
    assert fitted != MLMPreprocessor(600, 64).fit(sentences[:50])


def test_saving_again_takes_the_place_of_the_old(tmp_path, fitted):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    other = MLMPreprocessor(100).fit(["another text"])
    for made in (fitted, other):
        made.save(tmp_path)
        assert MLMPreprocessor.load(tmp_path) == made
    assert (tmp_path / "model.safetensors").read_bytes() == b"weights"
    assert len([*tmp_path.iterdir()]) == 3
    for folder in ("", tmp_path / "model.safetensors"):
        with pytest.raises(InputError, match="is no folder to write to"):
            fitted.save(folder)


def test_only_rates_can_be_saved(tmp_path, fitted):
    with pytest.raises(InputError, match="what can be saved is an Augmentation"):
        augmented(fitted, Doubled()).save(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def change(path, keys, value):
    """One value of a file of JSON another; without any, the key is gone."""
    content = json.loads(path.read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("kind", "bytes", "kind is 'bytes'; it is one of listed, hashed"),
        ("kind", [], r"kind is \[\]"),
        ("kind", "hashed", "of the kind hashed it is null"),
        ("characters", "aba", "a character has two ids"),
        ("characters", "", "characters is ''; it must be a string"),
        ("characters", ["a"], "characters is"),
        ("characters", None, "characters is None; it must be a string"),
        ("max_example_len", None, "max_example_len is None"),
        ("max_example_len", "64", "max_example_len is '64'"),
        ("vocab_size", ..., "vocab_size is missing; it holds kind, characters"),
        ("mask_share", 2, "mask_share is 2"),
        ("min_mask_len", -1, "min_mask_len is -1"),
        ("seed", 5, "'seed' is unknown; it holds kind, characters"),
        ("augmentation", {"swap": 0.1}, "augmentation is .*; it must be null or hold case"),
        ("augmentation", [], r"augmentation is \[\]"),
        ("num_outputs", 0, "num_outputs is 0; it must be a whole number of at least 1"),
        ("num_outputs", True, "num_outputs is True"),
        ("num_outputs", 10**6, r"num_outputs is 1000000, but there are only \d+ output"),
    ],
)
def test_characters_that_are_damaged(tmp_path, fitted, key, value, message):
    fitted.save(tmp_path)
    change(tmp_path / "characters.json", [key], value)
    with pytest.raises(CheckpointError, match=rf"characters\.json: .*{message}"):
        MLMPreprocessor.load(tmp_path)


def test_rates_that_are_damaged(tmp_path, fitted):
    augmented(fitted, Augmentation(swap=0.1)).save(tmp_path)
    change(tmp_path / "characters.json", ["augmentation", "swap"], 7)
    with pytest.raises(CheckpointError, match=r"characters\.json: augmentation: swap is 7"):
        MLMPreprocessor.load(tmp_path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["model"], [], r"model is \[\]; it must be an object"),
        (["model"], ..., "model is None"),
        (["model", "vocab"], [], r"model\.vocab is \[\]"),
        (["model", "vocab", "a"], 10**6, "ids must be 0 to"),
        (["model", "vocab", "a"], "5", "gives 'a' the id '5'; it must be a whole number"),
        (["model", "merges"], {}, r"model\.merges is \{\}; it must be a list"),
        (["model", "merges", 0], ["a", "b", "c"], r"model\.merges\[0\] is \['a', 'b', 'c'\]"),
        (["model", "merges", 0], ["a", 5], r"model\.merges\[0\] is \['a', 5\]"),
        (["model", "merges", 0], ["no", "piece"], "is no tokenizer.json"),
        (["model", "type"], "WordPiece", "json"),
        (["model", "dropout"], 0.5, r"model\.dropout is 0\.5; of output tokens it is None"),
        (["model", "unk_token"], "a", r"model\.unk_token is 'a'"),
        (
            ["normalizer"],
            {"type": "Lowercase"},
            "normalizer is .*; of output tokens it is None",
        ),
        (["pre_tokenizer"], {"type": "Whitespace"}, "pre_tokenizer is"),
        (["pre_tokenizer"], 5, "is no tokenizer.json"),
        (["decoder"], None, "decoder is None"),
        (["truncation"], {"max_length": 5}, "json"),
    ],
)
def test_output_tokens_that_are_damaged(tmp_path, fitted, keys, value, message):
    fitted.save(tmp_path)
    change(tmp_path / "output_tokens.json", keys, value)
    with pytest.raises(CheckpointError, match=rf"output_tokens\.json.*{message}"):
        MLMPreprocessor.load(tmp_path)


def test_a_byte_that_is_missing(tmp_path, fitted):
    fitted.save(tmp_path)
    path = tmp_path / "output_tokens.json"
    content = json.loads(path.read_text())
    vocab = content["model"]["vocab"]
    unseen = next(piece for piece in output_tokens.BYTES if vocab[piece] == max(vocab.values()))
    del vocab[unseen]
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"model\.vocab lacks '.', which writes a byte"):
        MLMPreprocessor.load(tmp_path)


@pytest.mark.parametrize("name", ["characters.json", "output_tokens.json"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"\xff", b'{"a": "\\ud800"}'])
def test_files_that_are_none(tmp_path, fitted, name, content):
    fitted.save(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        MLMPreprocessor.load(tmp_path)


def test_it_says_what_it_is(fitted):
    assert repr(MLMPreprocessor()) == (
        "<MLMPreprocessor(vocab_size=10000, max_example_len=128, hashed=False, "
        "most_characters=None, min_mask_len=3, mask_share=0.15, augmentation=None): not fitted>"
    )
    assert f"{fitted.num_outputs} output tokens>" in repr(fitted)
    assert isinstance(fitted.vocabulary, CharacterVocabulary)
