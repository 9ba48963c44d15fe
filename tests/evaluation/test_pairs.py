"""Scored pairs, and what people said of Lee's news texts."""

import importlib.util

import numpy as np
import pytest

import reference
from reference.errors import InputError
from reference.evaluation import BM25, ScoredPairs, TfIdf, Vectors, evaluate
from reference.evaluation.lee import lee_pairs

LEFT, RIGHT = ["a cat", "a cat", "the moon"], ["a cat", "the moon", "a moon"]


def test_news_texts(minilm, backend):
    data = lee_pairs()
    assert data.notes[0].startswith("all 1225 pairs of 50 news texts")
    table = evaluate(
        data, {"MiniLM": reference.load(minilm, backend=backend), "words": TfIdf()}
    )
    ours, words = table
    assert (round(ours.pearson, 3), round(ours.spearman, 3)) == (0.656, 0.508)
    assert (round(words.pearson, 3), round(words.spearman, 3)) == (0.527, 0.24)
    assert repr(table).splitlines()[2].split() == ["MiniLM", "0.6564", "0.5083"]


def test_each_text_is_embedded_once():
    asked = []

    class Model:
        similarity_fn_name = "euclidean"

        def encode(self, texts):
            asked.extend(texts)
            return np.array([[float(len(text))] for text in texts])

    (row,) = evaluate(ScoredPairs(LEFT, RIGHT, [3, 1, 2]), Model())
    assert sorted(asked) == ["a cat", "a moon", "the moon"]
    assert row.pearson == pytest.approx(np.corrcoef([0, -3, -2], [3, 1, 2])[0, 1])
    assert row.spearman == 1 and row.pairs == 3


def test_vectors_of_both_sides():
    left = np.array([[1.0, 0], [1, 0], [0, 2]])
    data = ScoredPairs(LEFT, RIGHT, [2, 0, 1])
    (row,) = evaluate(data, Vectors(left, np.array([[5.0, 0], [0, 1], [1, 1]])))
    assert row.spearman == 1


def test_words_that_all_texts_have_tell_nothing():
    (row,) = evaluate(ScoredPairs(["to be"] * 2, ["to be", "be to"], [1, 2]), TfIdf())
    assert (row.pearson, row.spearman) == (None, None)
    assert row.table()[1] == [["TfIdf", "none", "none"]]


@pytest.mark.parametrize(
    ("left", "right", "scores", "message"),
    [
        (LEFT, RIGHT[:2], [1, 2, 3], "3 left texts, 2 right ones and 3 scores"),
        (LEFT, RIGHT, [1, 2, np.nan], r"scores\[2\] is nan"),
        (LEFT, RIGHT, [1, 1, 1], "all 3 scores are the same"),
        (LEFT, RIGHT, "abc", "scores must be a list of numbers"),
        (LEFT, "abc", [1, 2, 3], "right must be a list of strings"),
    ],
)
def test_pairs_that_are_none(left, right, scores, message):
    with pytest.raises(InputError, match=message):
        ScoredPairs(left, right, scores)


def test_bm25_compares_no_pairs():
    with pytest.raises(InputError, match="a BM25 ranks documents; it compares no pairs"):
        evaluate(ScoredPairs(LEFT, RIGHT, [1, 2, 3]), BM25())


def test_without_gensim_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"gensim is not installed.*pip install gensim"):
        lee_pairs()


def test_a_gensim_with_other_data(monkeypatch, tmp_path):
    from reference.evaluation import lee

    monkeypatch.setattr(lee, "_folder", lambda: tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        lee_pairs()
    (tmp_path / lee.TEXTS).write_text("a\nb\n")
    (tmp_path / lee.SIMILARITIES).write_text("1 2 3\n4 5 6\n7 8 9\n")
    with pytest.raises(InputError, match="has 2 texts"):
        lee_pairs()
