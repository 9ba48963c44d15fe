"""Where the text to learn from may come from, and what is wrong with some of it."""

from pathlib import Path

import datasets
import pytest

from reference.errors import InputError
from reference.training.tokenizer.sources import training_texts

LINES = ["one sentence", "", "  ", "and é another"]
TEXTS = [LINES[0], LINES[3]]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(LINES).encode())
    return path


def test_the_same_text_in_every_form(file):
    dataset = datasets.Dataset.from_dict({"n": [1, 2, 3, 4], "text": LINES})
    forms = [
        str(file),
        file,
        [file],
        LINES,
        tuple(LINES),
        iter(LINES),
        (line for line in LINES),
        dataset,
        dataset.to_iterable_dataset(),
    ]
    for form in forms:
        assert list(training_texts(form)) == TEXTS
    assert list(training_texts([file, file])) == TEXTS + TEXTS
    assert list(training_texts(dataset.rename_column("text", "body"), "body")) == TEXTS


def test_one_text_is_read_after_another():
    def endless():
        while True:
            yield "a text"

    texts = training_texts(endless())
    assert [next(texts) for _ in range(3)] == ["a text"] * 3


def test_what_is_no_text(tmp_path):
    dataset = datasets.Dataset.from_dict({"text": ["a", None], "n": [1, 2]})
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"good\nb\xffd\n")
    nul = tmp_path / "nul.txt"
    nul.write_bytes(b"good\ngood\nb\0d\n")
    for source, message in [
        (["a", 5], r"texts\[1\] is int 5; it must be a string"),
        (["a", "b\0c"], r"texts\[1\] holds a NUL character"),
        (["\ud800"], r"texts\[0\] holds half of a surrogate pair"),
        (7, "texts must be a list of strings, not int"),
        (b"bytes", "texts must be a list of strings, not bytes"),
        ([Path("a.txt"), 5], r"a\.txt cannot be read"),
        ([bad, 5], r"bad\.txt is not UTF-8 text: line 2 holds the byte 0xff"),
        (nul, r"nul\.txt: line 3 holds a NUL character"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "none.txt", r"none\.txt cannot be read: No such file"),
        (dataset, r"text\[1\] of the dataset is NoneType"),
        (dataset.select_columns(["n"]), "no column 'text'; it has n"),
        (dataset.to_iterable_dataset().select_columns(["n"]), "no column 'text'; it has n"),
        (datasets.DatasetDict(train=dataset), r"datasets, train; give one.*texts\['train'\]"),
    ]:
        with pytest.raises(InputError, match=message):
            list(training_texts(source))
