"""The losses that compare vectors, and their gradients by hand, beside PyTorch's autograd and
the losses of sentence-transformers."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers.sentence_transformer import losses

from reference.errors import InputError
from reference.training.objectives.comparing import matryoshka
from reference.training.objectives.contrastive import ranking
from reference.training.objectives.scored_pairs import cosent, cosine_mse

shapes = st.tuples(
    st.integers(1, 7), st.integers(1, 6), st.sampled_from([0, 1, 4, 9]), st.integers(0, 99)
)


def vectors(generator, *shape):
    """Of very different lengths."""
    return generator.standard_normal(shape) * np.exp(generator.uniform(-3, 3, (shape[0], 1)))


def cosines(left, right):
    return F.normalize(left, dim=-1) @ F.normalize(right, dim=-1).T


def torch_ranking(scale, both, queries, documents, *negatives):
    candidates = torch.cat([documents, *negatives])
    own = torch.arange(len(queries))
    loss = F.cross_entropy(scale * cosines(queries, candidates), own)
    if both:
        loss = (loss + F.cross_entropy(scale * cosines(documents, queries), own)) / 2
    return loss


def torch_cosent(left, right, scores, scale):
    found = F.cosine_similarity(left, right)
    terms = [torch.zeros(1, dtype=torch.float64)]
    for low in range(len(scores)):
        for high in range(len(scores)):
            if scores[low] < scores[high]:
                terms.append(scale * (found[low] - found[high])[None])
    return torch.logsumexp(torch.cat(terms), 0)


def check(found, loss, arrays, scale=None):
    """Loss and gradients as autograd has them."""
    expected = loss(*arrays)
    expected.backward()
    np.testing.assert_allclose(found.loss, expected.item(), rtol=1e-12, atol=1e-14)
    for gradient, array in zip(found.gradients, arrays, strict=True):
        size = float(array.grad.abs().max())
        np.testing.assert_allclose(gradient, array.grad, rtol=1e-9, atol=1e-12 * (1 + size))
    if scale is not None:
        np.testing.assert_allclose(found.scale, scale.grad, rtol=1e-9, atol=1e-13)


def leaves(*arrays):
    return [torch.tensor(one, requires_grad=True) for one in arrays]


@given(shapes, st.booleans(), st.floats(0.1, 100))
def test_ranking_is_a_cross_entropy_over_the_batch(shape, both, scale):
    pairs, size, more, seed = shape
    generator = np.random.default_rng(seed)
    draw = partial(vectors, generator)
    arrays = [draw(rows, size) for rows in (pairs, pairs, more) if rows]
    factor = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
    loss = partial(torch_ranking, factor, both)
    check(ranking(*arrays, scale=scale, both=both), loss, leaves(*arrays), factor)


@given(shapes, st.floats(0.1, 100))
def test_cosent_asks_for_the_order_of_the_scores(shape, scale):
    pairs, size, _, seed = shape
    generator = np.random.default_rng(seed)
    arrays = vectors(generator, pairs, size), vectors(generator, pairs, size)
    scores = generator.integers(0, 4, pairs) / 3  # some of them equal
    factor = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
    loss = lambda *given: torch_cosent(*given, scores, factor)
    found = cosent(*arrays, scores, scale)
    if len(set(scores)) == 1:
        assert found.loss == 0 and not found.gradients[0].any()
    else:
        check(found, loss, leaves(*arrays), factor)


@given(shapes)
def test_cosine_mse(shape):
    pairs, size, _, seed = shape
    generator = np.random.default_rng(seed)
    arrays = vectors(generator, pairs, size), vectors(generator, pairs, size)
    scores = generator.uniform(-1, 1, pairs)
    loss = lambda *given: F.mse_loss(F.cosine_similarity(*given), torch.tensor(scores))
    check(cosine_mse(*arrays, scores), loss, leaves(*arrays))


def as_sentence_transformers(name, arrays, labels=None, **options):
    """Its loss and gradients, where its model is the identity."""
    model = torch.nn.Identity()
    model.forward = lambda features: features
    loss = getattr(losses, name)(model, **options)
    given = leaves(*arrays)
    value = loss([{"sentence_embedding": one} for one in given], labels)
    value.backward()
    return value.item(), [one.grad for one in given]


@pytest.mark.parametrize("both", [False, True])
def test_ranking_is_that_of_sentence_transformers(both):
    draw = partial(vectors, np.random.default_rng(0), 6, 8)
    arrays = [draw(), draw(), draw()]
    directions = {"directions": ("query_to_doc", "doc_to_query")} if both else {}
    if both:  # a third column takes part in its second direction as in ours: not at all
        directions["partition_mode"] = "per_direction"
    loss, gradients = as_sentence_transformers(
        "MultipleNegativesRankingLoss", arrays, **directions
    )
    found = ranking(*arrays, both=both)
    assert found.loss == pytest.approx(loss, rel=1e-12)
    for mine, theirs in zip(found.gradients, gradients, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


def test_scored_pairs_are_those_of_sentence_transformers():
    generator = np.random.default_rng(1)
    arrays = [vectors(generator, 6, 8), vectors(generator, 6, 8)]
    scores = generator.integers(0, 5, 6) / 4  # theirs become float32
    known = [("CoSENTLoss", cosent), ("CosineSimilarityLoss", cosine_mse)]
    for name, own in known:
        loss, gradients = as_sentence_transformers(name, arrays, torch.tensor(scores))
        found = own(*arrays, scores)
        assert found.loss == pytest.approx(loss, rel=1e-12)
        for mine, theirs in zip(found.gradients, gradients, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


@settings(max_examples=30)
@given(shapes, st.lists(st.integers(1, 6), min_size=1, unique=True))
def test_matryoshka_is_the_sum_over_beginnings(shape, widths):
    pairs, _, more, seed = shape
    draw = partial(vectors, np.random.default_rng(seed))
    arrays = [draw(rows, 6) for rows in (pairs, pairs, more) if rows]
    factor = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)

    def loss(*given):
        cut = lambda width: [one[:, :width] for one in given]
        return sum(torch_ranking(factor, False, *cut(width)) for width in widths)

    check(matryoshka(ranking, widths)(*arrays, scale=5.0), loss, leaves(*arrays), factor)


def test_vectors_that_cannot_be_compared_are_refused():
    two, three = np.ones((2, 4)), np.ones((3, 4))
    with pytest.raises(InputError, match="one document for each query"):
        ranking(two, three)
    with pytest.raises(InputError, match="one document for each query"):
        ranking(two[:0], two[:0])
    with pytest.raises(InputError, match="scale is -1"):
        ranking(two, two, scale=-1)
    with pytest.raises(InputError, match=r"scores \(3,\)"):
        cosent(two, two, [1, 2, 3])
    with pytest.raises(InputError, match="a score is 5"):
        cosine_mse(two, two, [0, 5])
    with pytest.raises(InputError, match="vectors have 4"):
        matryoshka(ranking, [2, 8])(two, two)
    with pytest.raises(InputError, match="none of them twice"):
        matryoshka(ranking, [2, 2])
