"""A user's own files: what they may hold, and what is said of those that are wrong."""

import json

import numpy as np
import pytest

from reference.errors import InputError
from reference.evaluation import Retrieval, ScoredPairs
from reference.evaluation.reading import read_collection, read_pairs


@pytest.fixture
def write(tmp_path):
    def made(name: str, text: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return made


def test_pairs_of_query_and_document(write):
    text = "\ufeffq1\tthe cat\r\nq2\tthe moon\r\n\r\nq1\tthe moon\r\nq1\tthe cat\r\n"
    data = read_pairs(write("pairs.tsv", text))
    assert isinstance(data, Retrieval)
    assert data.queries == {0: "q1", 1: "q2"} and data.documents == {
        0: "the cat",
        1: "the moon",
    }
    assert data.judged == [{0: 1, 1: 1}, {1: 1}]
    assert data.notes == ("pairs: 4", "queries: 2, documents: 2")


def test_pairs_with_a_score(write):
    data = read_pairs(write("scores.tsv", "a\tb\t0.5\nc c\td\t-1e2\na\ta\t7"))
    assert isinstance(data, ScoredPairs)
    assert (data.left, data.right) == (["a", "c c", "a"], ["b", "d", "a"])
    np.testing.assert_array_equal(data.wanted, [0.5, -100, 7])


BEIR = {
    "queries.jsonl": '{"_id": "q1", "text": "cats"}\n{"_id": "q2", "text": "x", "more": {}}',
    "corpus.jsonl": '{"_id": "d1", "title": "A", "text": "b"}\n{"_id": "q1", "title": "", '
    '"text": "c"}',
    "test.tsv": "query-id\tcorpus-id\tscore\nq1\tq1\t2\nq1\td1\t0\nq2\td1\t1\n",
}
TREC = {
    "queries.tsv": "q1\tcats\nq2\tx\n",
    "documents.tsv": "d1\tA b\nq1\tc\n",
    "qrels.txt": "q1 0 q1 2\nq1 0 d1 0\n\nq2 Q0 d1 1\n",
}


@pytest.mark.parametrize("files", [BEIR, TREC], ids=["BEIR", "TREC"])
def test_three_files(write, files):
    data = read_collection(*(write(name, text) for name, text in files.items()))
    assert data.queries == {"q1": "cats", "q2": "x"}
    assert data.documents == {"d1": "A b", "q1": "c"}
    assert data.judged == [{1: 2, 0: 0}, {0: 1}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a\n", "line 1: there is 1 column; there must be two columns"),
        ("a\tb\tc\td\n", "line 1: there are 4 columns"),
        ("a\tb\n\na\tb\t1\n", "line 3: there are 3 columns, where the lines before have"),
        ("a\tb\t1\na\tb\n", "line 2: there are 2 columns, where the lines before have"),
        ("a\tb\n\tb\n", "line 2: a column is empty"),
        ("a\tb\t1\na\tb\t\n", "line 2: a column is empty"),
        ("a\tb\tscore\na\tb\t1\n", "line 1: the score is 'score'; it must be a number"),
        ("a\tb\t1\na\tb\tnan\n", "line 2: the score is 'nan'; it must be a finite number"),
        ("a\tb\t1\na\tb\t1e999\n", "line 2: the score is '1e999'; it must be a finite"),
        ("a\tb\t1\na\tb\t1\n", "all 2 scores are the same"),
        ("a\tb\t1\n", "a list of two numbers is the least"),
        (b"a\tb\nc\t\xff\n", "not UTF-8 text: line 2 holds the byte 0xff"),
    ],
)
def test_pairs_that_are_none(write, text, message):
    file = write("pairs.tsv", text)
    with pytest.raises(InputError, match=message) as caught:
        read_pairs(file)
    assert str(caught.value).startswith(file)


@pytest.mark.parametrize(
    ("changed", "text", "message"),
    [
        (0, "", "queries.jsonl is empty; --queries names a file"),
        (0, "{", "queries.jsonl, line 1 is not valid JSON"),
        (0, "\n[1]", "queries.jsonl, line 2 holds a JSON list, not an object"),
        (0, '{"_id": "q"}', "line 1: an object must have _id, and text"),
        (0, '{"_id": null, "text": "a"}', "line 1: an object must have _id, and text"),
        (1, '{"_id": "d", "text": "a", "title": 3}', "line 1: title is 3; it must be a string"),
        (
            1,
            '{"_id": 7, "text": "a"}\n{"_id": "7", "text": "b"}',
            "line 2: the id '7' is there",
        ),
        (1, '{"_id": "d", "text": "\\ud800"}', "half of a surrogate pair"),
        (2, "", "test.tsv is empty; it says which document"),
        (2, "query-id\tcorpus-id\tscore\n", "test.tsv is empty"),
        (2, "q1\td1\n", "line 1: there are 2 columns; there must be three"),
        (2, "q1\td1\tx\n", "line 1: the relevance is 'x'; it must be a number"),
        (2, "q1\td1\tnan\n", "line 1: the relevance is 'nan'; it must be a finite number"),
        (2, "q1\td1\t0.5\n", "line 1: the relevance is 0.5; it must be a whole"),
        (2, "q1\td1\t1\nq9\td1\t1\n", "line 2: .*queries.jsonl has no 'q9'"),
        (2, "q1\td1\t1\nq1\td9\t1\n", "line 2: .*corpus.jsonl has no 'd9'"),
        (2, "q1\td1\t1\nq1\td1\t2\n", "line 2: document 'd1' was judged 1 for the query 'q1'"),
        (2, "q1\td1\t1e300\n", "test.tsv: the relevance of .* less than 2147483648"),
        (2, "q1\td1\t0\n", "test.tsv: no query has a relevant document"),
        (2, b"q1\td1\t\xfe\n", "not UTF-8 text: line 1 holds the byte 0xfe"),
    ],
)
def test_three_files_of_which_one_is_wrong(write, changed, text, message):
    files = list(BEIR.items())
    if changed == 1 and "surrogate" in message:
        files[2] = ("test.tsv", "q1\td\t1\n")
    files[changed] = (files[changed][0], text)
    with pytest.raises(InputError, match=message):
        read_collection(*(write(*file) for file in files))


def test_texts_with_tabs_must_have_one(write):
    files = [write(*file) for file in TREC.items()]
    bad = write("bad.tsv", "q1 without a tab\n")
    with pytest.raises(InputError, match=r"bad.tsv, line 1: there is 1 column; there must be"):
        read_collection(bad, *files[1:])
    with pytest.raises(InputError, match=r"none.tsv cannot be read"):
        read_collection(files[0] + "none.tsv", *files[1:])


def test_json_of_any_escape_is_read(write):
    queries = write("q.jsonl", json.dumps({"_id": "q", "text": "\u2028 é\t\n"}) + "\n")
    documents, qrels = write("d.tsv", "d\tx\u2028y\n"), write("r.tsv", "q\td\t1\n")
    data = read_collection(queries, documents, qrels)
    assert data.queries == {"q": "\u2028 é\t\n"} and data.documents == {"d": "x\u2028y"}
