"""Text from docstrings: what counts as prose, that each paragraph comes once, and that nothing
is imported for it."""

import ast
import gc
import subprocess
import sys

import pytest

from reference import corpus
from reference.errors import InputError

DOCSTRING = """Return the mean of an array along an axis.

    The mean is the sum of all values, divided
    by how many there are.

    Parameters
    ----------
    a : array_like
        The array.

    >>> mean([1, 2])
    1.5

    - a list
    - of things

    Notes
    -----
    Sums are taken in float64 where the array holds integers.
    """


def test_prose_is_kept_and_the_rest_is_not():
    assert corpus.paragraphs_of(DOCSTRING) == [
        "Return the mean of an array along an axis.",
        "The mean is the sum of all values, divided by how many there are.",
        "Sums are taken in float64 where the array holds integers.",
    ]


def test_a_docstring_has_a_summary_and_a_body():
    docstring = corpus.Docstring("numpy", "numpy.core", "numpy.core.mean", DOCSTRING)
    assert docstring.summary == "Return the mean of an array along an axis."
    assert (
        docstring.body.splitlines()[0].startswith("The mean is")
        and len(docstring.body.splitlines()) == 2
    )


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three modules, one of which does not parse and one of which must not be
    read."""
    root = tmp_path / "sample"
    (root / "tests").mkdir(parents=True)
    (root / "__init__.py").write_text(
        '"""A package that is here to be read and not to be run."""\nraise SystemExit\n'
    )
    (root / "broken.py").write_text("def (:\n")
    (root / "tests" / "test_it.py").write_text(
        '"""Nobody should ever read what stands in here."""\n'
    )
    (root / "tools.py").write_text(
        'class Hammer:\n    """A tool that drives nails into wood."""\n'
        '    def hit(self):\n        """A tool that drives nails into wood.\n\n'
        '        It is heavy, and it makes noise."""\n'
    )
    monkeypatch.setattr(corpus, "_root", lambda name: root if name == "sample" else None)
    return "sample"


def test_docstrings_are_read_from_source_files(package):
    found = list(corpus.docstrings([package, "no_such_package"]))
    assert [docstring.name for docstring in found] == [
        "sample",
        "sample.tools.Hammer",
        "sample.tools.Hammer.hit",
    ]
    assert {docstring.module for docstring in found} == {"sample", "sample.tools"}


def test_every_paragraph_comes_once(package):
    assert corpus.paragraphs([package]) == [
        "A package that is here to be read and not to be run.",
        "A tool that drives nails into wood.",
        "It is heavy, and it makes noise.",
    ]
    assert list(corpus.texts([package])) == [
        ("sample", "A package that is here to be read and not to be run."),
        ("sample.tools", "A tool that drives nails into wood."),
        ("sample.tools", "It is heavy, and it makes noise."),
    ]
    assert corpus.pairs([package]) == [
        ("A tool that drives nails into wood.", "It is heavy, and it makes noise.")
    ]


def test_real_packages_have_much_of_it_in_the_same_order_each_time():
    once, again = (list(corpus.texts(["hypothesis", "huggingface_hub"])) for _ in range(2))
    assert once == again and sum(len(text) for _, text in once) > 200_000


def test_no_garbage_is_looked_for_in_a_file(monkeypatch):
    """It takes as long as the reading; and afterwards it is looked for as before."""
    plain, seen = ast.parse, set()

    def parse(source):
        seen.add(gc.isenabled())
        return plain(source)

    monkeypatch.setattr("reference.corpus.ast.parse", parse)
    next(corpus.docstrings(["hypothesis"]))
    assert seen == {False} and gc.isenabled()


def test_nothing_is_imported():
    code = (
        "import sys; from reference import corpus; list(corpus.docstrings(['networkx', "
        "'hypothesis'])); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"networkx", "hypothesis"} & set(done.stdout.split())


def test_a_users_own_lines(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("one sentence\n\n  another one \n")
    assert corpus.read_lines(file) == ["one sentence", "another one"]
    with pytest.raises(InputError, match=r"none\.txt"):
        corpus.read_lines(tmp_path / "none.txt")


def test_a_single_name_is_not_taken_for_a_list_of_letters():
    with pytest.raises(InputError, match=r"such as \['numpy'\]"):
        list(corpus.docstrings("numpy"))
