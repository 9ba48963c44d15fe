"""Scores of retrieval beside those of sentence-transformers' own evaluator."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

import reference
from reference.evaluation import Retrieval, evaluate


class Stub:
    """An encoder of whole numbers, whose scores are exact in any library."""

    similarity_fn_name = "dot"

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, texts, **_):
        return np.array([self.vectors[text] for text in texts], np.float32)

    encode_query = encode_document = encode


def their_scores(model, queries, documents, relevance):
    judged = {key: {d for d, v in row.items() if v > 0} for key, row in relevance.items()}
    evaluator = InformationRetrievalEvaluator(
        queries,
        documents,
        judged,
        accuracy_at_k=[1, 5, 10],
        precision_recall_at_k=[1, 5, 10],
        score_functions={"f": lambda a, b: a @ b.T},
    )
    return evaluator(model)


@given(st.data())
def test_scores_are_those_of_sentence_transformers(data):
    """With many ties, and ids that queries and documents have in common."""
    ids = [str(number) for number in range(data.draw(st.integers(1, 25)))]
    coordinates = st.tuples(st.integers(0, 2), st.integers(0, 1))
    vectors = {f"text {key}": data.draw(coordinates) for key in ids}
    queries = {key: f"text {key}" for key in ids[:4]}
    documents = {key: f"text {key}" for key in data.draw(st.permutations(ids))}
    some = st.dictionaries(st.sampled_from(ids), st.just(1), min_size=1, max_size=15)
    relevance = {key: data.draw(some) for key in queries}

    class Theirs(Stub):
        def encode(self, texts, **_):
            return torch.from_numpy(super().encode(texts))

        encode_query = encode_document = encode

        class model_card_data:
            set_evaluation_metrics = staticmethod(lambda *_: None)

    truth = their_scores(Theirs(vectors), queries, documents, relevance)
    (ours,) = evaluate(Retrieval(queries, documents, relevance), Stub(vectors))
    for name, value in ours.scores.items():
        measure, _, k = name.lower().partition("@")
        assert value == pytest.approx(truth[f"f_{measure}@{k}"]), name


def test_a_real_model_scores_as_in_sentence_transformers(minilm):
    queries = {str(n): f"What is {n} times {m}?" for n in range(6) for m in [n * 3]}
    documents = {str(n): f"{n} times {3 * n} is {3 * n * n}." for n in range(40)}
    relevance = {key: {key: 1, str(int(key) + 1): 1} for key in queries}
    truth = their_scores(
        SentenceTransformer(str(minilm), device="cpu"), queries, documents, relevance
    )
    (ours,) = evaluate(Retrieval(queries, documents, relevance), reference.load(minilm))
    for name, value in ours.scores.items():
        measure, _, k = name.lower().partition("@")
        assert value == pytest.approx(truth[f"f_{measure}@{k}"]), name
