"""What docstrings declare of parameters, taken out of them and turned into labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.annotated import parameters_of
from reference.declarations import KINDS, LABELS, SEVERAL, class_of, declarations, labels_of

NUMPY = """Return the weighted mean.

    Not this.

    Parameters
    ----------
    a, weights : array_like of shape (n,)
        The values, an array.
    axis : {0, 1}, optional
        Along which.
    out
        Where it goes.
    *args : int, default=0
    """
GOOGLE = """Turn ids into text.

    Args:
        ids (`torch.Tensor` of shape `(batch, tokens)`, *optional*):
            The ids: a batch of them.
        skip (Callable[[int], bool], defaults to None): What to skip (if anything).
        spaces: Whether there are any.
    """


def untold(docstring):
    found = parameters_of(docstring).untold
    return found.text, [(found.text[start:end], own) for start, end, own in found.spans]


def test_what_is_declared_is_taken_out():
    assert untold(NUMPY) == (
        "Return the weighted mean. Parameters ---------- a, weights The values, an array. axis "
        "Along which. out Where it goes. *args",
        [
            ("a", " : array_like of shape (n,)"),
            ("weights", " : array_like of shape (n,)"),
            ("axis", " : {0, 1}, optional"),
            ("out", ""),
            ("args", " : int, default=0"),
        ],
    )
    text, spans = untold(GOOGLE)
    assert text == (
        "Turn ids into text. Args: ids : The ids: a batch of them. skip : What to skip (if "
        "anything). spaces : Whether there are any."
    )
    assert spans == [
        ("ids", " (`torch.Tensor` of shape `(batch, tokens)`, *optional*)"),
        ("skip", " (Callable[[int], bool], defaults to None)"),
        ("spaces", ""),
    ]


@pytest.mark.parametrize(
    ("declared", "labels"),
    [
        (" : int", ("int",)),
        (" (int)", ("int",)),
        (" : int or None", ("int", "optional")),
        (" : int, optional (default=3)", ("int", "optional", "has default")),
        (" : bool, default False", ("bool", "has default")),
        (" (`bool`, *optional*, defaults to `True`)", ("bool", "optional", "has default")),
        (" : {array-like, sparse matrix} of shape (n_samples, n)", ("array-like",)),
        (" : (N, M) array_like", ("array-like",)),
        (" : 1-D ndarray, shape (n,)", ("array-like",)),
        (" (`torch.FloatTensor` of shape `(1,)`)", ("array-like",)),
        (" : {'left', 'right'}", ("str",)),
        (' (Literal["a", "b"])', ("str",)),
        (" : str or list of str", ("sequence", "str")),
        (" : tuple of int", ("sequence",)),
        (" : (float, float)", ("sequence",)),
        (" (tuple(torch.Tensor))", ("sequence",)),
        (" : dict[str, list[int]]", ("dict",)),
        (" (Optional[Union[str, int]])", ("str", "int", "optional")),
        (" : int | str | None", ("str", "int", "optional")),
        (" : callable or scalar", ("callable", "float")),
        (" : NetworkX graph", ("other",)),
        (" : int, RandomState instance or None", ("int", "other", "optional")),
        (" : {float, array-like}", ("array-like", "float")),
        ("", None),
        (" : ", None),
        (" : optional", None),
        (" (*optional*)", None),
        (" : None", None),
    ],
)
def test_declarations_become_labels(declared, labels):
    assert labels_of(declared) == labels


def test_one_class_is_the_only_kind():
    assert class_of(("int", "optional")) == "int"
    assert class_of(("int", "str")) == SEVERAL
    assert not {*KINDS} & {"optional", "has default", SEVERAL}


@given(st.text(alphabet="intsrobley :,()[]{}'\"|=*`of-_A1\n", max_size=40))
def test_whatever_is_declared_gives_labels_or_none(declared):
    found = labels_of(declared)
    assert found is None or (len(set(found)) == len(found) and set(found) <= set(LABELS))
    assert found is None or any(label in KINDS for label in found)


def test_installed_docstrings_have_names_where_they_say():
    seen = 0
    for _, found in declarations():
        places = [0]
        for start, end, declared in found.spans:
            assert found.text[start:end].isidentifier() and start >= places[-1]
            after = found.text[end:].lstrip()
            assert not declared.strip() or not after.startswith(declared.strip())
            places.append(end)
        seen += 1
        if seen == 300:
            break
    assert seen == 300
