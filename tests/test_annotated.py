"""Labels from docstrings: which spans are names and types, which lists are not read, and that a
text does not say its own package's name."""

import inspect
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import annotated, corpus
from reference.annotated import PARAMETER, TYPE, parameters_of, without_names

NUMPY = """Return the weighted mean.

    A paragraph that is left out.

    Parameters
    ----------
    a, weights : array_like of shape (n,)
        The values, and
        how much each counts.
    axis : {0, 1}, optional
        Along which.
    out
        Where it goes.
    *args : int, default=0
    **kwargs
        The rest.

    Returns
    -------
    mean : ndarray
        The mean.
    """
GOOGLE = """Turn ids into text.

    Args:
        ids (`torch.Tensor` of shape `(batch, tokens)`, *optional*):
            The ids: a batch of them.
        skip (Callable[[int], tuple[()]], defaults to None): What to skip (if anything).
        names (`list[str]`): Their names.
        spaces: Whether there
            are any.
        maybe (`Optional[int]`, *optional*): Perhaps.

    Returns:
        str: the text
    """


def found_in(docstring, form="whole"):
    read = getattr(parameters_of(docstring), form)
    return [(read.text[start:end], label) for start, end, label in read.spans]


def test_numpys_style():
    assert found_in(NUMPY) == [
        ("a", PARAMETER),
        ("weights", PARAMETER),
        ("array_like of shape (n,)", TYPE),
        ("axis", PARAMETER),
        ("{0, 1}", TYPE),
        ("out", PARAMETER),
        ("args", PARAMETER),
        ("int", TYPE),
        ("kwargs", PARAMETER),
    ]
    assert parameters_of(NUMPY).whole.text == inspect.cleandoc(NUMPY)
    assert found_in(NUMPY) == found_in(NUMPY, "line")
    assert parameters_of(NUMPY).line.text == (
        "Return the weighted mean. Parameters ---------- a, weights : array_like of shape (n,) "
        "The values, and how much each counts. axis : {0, 1}, optional Along which. out Where "
        "it goes. *args : int, default=0 **kwargs The rest."
    )


def test_googles_style():
    assert found_in(GOOGLE) == [
        ("ids", PARAMETER),
        ("`torch.Tensor` of shape `(batch, tokens)`", TYPE),
        ("skip", PARAMETER),
        ("Callable[[int], tuple[()]]", TYPE),
        ("names", PARAMETER),
        ("list[str]", TYPE),
        ("spaces", PARAMETER),
        ("maybe", PARAMETER),
        ("Optional[int]", TYPE),
    ]
    assert parameters_of(GOOGLE).whole.text == inspect.cleandoc(GOOGLE)
    assert found_in(GOOGLE) == found_in(GOOGLE, "line")
    line = parameters_of(GOOGLE).line.text
    assert line.startswith("Turn ids into text. Args: ids (`torch.")
    assert line.endswith("*optional*): Perhaps.")


@pytest.mark.parametrize(
    "docstring",
    [
        "",
        "No list at all, and name : type is not one.",
        "Args:\n\nNothing follows.",
        "Parameters\n----------\n",
        "Parameters\n----------\nThis is prose, not an entry : it is not read.\n",
        "Args:\n    x (int): a value\n    and a line that is no entry\n",
        "Args:\n        x (int): a value\n    y (int): less far in\nEnd.",
        "Args:\n    x (int: never closed\n",
        "Args:\n    x: a value\n\nKeyword args:\n    one that is no entry\n",
    ],
)
def test_what_is_no_list_of_entries_is_not_read(docstring):
    assert parameters_of(docstring) is None


def test_a_list_ends_where_the_next_part_begins():
    after = "\n    x : str\n        Not a parameter.\n"
    assert ("x", PARAMETER) not in found_in(NUMPY + "\n    Notes\n    -----" + after)
    assert ("str", TYPE) not in found_in(GOOGLE)


def test_every_list_of_parameters_is_read():
    """In the whole docstring, what was left out would be labelled as none."""
    others = "\n    Other Parameters\n    ----------------\n    y : str\n"
    assert found_in(NUMPY + others)[-2:] == [("y", PARAMETER), ("str", TYPE)]
    assert parameters_of(NUMPY + others).line.text.endswith("---------------- y : str")
    keywords = "\n    Keyword Args:\n        y (str): Another.\n"
    assert found_in(GOOGLE + keywords)[-2:] == [("y", PARAMETER), ("str", TYPE)]
    assert found_in(GOOGLE + keywords) == found_in(GOOGLE + keywords, "line")


def test_a_docstring_is_indented_as_in_a_source():
    for docstring in (NUMPY, GOOGLE):
        whole = parameters_of(docstring).whole
        assert whole.indented(0) == whole
        moved = whole.indented(4)
        assert moved.text == docstring.rstrip()
        pieces = [moved.text[start:end] for start, end, _ in moved.spans]
        assert pieces == [text for text, _ in found_in(docstring)]
    read = parameters_of("Do it.\n\nArgs:\n    x (tuple of\n        int): The x.").whole
    ((_, _, _), (start, end, _)) = read.indented(2).spans
    assert read.indented(2).text[start:end] == "tuple of\n          int"


def test_a_type_may_go_on_in_the_next_line():
    docstring = "Do it.\n\nArgs:\n    x (tuple of\n        int): The x."
    assert found_in(docstring)[1] == ("tuple of\n        int", TYPE)
    assert found_in(docstring, "line")[1] == ("tuple of int", TYPE)


@given(st.text(alphabet="ab :(),\n-*`", max_size=80))
def test_spans_lie_in_the_text_and_apart_from_one_another(body):
    for head in ("Parameters\n----------\n", "Args:\n  "):
        read = parameters_of(head + body)
        if read is None:
            continue
        assert "  " not in read.line.text and "\n" not in read.line.text
        pieces = []
        for found in (read.whole, read.line):
            assert found.spans == tuple(sorted(found.spans))
            assert all(first[1] <= second[0] for first, second in pairwise(found.spans))
            for start, end, label in found.spans:
                piece = found.text[start:end]
                assert piece and piece == piece.strip() and label in (PARAMETER, TYPE)
            pieces.append([found.text[start:end].split() for start, end, _ in found.spans])
        assert pieces[0] == pieces[1]


def test_a_text_does_not_name_its_package():
    assert without_names("NumPy's arrays, np.array, PyTorch and numpyro, scikit-learn.") == (
        "package's arrays, package.array, package and numpyro, package."
    )
    for package in corpus.PACKAGES:
        assert package not in without_names(f"This is of {package}, and {package.upper()}.")


def test_a_text_of_a_few_words_says_nothing_about_its_package():
    long = "one two three four five six seven eight"
    texts = [("numpy.core", "Return the mean."), ("torch.nn.functional", long)]
    assert list(annotated.packages_of(texts)) == [("torch.nn.functional", long, "torch")]


def test_every_list_comes_once(monkeypatch):
    twice = [corpus.Docstring("p", f"p.{n}", f"p.{n}.f", NUMPY) for n in range(2)]
    monkeypatch.setattr(corpus, "docstrings", lambda packages: iter(twice))
    ((module, read),) = annotated.parameters(["p"])
    assert module == "p.0" and read == parameters_of(NUMPY)


def test_real_docstrings_have_thousands():
    read = [found.line for _, found in annotated.parameters(["networkx", "huggingface_hub"])]
    labels = [label for found in read for *_, label in found.spans]
    assert len(read) > 1000 and labels.count(TYPE) > 2000 < labels.count(PARAMETER)
    assert "optional" not in {
        found.text[start:end] for found in read for start, end, _ in found.spans
    }
