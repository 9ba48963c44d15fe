"""Pairs of first line and body from docstrings that are held out."""

import pytest

from reference import corpus
from reference.errors import InputError
from reference.evaluation import docstrings
from reference.evaluation.docstrings import docstring_retrieval, repeats, select

SHARED = "What stands here stands in two modules, word for word."


def docstring(module, summary, *paragraphs):
    text = "\n\n".join((summary, *paragraphs))
    return corpus.Docstring("sample", module, f"{module}.f", text)


FOUND = [
    docstring("held", "Return the mean.", "It is the sum over the number."),
    docstring("held", "Return the mean.", "It is the sum over the number."),
    docstring("held", "Return the average.", "It is the sum over the number."),
    docstring("held", "Return the mean.", "It is taken along an axis."),
    docstring("held", "Return nothing."),
    docstring("held", "Sort the list.", "To sort the list takes a while."),
    docstring("held", "Copy the file.", SHARED),
    docstring("learned", "Copy a folder.", SHARED),
]


def test_what_is_kept_and_what_is_left_out():
    pairs, left_out = select(FOUND, lambda module: module == "held")
    assert pairs == [
        ("Return the mean.", "It is the sum over the number."),
        ("Return the average.", "It is the sum over the number."),
        ("Return the mean.", "It is taken along an axis."),
    ]
    assert list(left_out.values()) == [1, 1, 1]


def test_a_body_that_repeats_its_first_line():
    assert repeats("Sort the\nlist.", "TO SORT THE  LIST, wait.")
    assert not repeats("Sort the list.", "Sort a list.")


@pytest.fixture
def held_out(monkeypatch):
    from reference.training import masked_lm

    monkeypatch.setattr(masked_lm, "is_held_out", lambda module: module == "held")
    monkeypatch.setattr(docstrings.corpus, "docstrings", lambda packages: iter(FOUND))


def test_equal_bodies_are_one_document_and_equal_lines_one_query(held_out):
    data = docstring_retrieval()
    assert list(data.queries.values()) == ["Return the mean.", "Return the average."]
    assert len(data.documents) == 2 and data.judged == [{0: 1, 1: 1}, {0: 1}]
    assert data.notes == (
        "bodies of held-out docstrings: 2 (merged, being equal: 1; left out, for modules that "
        "are trained on have them: 1; left out, for they repeat the first line: 1)",
        "pairs: 3",
        "queries: 2, documents: 2",
    )


def test_a_sample_is_the_seeds(held_out):
    drawn = [docstring_retrieval(1, seed) for seed in range(8)]
    assert all(len(data.documents) == 1 for data in drawn)
    assert len({data.documents[0] for data in drawn}) == 2
    assert drawn[3].documents == docstring_retrieval(1, 3).documents
    assert drawn[0].notes[0].endswith(", of which 1 were drawn")


def test_the_real_thing_is_the_same_each_time():
    once, again = (docstring_retrieval(packages=["huggingface_hub"]) for _ in range(2))
    assert once.queries == again.queries and once.documents == again.documents
    for query, judged in zip(once.queries.values(), once.judged, strict=True):
        assert all(query not in once.documents[number] for number in judged)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"documents": 0}, "documents is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"packages": []}, "no held-out docstring"),
        ({"packages": "numpy"}, "give a list of names"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        docstring_retrieval(**arguments)
