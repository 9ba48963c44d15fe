"""BM25 beside its formula."""

import math

import numpy as np

from reference.evaluation import BM25
from reference.evaluation.ranking import NOTHING
from reference.evaluation.words import singular, words

TEXTS = [
    "The cat is fed at noon.",
    "The moon is full tonight.",
    "Full of fish, the cat sleeps under the moon.",
    "A stone.",
]


def test_words():
    assert words("Don't np.array_22 a CATS") == ["don", "np", "array", "22", "cat"]
    plain = words("queries classes axes trees does was class this movies", stem=str)
    assert plain[0] == "queries"
    assert list(map(singular, plain)) == [
        "query", "classe", "axe", "tree", "doe", "wa", "class", "thi", "movy"
    ]  # fmt: skip


def test_another_stemmer():
    found = BM25(stem=lambda word: word[:3]).rank(["catalogue"], TEXTS, 9)
    assert set(found.documents[0].tolist()) == {0, 2, NOTHING}


def test_bm25_is_the_formula():
    found = BM25(k1=1.2, b=0.5).rank(["the cat, the moon and the fish", "stone", "?"], TEXTS, 9)
    stop = {"the", "is", "at", "of", "and"}
    lengths = [len([w for w in words(text, str) if w not in stop]) for text in TEXTS]
    scores = np.zeros(4)
    for word in ("cat", "moon", "fish"):
        often = [words(text).count(word) for text in TEXTS]
        containing = np.count_nonzero(often)
        idf = math.log(1 + (4 - containing + 0.5) / (containing + 0.5))
        for place, count in enumerate(often):
            norm = 1.2 * (0.5 + 0.5 * lengths[place] / np.mean(lengths))
            scores[place] += idf * count / (count + norm)
    assert found.documents[0].tolist() == [
        2,
        *sorted([0, 1], key=lambda n: -scores[n]),
        NOTHING,
    ]
    np.testing.assert_allclose(found.scores[0, :3], np.sort(scores)[::-1][:3], rtol=1e-6)
    assert found.documents[1].tolist() == [3, NOTHING, NOTHING, NOTHING]
    assert (found.documents[2] == NOTHING).all()


def test_bm25_of_documents_without_words():
    assert (BM25().rank(["a", "the cat"], ["", "the", "?"], 5).documents == NOTHING).all()
