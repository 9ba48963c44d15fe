"""What words alone find, for a model to be held against: BM25 for retrieval, TF-IDF for
pairs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from reference.evaluation.contestant import Contestant, Likeness
from reference.evaluation.ranking import Ranking, Top

_WORD = re.compile(r"[^\W_]{2,}")
Stem = Callable[[str], str]


def singular(word: str) -> str:
    """A word without the s of its plural, by the three rules of Harman (1991). It is wrong now
    and then, and the same for all texts."""
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")):
        return word[:-1]
    return word


def words(text: str, stem: Stem = singular) -> list[str]:
    """Two or more letters or digits in a row, in lower case, and the stem of these. So
    "batch_sizes" is two words."""
    return [stem(word) for word in _WORD.findall(text.lower())]


class BM25(Contestant):
    """BM25 in Lucene's form, computed by the package bm25s, without Lucene's English stop
    words. A document that shares no word with the query is not found at all.

    stem: what becomes of a word; `singular` needs no other package. A stemmer that knows more
        endings finds more: `snowballstemmer.stemmer("english").stemWord`, for one.
    """

    def __init__(self, k1: float = 1.5, b: float = 0.75, stem: Stem = singular) -> None:
        self.k1, self.b, self.stem = k1, b, stem

    def rank(self, queries: Sequence[str], documents: Sequence[str], top_k: int) -> Ranking:
        scores_of = self._index(documents)
        top = Top(len(queries), top_k, len(documents))

        def score(block: slice) -> np.ndarray:
            scores = np.stack([scores_of(query) for query in queries[block]])
            return np.where(scores > 0, scores, -np.inf)

        top.see(score)
        return top.ranking()

    def _index(self, documents: Sequence[str]) -> Callable[[str], np.ndarray]:
        """A function that gives a query's scores with all documents."""
        import bm25s

        # Numbered in the order of the text; bm25s would number them as a set has them.
        numbers: dict[str, int] = {}
        ids = [
            [numbers.setdefault(word, len(numbers)) for word in self._content(text)]
            for text in documents
        ]
        index = bm25s.BM25(k1=self.k1, b=self.b, method="lucene", backend="numpy")
        if numbers:  # bm25s cannot take a corpus without words
            index.index((ids, numbers), create_empty_token=False, show_progress=False)

        def scores_of(query: str) -> np.ndarray:
            known = [numbers[word] for word in self._content(query) if word in numbers]
            if not known:
                return np.zeros(len(documents), np.float32)
            return index.get_scores_from_ids(known)

        return scores_of

    def _content(self, text: str) -> Iterator[str]:
        found = _WORD.findall(text.lower())
        return (self.stem(word) for word in found if word not in _stop_words())


@cache
def _stop_words() -> frozenset[str]:
    from bm25s.stopwords import STOPWORDS_EN

    return frozenset(STOPWORDS_EN)


class TfIdf(Contestant):
    """The cosine between counts of words, each counting less the more of the texts have it."""

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Likeness:
        texts = list(dict.fromkeys((*left, *right)))
        often = Counter(word for text in texts for word in set(words(text)))
        vectors = {text: _weighted(words(text), often, len(texts)) for text in texts}
        return Likeness(
            np.array(
                [_cosine(vectors[a], vectors[b]) for a, b in zip(left, right, strict=True)]
            )
        )


def _weighted(found: list[str], often: Counter, texts: int) -> dict[str, float]:
    weights = {
        word: count * math.log(texts / often[word]) for word, count in Counter(found).items()
    }
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {word: weight / length for word, weight in weights.items()} if length else {}


def _cosine(left: dict[str, float], right: dict[str, float]) -> float:
    return sum(weight * right.get(word, 0.0) for word, weight in left.items())
