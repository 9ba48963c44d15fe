"""Cosines beside what people said: small real data that gensim brings with its own tests."""

from pathlib import Path

import numpy as np
import pytest

import reference

gensim = pytest.importorskip("gensim")  # with the test extra, always there
DATA = Path(gensim.__file__).parent / "test" / "test_data"


def ranks(values):
    """Places in order, the mean place where values are equal."""
    values = np.asarray(values)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def pearson(left, right):
    return float(np.corrcoef(left, right)[0, 1])


def spearman(left, right):
    return pearson(ranks(left), ranks(right))


def tf_idf(texts):
    """Unit vectors of words, a word counting less the more texts have it."""
    words = sorted({word for text in texts for word in text.lower().split()})
    counts = np.array([[text.lower().split().count(word) for word in words] for text in texts])
    weighted = counts * np.log(len(texts) / (counts > 0).sum(axis=0))
    return weighted / np.linalg.norm(weighted, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def lee():
    """Fifty news texts, and how alike people found each two of them (Lee et al. 2005)."""
    texts = (DATA / "lee.cor").read_text(encoding="latin-1").splitlines()
    human = np.loadtxt(DATA / "similarities0-1.txt")
    return texts, human


@pytest.fixture(scope="module")
def pairs():
    """Pairs of words and how alike people found them (Hill et al. 2015, Finkelstein et al.
    2002)."""
    found = {}
    for name in ("simlex999.txt", "wordsim353.tsv"):
        lines = (DATA / name).read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
        found[name] = [(row[0], row[1], float(row[2])) for row in rows if _is_number(row[2])]
    return found


def _is_number(text):
    return text.replace(".", "", 1).isdigit()


@pytest.fixture(scope="module")
def theirs(lee, minilm):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(minilm), device="cpu").encode(lee[0])


def test_news_texts(lee, theirs, minilm, backend):
    texts, human = lee
    above = np.triu_indices(50, 1)
    model = reference.load(minilm, backend=backend)
    scores = model.similarity(texts, texts).scores
    np.testing.assert_allclose(scores, theirs @ theirs.T, atol=2e-6)
    ours = pearson(scores[above], human[above])
    words = tf_idf(texts)
    assert round(ours, 3) == 0.656 and round(spearman(scores[above], human[above]), 3) == 0.508
    assert ours > pearson((words @ words.T)[above], human[above]) + 0.05


@pytest.mark.parametrize("name", ["simlex999.txt", "wordsim353.tsv"])
def test_words(pairs, minilm, name):
    """A model of sentences tells what belongs together (WordSim) better than what is alike
    (SimLex)."""
    model = reference.load(minilm)
    left, right, human = zip(*pairs[name], strict=True)
    cosines = (model.encode(left) * model.encode(right)).sum(axis=1)
    known = {"simlex999.txt": 0.446, "wordsim353.tsv": 0.729}
    assert round(spearman(cosines, human), 3) == known[name]
