"""The measures of retrieval beside those of trec_eval, which ir-measures runs."""

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, R, Success, nDCG

from reference.errors import InputError
from reference.evaluation import measures
from reference.evaluation.measures import (
    accuracy,
    average_precision,
    ndcg,
    order,
    recall,
    reciprocal_rank,
)

CUTS = (1, 3, 5, 10)
THEIRS = ir_measures.providers.registry["pytrec_eval"]


@st.composite
def runs(draw):
    """Scores with many ties, of which some documents have none, and relevance, which some
    documents have not been given."""
    size = draw(st.integers(1, 14))
    scores = draw(
        st.lists(st.sampled_from([-1.5, 0.0, 0.25, 2.0]), min_size=size, max_size=size)
    )
    found = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    grades = st.sampled_from([None, -1, 0, 0, 1, 1, 2, 3])
    relevance = draw(st.lists(grades, min_size=size, max_size=size))
    relevance[draw(st.integers(0, size - 1))] = draw(st.integers(1, 3))
    return np.array(scores), np.flatnonzero(found), relevance


def ours(scores, ids, relevance):
    """The relevance at each rank, and all that were judged."""
    ranked = ids[order(scores[ids], ids)]
    found = np.array([relevance[place] or 0 for place in ranked], int)
    return found, np.array([value for value in relevance if value is not None])


@given(runs())
def test_every_measure_is_trec_evals(run):
    """Which orders equal scores by falling id, so the ids are turned around for it."""
    scores, ids, relevance = run
    found, judged = ours(scores, ids, relevance)
    name = lambda place: f"{99 - place:02}"
    asked = [R @ k for k in CUTS] + [Success @ k for k in CUTS]
    asked += [nDCG @ k for k in CUTS] + [AP @ k for k in CUTS] + [AP, RR]
    qrels = {"q": {name(p): v for p, v in enumerate(relevance) if v is not None}}
    theirs = {name(place): float(scores[place]) for place in ids.tolist()}
    truth = THEIRS.calc_aggregate(asked, qrels, {"q": theirs})
    relevant = np.count_nonzero(judged > 0)
    for k in CUTS:
        assert recall(found, judged, k) == pytest.approx(truth[R @ k])
        assert accuracy(found, judged, k) == truth[Success @ k]
        assert ndcg(found, judged, k) == pytest.approx(truth[nDCG @ k])
        # trec_eval divides by all relevant documents, however many ranks there are for them.
        theirs_scaled = truth[AP @ k] * relevant / min(k, relevant)
        assert average_precision(found, judged, k) == pytest.approx(theirs_scaled)
        first = truth[RR] if truth[RR] * k >= 1 - 1e-9 else 0
        assert reciprocal_rank(found, judged, k) == pytest.approx(first)
    assert average_precision(found, judged) == pytest.approx(truth[AP])


def test_a_ranking_by_hand():
    found, judged = np.array([0, 2, 0, 1]), np.array([1, 2, 3, 0])
    assert [recall(found, judged, k) for k in (1, 2, 10)] == [0, 1 / 3, 2 / 3]
    assert [accuracy(found, judged, k) for k in (1, 2)] == [0, 1]
    assert [reciprocal_rank(found, judged, k) for k in (1, 2)] == [0, 1 / 2]
    assert average_precision(found, judged) == (1 / 2 + 2 / 4) / 3
    assert average_precision(found, judged, 2) == (1 / 2) / 2
    best = 3 + 2 / np.log2(3) + 1 / 2
    assert ndcg(found, judged, 10) == pytest.approx((2 / np.log2(3) + 1 / np.log2(5)) / best)
    assert ndcg(found, judged, 1) == 0


def test_the_best_order_is_worth_one_where_more_is_relevant_than_is_looked_at():
    judged = np.ones(20, int)
    assert ndcg(judged, judged, 10) == average_precision(judged, judged, 10) == 1
    assert recall(judged, judged, 10) == 0.5


def test_nothing_found_is_worth_nothing():
    found, judged = np.array([], int), np.array([1])
    for measure in (recall, accuracy, reciprocal_rank, ndcg, average_precision):
        assert measure(found, judged, 10) == 0


@pytest.mark.parametrize("name", ["recall", "accuracy", "reciprocal_rank", "ndcg"])
@pytest.mark.parametrize("judged", [[], [0, 0], [-1]])
def test_a_query_without_a_relevant_document_has_no_measure(name, judged):
    with pytest.raises(InputError, match="no document is relevant"):
        getattr(measures, name)(np.array([0, 0]), np.array(judged, int), 10)


def test_equal_scores_are_ordered_by_id_and_float32_says_what_is_equal():
    scores = np.array([0.1, 0.5, 0.5 + 1e-12, 0.1])
    assert order(scores, np.array([3, 2, 1, 0])).tolist() == [2, 1, 3, 0]
    assert order(scores, np.array(["a", "b", "c", "d"])).tolist() == [1, 2, 0, 3]
    assert order(np.zeros(3), np.array(["10", "9", "1"])).tolist() == [2, 0, 1]
