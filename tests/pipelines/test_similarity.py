"""Comparing and searching: metrics, late interaction, the best of a corpus."""

import shutil
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers.util.similarity import maxsim

import reference
from reference.errors import InputError
from reference.pipelines import batching, late_interaction
from reference.pipelines.late_interaction import max_sim
from reference.pipelines.scores import SCORES
from reference.pipelines.search import Best

TEXTS = ["a cat", "a car", ""]
REFERENCES = ["a kitten sleeps on the warm stone", "an automobile", "the moon"]


@pytest.fixture(scope="module")
def models(minilm):
    return {name: reference.load(minilm, backend=name) for name in ("torch", "mlx", "candle")}


@pytest.mark.parametrize("metric", SCORES)
def test_metrics(models, backend, metric):
    from sentence_transformers.util.similarity import SimilarityFunction

    result = models[backend].similarity(TEXTS, REFERENCES, metric=metric)
    expected = SimilarityFunction.to_similarity_fn(metric)(
        result.embeddings, result.reference_embeddings
    )
    np.testing.assert_allclose(result.scores, expected, rtol=1e-6, atol=2e-6)
    assert result.scores.shape == (3, 3)


def test_vectors_already_made(models, backend):
    model = models[backend]
    whole = model.similarity(TEXTS, REFERENCES)
    vectors = model.encode(REFERENCES)
    half = model.similarity(TEXTS, vectors)
    np.testing.assert_allclose(half.scores, whole.scores, atol=1e-6)
    assert half.reference_embeddings is vectors


def test_late_interaction(models, backend):
    """sentence-transformers' MaxSim on the same vectors."""
    model = models[backend]
    result = model.similarity(TEXTS, REFERENCES, late_interaction=True)
    assert [len(tokens) for tokens in result.embeddings] == [4, 4, 2]
    for tokens in result.embeddings:
        np.testing.assert_allclose(np.linalg.norm(tokens, axis=1), 1, atol=1e-6)
    sides = [
        [torch.from_numpy(tokens) for tokens in side]
        for side in (result.embeddings, result.reference_embeddings)
    ]
    np.testing.assert_allclose(result.scores, maxsim(*sides), atol=1e-5)
    again = model.similarity(result.embeddings, REFERENCES, late_interaction=True)
    np.testing.assert_allclose(again.scores, result.scores, atol=1e-5)


def test_a_pad_is_never_the_most_alike():
    """With pads as rows of zeros, a pad is more alike than any token of an opposite."""
    text, opposite = np.eye(2, dtype=np.float32)[:1], -np.ones((1, 2), np.float32)
    longer = -np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(max_sim([text], [opposite, longer]), [[-1, -1]])
    padded = np.concatenate([opposite, np.zeros((2, 2), np.float32)])
    assert (text @ padded.T).max() == 0  # what that mistake would say


sizes = st.lists(st.integers(1, 5), min_size=1, max_size=6)


@given(sizes, sizes, st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_max_sim_whatever_is_held_at_once(texts, references, seed, products):
    rng = np.random.default_rng(seed)
    texts, references = (
        [rng.standard_normal((size, 4)).astype(np.float32) for size in side]
        for side in (texts, references)
    )
    expected = [[(a @ b.T).max(axis=1).sum() for b in references] for a in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(late_interaction, "PRODUCTS_AT_ONCE", products)
        np.testing.assert_allclose(max_sim(texts, references), expected, rtol=1e-4, atol=1e-5)


def test_search_finds_the_best(models, backend, monkeypatch):
    """Texts part by part, a generator of them, and vectors: the same hits."""
    monkeypatch.setattr("reference.pipelines.batching.TEXTS_AT_ONCE", 2)
    monkeypatch.setattr("reference.pipelines.search.ROWS_AT_ONCE", 2)
    model = models[backend]
    corpus = [*REFERENCES, "a cat", "a kitten sleeps on the warm stone"]
    found = model.search(TEXTS[:2], corpus, top_k=3)
    scores = model.similarity(TEXTS[:2], corpus).scores
    for hits, row in zip(found, scores, strict=True):
        np.testing.assert_allclose([hit.score for hit in hits], -np.sort(-row)[:3], atol=1e-6)
        np.testing.assert_allclose(row[[h.index for h in hits]], -np.sort(-row)[:3], atol=1e-6)
        assert [hit.text for hit in hits] == [corpus[hit.index] for hit in hits]
    assert found[0][0].text == "a cat"
    for other in (iter(corpus), model.encode_document(corpus)):
        again = model.search(TEXTS[:2], other, top_k=3)
        for hits, first in zip(again, found, strict=True):
            np.testing.assert_allclose(
                [hit.score for hit in hits], [hit.score for hit in first], atol=1e-6
            )
    assert again[0][0].text is None
    hits = model.search("a cat", corpus, top_k=99)
    assert len(hits) == 5 and hits[0].text == "a cat"


def test_vectors_that_were_cut_alike(models, backend):
    model = models[backend]
    cut = model.encode(REFERENCES, truncate_dim=32)
    right = model.encode(TEXTS, truncate_dim=32) @ cut.T
    for texts in (TEXTS, model.encode(TEXTS, truncate_dim=32)):
        result = model.similarity(texts, cut, metric="dot", truncate_dim=32)
        np.testing.assert_allclose(result.scores, right, atol=1e-6)
        hits = model.search(texts, cut, 1, metric="dot", truncate_dim=32)
        assert [hit.index for (hit,) in hits] == right.argmax(axis=1).tolist()
    with pytest.raises(InputError, match=r"has shape .* which must be \(texts, 32\) here"):
        model.search(TEXTS, model.encode(REFERENCES), truncate_dim=32)
    with pytest.raises(InputError, match="truncate_dim is 385"):
        model.similarity(TEXTS, REFERENCES, truncate_dim=385)
    with pytest.raises(InputError, match="leave truncate_dim out"):
        model.similarity(TEXTS, REFERENCES, late_interaction=True, truncate_dim=32)


@pytest.mark.parametrize("late", [False, True])
def test_what_is_cut_is_told_once_of_both_sides(models, backend, monkeypatch, late):
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 1)
    long, model = "word " * 400, models[backend]
    with pytest.warns(UserWarning, match="3 of 5 texts were longer than 256") as told:
        found = model.similarity(["a", long], ["b", long, long], late_interaction=late)
    assert len(told) == 1 and told[0].filename == __file__
    with pytest.warns(UserWarning, match="3 of 5 texts were longer than 256") as told:
        parts = list(
            model.similarity_parts(iter(["a", long]), ["b", long, long], late_interaction=late)
        )
    assert len(told) == 1
    assert [window for window, _ in parts] == [["a"], [long]]
    scores = np.concatenate([part.scores for _, part in parts])
    np.testing.assert_allclose(scores, found.scores, atol=1e-5)
    for sides, name in ((([long], ["b"]), "texts"), ((["a"], [long]), "references")):
        with pytest.raises(InputError, match=rf"^{name}\[0\] has 146 tokens more than the 256"):
            model.similarity(*sides, late_interaction=late, truncation="error")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.similarity([long], [long], late_interaction=late, truncation="ignore")


def test_what_a_search_cuts_is_told_once(models, backend, monkeypatch):
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 1)
    long, model = "word " * 400, models[backend]
    with pytest.warns(UserWarning, match="3 of 5 texts were longer than 256") as told:
        model.search(["a", long], iter(["b", long, long]))
    assert len(told) == 1 and told[0].filename == __file__
    for sides, name in (((long, ["b"]), "queries"), (("a", [long]), "corpus")):
        with pytest.raises(InputError, match=rf"^{name}\[0\] has 146 tokens more than the 256"):
            model.search(*sides, truncation="error")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.search(long, [long], truncation="ignore")


def test_vectors_need_no_tokenizer(minilm, tmp_path):
    """What was embedded elsewhere is compared with a folder that cannot read texts."""
    folder = shutil.copytree(minilm, tmp_path / "model")
    for file in folder.glob("tokenizer*"):
        file.unlink()
    (folder / "vocab.txt").unlink(missing_ok=True)
    model, vectors = reference.load(folder), np.eye(3, 384, dtype=np.float32)
    assert model.similarity(vectors, vectors).scores.tolist() == np.eye(3).tolist()
    assert model.search(vectors, vectors, 1)[2][0].index == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TEXTS, []), "the corpus is empty"),
        ((TEXTS, np.zeros((0, 384))), "the corpus is empty"),
        ((TEXTS, REFERENCES, 0), "top_k is 0"),
        ((TEXTS, np.zeros((3, 5))), r"corpus has shape \(3, 5\)"),
        ((np.ones((1, 384), np.uint8), REFERENCES), "queries holds uint8"),
        ((TEXTS, np.ones((1, 384), np.int8)), "corpus holds int8"),
        ((np.zeros(3), REFERENCES), r"queries has shape \(3,\)"),
        ((5, REFERENCES), "queries must be a list of strings"),
        ((TEXTS, "a corpus"), "corpus must be a list of strings"),
        ((TEXTS, ["a", 5]), r"corpus\[1\] is int 5"),
        ((TEXTS, np.array(5.0)), r"corpus has shape \(\)"),
        ((TEXTS, {"a": "kitten"}), "corpus must be a list of strings, not dict"),
        ((TEXTS, {"a", "b"}), "corpus must be a list of strings, not set"),
    ],
)
def test_searches_that_cannot_be_made(models, backend, arguments, message):
    with pytest.raises(InputError, match=message):
        models[backend].search(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"truncation": "cut"}, "truncation 'cut' is unknown; it is one of warn, error"),
        ({"metric": ""}, "metric '' is unknown"),
        ({"metric": np.ones(2)}, r"metric array\(.* is unknown"),
        ({"texts": {"a": 1}}, "texts must be a list of strings, not dict"),
        ({"metric": "angle"}, "metric 'angle' is unknown; it is one of cosine"),
        ({"metric": "dot", "late_interaction": True}, "leave metric out"),
        ({"late_interaction": 1}, "late_interaction is 1"),
        ({"texts": np.zeros(384)}, r"texts has shape \(384,\)"),
        ({"references": np.full((1, 384), np.nan)}, "references holds NaN"),
        ({"references": np.ones((1, 384), np.int8)}, "references holds int8; vectors are"),
    ],
)
def test_comparisons_that_cannot_be_made(models, backend, options, message):
    with pytest.raises(InputError, match=message):
        models[backend].similarity(**{"texts": TEXTS, "references": REFERENCES} | options)


@pytest.mark.parametrize(
    ("texts", "references", "message"),
    [
        ([np.ones((2, 3))], ["a"], "equally many numbers, not 3 and 384"),
        ([np.ones((2, 3))], [np.ones((2, 4))], "equally many numbers, not 3 and 4"),
        ([np.ones((0, 384))], ["a"], r"texts\[0\] holds no vector"),
        (["a"], [np.ones((1, 384)), np.ones((0, 384))], r"references\[1\] holds no vector"),
        ([np.array(5.0)], ["a"], r"texts\[0\] has shape \(\)"),
    ],
)
def test_tokens_that_cannot_be_compared(models, texts, references, message):
    with pytest.raises(InputError, match=message):
        models["torch"].similarity(texts, references, late_interaction=True)


def test_half_precision_is_compared_in_single(models):
    """A vector of length 5,879, the squares of which float16 cannot sum."""
    halves = np.full((1, 384), 300, np.float16)
    assert models["torch"].similarity(halves, halves).scores[0, 0] == pytest.approx(1)
    assert models["torch"].search(halves, halves)[0][0].score == pytest.approx(1)
    dot = models["torch"].similarity(halves, halves, metric="dot")
    assert dot.scores[0, 0] == pytest.approx(384 * 300**2)


documents = st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=4), min_size=1)


@given(documents, st.integers(1, 6))
def test_the_best_of_parts_are_the_best_of_all(parts, top_k):
    best = Best(1, top_k)
    for part in parts:
        best.see(np.array([part], float), None)
    row = np.array([score for part in parts for score in part], float)
    expected = np.argsort(-row, kind="stable")[:top_k]
    assert best.indices[0].tolist() == expected.tolist()
    assert best.scores[0].tolist() == row[expected].tolist()


def test_results_are_tables_and_dictionaries(models):
    (hits,) = models["torch"].search(["a cat"], ["a <kitten>"])
    assert hits[0].to_dict() == {"index": 0, "score": hits[0].score, "text": "a <kitten>"}
    assert "a &lt;kitten&gt;" in hits._repr_html_() and "<th>score</th>" in hits._repr_html_()
    assert len(models["torch"].similarity(["a"], ["b"]).to_dict()["scores"][0]) == 1
