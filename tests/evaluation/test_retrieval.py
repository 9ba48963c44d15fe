"""Evaluations of retrieval: the table, what is told with it, and everything that can be wrong
with the data."""

import math
import tracemalloc

import numpy as np
import pytest

import reference
from reference import evaluation
from reference.checkpoint import EMBEDDED_MODEL
from reference.errors import InputError
from reference.evaluation import BM25, Retrieval, Vectors, evaluate, random_weights
from reference.parity import random_checkpoint

QUERIES = {"a": "how is the cat fed", "b": "a moon that is full", "c": "nobody answers this"}
DOCUMENTS = {
    "z": "The cat is fed at noon.",
    "b": "The moon is full tonight.",
    "y": "Full of fish, the cat sleeps under the moon.",
    "x": "A stone.",
}
RELEVANCE = {"a": {"z": 2, "y": 1}, "b": ["b", "y"], "c": {"x": 0}}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small embedding model that takes texts of 12 tokens."""
    folder = tmp_path_factory.mktemp("evaluation") / "model"
    settings = {"max_position_embeddings": 12, "hidden_size": 32}
    random_checkpoint(folder, tokenizer=EMBEDDED_MODEL, pooling="mean", **settings)
    return folder


class Stub:
    """An encoder of whole numbers, whose scores are exact in any library."""

    similarity_fn_name = "dot"

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, texts, **_):
        return np.array([self.vectors[text] for text in texts], np.float32)

    encode_query = encode_document = encode


def test_a_table_of_contestants(minilm):
    data = Retrieval(QUERIES, DOCUMENTS, RELEVANCE, ["a note"])
    model = reference.load(minilm)
    vectors = Vectors(
        model.encode(list(data.queries.values())), model.encode(list(data.documents.values()))
    )
    table = evaluate(data, {"MiniLM": model, "vectors": vectors, "BM25": BM25()})
    assert table[0].scores == table[1].scores and table[0].scores["recall@1"] == 0.5
    lines = repr(table).splitlines()
    assert lines[0] == "a note"
    assert lines[1] == "queries: 2, documents: 4; without a relevant document, and left out: 1"
    assert lines[2].split()[:6] == "recall@1 recall@5 recall@10 MRR@10 nDCG@10 MAP@100".split()
    assert lines[2].endswith("  ± of nDCG")
    assert lines[3].split()[:3] == ["MiniLM", "0.5000", "1.0000"] and len(lines) == 6
    assert "<th>nDCG@10</th>" in table._repr_html_() and "<p>a note</p>" in table._repr_html_()
    row = table[2].to_dict()
    assert row["name"] == "BM25" and row["queries"] == 2 and row["documents"] == 4
    assert row["left_out"] == 1 and row["scores"]["accuracy@10"] == 1 and row["notes"] == []
    assert repr(table[0]).startswith("RetrievalScores(name='MiniLM', scores={'recall@1': 0.5")


def test_graded_relevance_counts_in_ndcg_only():
    vectors = Vectors(np.array([[1.0]]), np.array([[3.0], [2.0], [1.0]]), metric="dot")
    scores = [
        evaluate(Retrieval(["q"], ["a", "b", "c"], {0: judged}), vectors)[0].scores
        for judged in ({0: 1, 1: 3}, {0: 1, 1: 1})
    ]
    assert scores[0]["nDCG@10"] == pytest.approx(
        (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))
    )
    assert scores[1]["nDCG@10"] == 1
    assert all(scores[0][name] == scores[1][name] for name in scores[0] if "nDCG" not in name)


def test_the_margin_is_that_of_the_mean():
    queries = np.array([[1.0, 0], [0, 1], [1, 0], [1, 0]])
    vectors = Vectors(queries, np.array([[1.0, 0], [0, 1]]))
    data = Retrieval(["a", "b", "c", "d"], ["x", "y"], {0: [0], 1: [0], 2: [0], 3: [0]})
    (row,) = evaluate(data, vectors)
    values = np.array([1, 1 / np.log2(3), 1, 1])
    assert row.scores["nDCG@10"] == pytest.approx(values.mean())
    assert row.margin == pytest.approx(1.96 * np.std(values, ddof=1) / 2)
    one = evaluate(Retrieval(["a"], ["x"], {0: [0]}), Vectors(queries[:1], queries[:1]))
    assert one[0].margin is None and repr(one).splitlines()[2].endswith("none")


def test_what_is_cut_is_told(small, backend):
    documents = ["a cat " * 9, "a cat", "the moon " * 20]
    data = Retrieval(["a cat"], documents, {0: [1]})
    (row,) = evaluate(data, {"model": reference.load(small, backend=backend)})
    assert row.notes == ("2 of 3 documents were cut at 12 tokens",)
    pairs = evaluation.ScoredPairs(documents, documents[::-1], [1, 2, 3])
    (row,) = evaluate(pairs, reference.load(small, backend=backend))
    assert row.notes == ("2 of 3 texts were cut at 12 tokens",)


def test_random_weights_are_those_of_the_seed(small, backend):
    model = reference.load(small, backend=backend)
    texts = list(DOCUMENTS.values())
    encode = lambda model: model.encode(texts, truncation="ignore")
    drawn = encode(random_weights(model))
    np.testing.assert_array_equal(drawn, encode(random_weights(model, seed=0)))
    for other in (model, random_weights(model, seed=1)):
        assert np.abs(drawn - encode(other)).max() > 1e-2
    again = random_weights(model)
    assert type(again) is type(model) and again.backend == backend
    assert again.checkpoint.home == model.checkpoint.home


def test_prompts_are_those_of_the_sides():
    asked = []

    class Model:
        def encode_query(self, texts):
            asked.append(("query", len(texts)))
            return np.ones((len(texts), 2), np.float16)

        def encode(self, texts):
            asked.append(("plain", len(texts)))
            return np.ones((len(texts), 2))

    evaluate(Retrieval(QUERIES, DOCUMENTS, RELEVANCE), Model())
    assert asked == [("query", 2), ("plain", 4)]


def test_few_scores_are_in_memory_at_a_time(tmp_path):
    """Of 20 million, which are 80 MB in float32; the documents are a memory map."""
    documents = np.lib.format.open_memmap(
        tmp_path / "vectors.npy", "w+", np.float32, (10_000, 4)
    )
    documents[:] = np.random.default_rng(0).standard_normal(documents.shape)
    queries = documents[:2000].copy()
    texts = [""] * 10_000
    tracemalloc.start()
    ranking = Vectors(queries, documents).rank(texts[:2000], texts, 3)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 60e6 and ranking.documents[:, 0].tolist() == list(range(2000))


@pytest.mark.parametrize(
    ("queries", "documents", "relevance", "message"),
    [
        ({}, DOCUMENTS, {}, "there are no queries"),
        (QUERIES, [], {}, "there are no documents"),
        (QUERIES, "a text", {}, "documents must be a list of strings, not str"),
        (QUERIES, {"x": 3}, {}, r"documents\[0\] is int 3"),
        ({"a": "x", 3: "y"}, DOCUMENTS, {}, "queries has the id 3; all are strings"),
        (QUERIES, DOCUMENTS, {}, "no query has a relevant document"),
        (QUERIES, DOCUMENTS, {"a": {"z": 0}}, "no query has a relevant document"),
        (QUERIES, DOCUMENTS, {"q": ["z"]}, "names the query 'q', which is not there"),
        (QUERIES, DOCUMENTS, {"a": ["q"]}, "names the document 'q' for the query 'a'"),
        (QUERIES, DOCUMENTS, {"a": "z"}, "relevance for query 'a' is 'z'"),
        (QUERIES, DOCUMENTS, {"a": {"z": float("nan")}}, "is nan; it must be a whole number"),
        (QUERIES, DOCUMENTS, [("a", "z")], "must be a mapping from the ids of queries"),
    ],
)
def test_data_that_is_no_data(queries, documents, relevance, message):
    with pytest.raises(InputError, match=message):
        Retrieval(queries, documents, relevance)


@pytest.mark.parametrize(
    ("contestant", "message"),
    [
        (3, "a int makes no vectors"),
        (Vectors(np.ones((3, 2)), np.ones((4, 2))), "3 vectors of 2 queries"),
        (Vectors(np.ones((2, 2)), np.ones((3, 2))), "3 vectors of 4 documents"),
        (
            Vectors(np.ones((2, 2)), np.ones((4, 3))),
            "a query's vector has 2 numbers and a document's 3",
        ),
        (Vectors(np.ones((2, 2)), np.full((4, 2), np.nan)), "documents holds NaN"),
        (Vectors(np.ones((2, 2), int), np.ones((4, 2))), "queries holds int64"),
        (Vectors([[1.0]], np.ones((4, 2))), "must be an array with a row for each"),
        (Vectors(np.full((2, 2), 1e20), np.full((4, 2), 1e20), "dot"), "overflow float32"),
        (evaluation.TfIdf(), "compares pairs of texts"),
        (
            Stub(
                {text: [1] for text in QUERIES.values()}
                | {text: [1, 2] for text in DOCUMENTS.values()}
            ),
            "a query's vector has 1 numbers and a document's 2",
        ),
    ],
)
def test_contestants_that_cannot_take_part(contestant, message):
    with pytest.raises(InputError, match=message):
        evaluate(Retrieval(QUERIES, DOCUMENTS, RELEVANCE), contestant)


def test_an_encoder_that_loses_a_text():
    class Model:
        def encode(self, texts):
            return np.ones((1, 2))

    with pytest.raises(
        InputError, match=r"Model makes an array of shape \(1, 2\) of 2 queries"
    ):
        evaluate(Retrieval(QUERIES, DOCUMENTS, RELEVANCE), Model())


def test_data_of_another_kind_is_refused():
    with pytest.raises(InputError, match="the data is a list"):
        evaluate([], BM25())
    with pytest.raises(InputError, match="metric 'sine'"):
        evaluation.Encoder(Stub({}), metric="sine")
