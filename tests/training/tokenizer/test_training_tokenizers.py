"""What holds for a tokenizer of every kind: its size, its special tokens, the way back to text,
and that the same text gives the same bytes."""

import os
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from reference.errors import InputError
from reference.text import read_tokenizer
from reference.training import train_tokenizer
from reference.training.tokenizer import KINDS, Options, tokenizer_files
from tests.training.tokenizer.text import HUGGING_FACE, SENTENCES, SIZES, write

ROOT = Path(__file__).parents[3]
LETTERS = sorted({letter for text in SENTENCES for letter in text} - {" ", ",", "!"})
WORDS = st.text(st.sampled_from(LETTERS), min_size=1, max_size=9)


@pytest.mark.parametrize("kind", KINDS)
def test_its_size_and_its_special_tokens(trained, kind):
    folder, tokenizer = trained[kind]
    assert tokenizer.vocab_size == len(tokenizer.vocabulary) == SIZES[kind]
    assert tokenizer.special_tokens == {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
    assert tokenizer.special_ids == {0, 1, 2, 3, 4} and tokenizer.mask_token == "[MASK]"
    (ids,) = tokenizer(["The [MASK] waits"])
    (whole,) = tokenizer(["The river waits"])
    assert ids[0] == 2 and ids[-1] == 3 and ids.count(4) == 1 and max(ids) < SIZES[kind]
    if kind != "wordpiece":  # which gives each word what it gives it alone
        assert ids[: ids.index(4)] == whole[: ids.index(4)]
    assert read_tokenizer(folder)(SENTENCES[:50]) == tokenizer(SENTENCES[:50])


@given(st.lists(WORDS, max_size=8))
def test_text_comes_back(trained, words):
    text = " ".join(words)
    for kind in KINDS:
        _, tokenizer = trained[kind]
        (encoding,) = tokenizer([text])
        if tokenizer.unk_token_id in encoding:
            assert kind == "wordpiece"  # which has no pieces inside words for what begins all
            continue
        assert tokenizer.decode(encoding) == text
        for (start, end), special in zip(
            encoding.offsets, encoding.special_tokens_mask, strict=True
        ):
            assert special or 0 <= start < end <= len(text)


@given(st.text(max_size=30))
def test_bytes_bring_any_text_back(trained, text):
    _, tokenizer = trained["byte-bpe"]
    (encoding,) = tokenizer([text])
    if "[" not in text:
        assert tokenizer.unk_token_id not in encoding
        normal = tokenizer.vocabulary.tokenizer.normalizer.normalize_str(text)
        assert tokenizer.decode(encoding) == normal


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_text_gives_the_same_bytes(trained, kind, tmp_path):
    """In another process, whose hashes begin elsewhere, and from every form of text."""
    folder, _ = trained[kind]
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    options = Options(kind, SIZES[kind])
    for form in (
        iter(SENTENCES),
        [write(tmp_path / "text.txt")],
        datasets.Dataset.from_dict({"text": SENTENCES}),
    ):
        assert tokenizer_files(form, options) == files
    command = "train-tokenizer --input text.txt --output again --vocab-size"
    subprocess.run(
        [sys.executable, "-m", "reference", *command.split(), str(SIZES[kind]), "--kind", kind],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert {p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()} == files


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=5),
    kind=st.sampled_from(KINDS),
    size=st.sampled_from([6, 9, 20, 262]),
)
def test_any_text_gives_a_tokenizer_or_an_error_of_ours(texts, kind, size):
    try:
        files = tokenizer_files(texts, Options(kind, size))
    except InputError as error:
        assert "cannot learn" not in str(error)
    else:
        assert "tokenizer_config.json" in files


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_that_the_text_does_not_have(tmp_path, kind):
    """The error says the largest that does, and that one does."""
    with pytest.raises(InputError, match="vocab_size is 20000, but these texts") as caught:
        train_tokenizer(SENTENCES, tmp_path / "a", kind=kind)
    most = int(str(caught.value).split("these texts have ")[1].split()[0])
    assert train_tokenizer(SENTENCES, tmp_path / "b", kind=kind, vocab_size=most)
    with pytest.raises(InputError, match=f"or a vocab_size of {most} or less"):
        train_tokenizer(SENTENCES, tmp_path / "c", kind=kind, vocab_size=most + 1)
    with pytest.raises(InputError, match="single characters of these texts take") as caught:
        train_tokenizer(SENTENCES, tmp_path / "d", kind=kind, vocab_size=20)
    least = int(str(caught.value).split(" take ")[1].split()[0])
    assert train_tokenizer(SENTENCES, tmp_path / "e", kind=kind, vocab_size=least)
    assert {path.name for path in tmp_path.iterdir()} == {"b", "e"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "words"}, "kind 'words' is unknown; it is one of unigram, bpe, wordpiece"),
        ({"vocab_size": 5}, "vocab_size is 5; it must be a whole number of at least 6"),
        ({"vocab_size": 1e4}, "vocab_size is 10000.0"),
        ({"coverage": 0.5}, "coverage is 0.5; it must be a number from 0.98 to 1"),
        ({"coverage": float("nan")}, "coverage is nan"),
        ({"lower_case": "no"}, "lower_case is 'no'"),
        ({"max_length": 2}, "max_length is 2"),
        ({"word_budget": 10}, "word_budget is 10"),
    ],
)
def test_options_that_cannot_be_meant(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        train_tokenizer(iter(()), tmp_path / "new", **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [[], ["", "  "], ["\n"]])
def test_nothing_to_learn_from(tmp_path, kind, texts):
    with pytest.raises(InputError, match="there are no texts to learn from"):
        train_tokenizer(texts, tmp_path / "new", kind=kind)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there(tmp_path, trained):
    folder, _ = trained["bpe"]
    with pytest.raises(InputError, match="is not empty; name a new folder for the tokenizer"):
        train_tokenizer(SENTENCES, folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is no folder to write a tokenizer to"):
        train_tokenizer(SENTENCES, tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert train_tokenizer(SENTENCES, tmp_path / "empty", kind="bpe", vocab_size=90)


def test_how_long_texts_are(tmp_path, trained):
    _, unlimited = trained["bpe"]
    assert len(unlimited(["river " * 5000])[0]) > 5000
    with pytest.raises(InputError, match="this tokenizer names none; give max_length"):
        unlimited(["river"], padding="max_length")
    for kind in ("bpe", *HUGGING_FACE):
        short = train_tokenizer(
            SENTENCES, tmp_path / kind, kind=kind, vocab_size=SIZES[kind], max_length=8
        )
        assert short.max_length == 8 and len(short(["river " * 50])[0]) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_lower_case(tmp_path, kind):
    options = {"kind": kind, "vocab_size": SIZES[kind] - 10, "lower_case": True}
    tokenizer = train_tokenizer(SENTENCES, tmp_path / "new", **options)
    assert tokenizer(["THE RIVER"]) == tokenizer(["the river"])


def test_rare_words_beyond_the_budget_are_left_out(tmp_path):
    rare = [f"{word} {number:05}" for number, word in enumerate(SENTENCES)]
    with pytest.warns(UserWarning, match=r"more than 1000 bytes; .* make up \d+\.\d% of"):
        train_tokenizer(rare, tmp_path / "new", kind="bpe", vocab_size=90, word_budget=1000)


def test_importing_the_room_imports_no_library():
    code = "import reference.training, sys; print('tokenizers' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
    assert reference.training.train_tokenizer is train_tokenizer
    with pytest.raises(AttributeError):
        _ = reference.training.nothing
