"""What labels of tokens say, and the best sequence of them that is legal."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.pipelines.tags import Tags

BIO = ("O", "B-x", "I-x", "B-y", "I-y")
BIOES = ("O", "B-x", "I-x", "E-x", "S-x")
BILOU = ("O", "B-x", "I-x", "L-x", "U-x")
SCHEMES = {
    "BIO": BIO,
    "BIO without O": BIO[1:],
    "BIOES": BIOES,
    "BIOES of two tags": (*BIOES[1:], "S-y", "B-y"),
    "BILOU": BILOU,
    "inside only": ("O", "I-x", "I-y"),
    "no single": ("B-x", "I-x", "E-x"),
    "no begin": ("I-x", "E-x", "O"),
    "plain": ("O", "noun", "E-mail"),
    "mixed": ("B-x", "I-x", "noun", "O"),
}


@pytest.mark.parametrize(
    ("labels", "tags", "parts"),
    [
        (BIO, (None, "x", "x", "y", "y"), "single begin inside begin inside"),
        (BIOES, (None, *"xxxx"), "single begin inside end single"),
        (BILOU, (None, *"xxxx"), "single begin inside end single"),
        (("noun", "E-mail", "S-Bahn", "o"), ("noun", "E-mail", "S-Bahn", "o"), "inside " * 4),
        (("B-x", "I-x", "noun"), ("x", "x", "noun"), "begin inside inside"),
        (("B-a-b", "B-", "LABEL_0"), ("a-b", "B-", "LABEL_0"), "begin inside inside"),
    ],
)
def test_labels_are_read(labels, tags, parts):
    read = Tags(labels)
    assert read.tags == tags and read.parts == tuple(parts.split())
    assert read.outside.tolist() == [label == "O" for label in labels]


def steps(labels):
    """The pairs of labels of which the second may follow the first."""
    legal = Tags(labels).legal
    return {
        (labels[a], labels[b])
        for a, b in itertools.product(range(len(labels)), repeat=2)
        if legal[a, b]
    }


def test_legal_steps():
    everything = set(itertools.product(BIO, repeat=2))
    assert everything - steps(BIO) == {
        ("O", "I-x"),
        ("O", "I-y"),
        ("B-x", "I-y"),
        ("I-x", "I-y"),
        ("B-y", "I-x"),
        ("I-y", "I-x"),
    }
    closed, opened = ("O", "E-x", "S-x"), ("O", "B-x", "S-x")
    assert steps(BIOES) == {
        *itertools.product(closed, opened),
        *itertools.product(("B-x", "I-x"), ("I-x", "E-x")),
    }
    plain = SCHEMES["plain"]
    assert steps(plain) == set(itertools.product(plain, repeat=2))


def test_ends():
    read = Tags(BIOES)
    assert [BIOES[n] for n in np.flatnonzero(read.begins)] == ["O", "B-x", "S-x"]
    assert [BIOES[n] for n in np.flatnonzero(read.ends)] == ["O", "E-x", "S-x"]
    read = Tags(BIO)
    assert [BIO[n] for n in np.flatnonzero(read.begins)] == ["O", "B-x", "B-y"]
    assert read.ends.all()


@given(st.data())
def test_the_best_path_is_the_best_of_all_legal_ones(data):
    labels = SCHEMES[data.draw(st.sampled_from(sorted(SCHEMES)))]
    places = data.draw(st.integers(1, 4))
    weights = st.lists(st.integers(0, 1000), min_size=len(labels), max_size=len(labels))
    rows = np.array([data.draw(weights) for _ in range(places)]) + 1e-3
    probabilities = rows / rows.sum(axis=1, keepdims=True)
    tags = Tags(labels)
    legal = [
        path
        for path in itertools.product(range(len(labels)), repeat=places)
        if tags.begins[path[0]]
        and tags.ends[path[-1]]
        and all(tags.legal[step] for step in itertools.pairwise(path))
    ]

    def score(path):
        return np.log(probabilities[range(places), path]).sum()

    found = tuple(tags.best_path(probabilities).tolist())
    assert found in legal
    assert score(found) == pytest.approx(max(map(score, legal)), abs=1e-9)


def test_what_is_legal_already_stays():
    rows = np.array([[0.1, 0.7, 0.1, 0.05, 0.05], [0.1, 0.1, 0.7, 0.05, 0.05]])
    assert Tags(BIO).best_path(rows).tolist() == [1, 2]
    rows[0] = [0.5, 0.4, 0.05, 0.03, 0.02]  # O, then I-x, which may not follow it
    assert Tags(BIO).best_path(rows).tolist() == [1, 2]


def test_a_probability_of_nought_hides_nothing_that_follows():
    """No legal sequence has any probability here; the last place still has its say."""
    rows = np.array([[1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0.9, 0.1, 0, 0]], float)
    assert Tags(BIO).best_path(rows)[-1] == BIO.index("B-x")
