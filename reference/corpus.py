"""Text to train on without a download: the documentation of the packages that are installed
beside this one.

Docstrings are plain technical English, and they bring labels along: a first line and a body
that belong together, the package that they are from. They are read from the source files;
nothing is imported or run.
"""

from __future__ import annotations

import ast
import gc
import inspect
import re
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reference import files
from reference.errors import InputError

STANDARD_LIBRARY = "python"
PACKAGES = (
    STANDARD_LIBRARY,
    "numpy",
    "torch",
    "transformers",
    "matplotlib",
    "sklearn",
    "scipy",
    "sympy",
    "networkx",
    "huggingface_hub",
    "sentence_transformers",
    "hypothesis",
)
_SKIPPED = {
    "test",
    "tests",
    "testing",
    "_vendor",
    "vendor",
    "vendored",
    "site-packages",
    "idlelib",
    "lib2to3",
    "__pycache__",
}
_SECTION = re.compile(r"^\s*[-=~^*`#]{3,}\s*$")  # the line under a heading
_CODE = re.compile(r"^\s*(>>>|\.\.\.\s|\.\. |::|```|:[a-z]+ ?[\w*]*:|@|\||\+[-=]+)")
_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True)
class Docstring:
    """The documentation of one module, class or function."""

    package: str
    module: str
    name: str  # module path and qualified name, as in "numpy.linalg._linalg.norm"
    text: str

    @property
    def summary(self) -> str:
        """The first paragraph, in one line."""
        return next(iter(paragraphs_of(self.text)), "")

    @property
    def body(self) -> str:
        """The paragraphs of prose after the first."""
        return "\n".join(paragraphs_of(self.text)[1:])


def docstrings(packages: Iterable[str] = PACKAGES) -> Iterator[Docstring]:
    """Every docstring of the packages that are installed, in an order that depends on nothing
    but their files."""
    if isinstance(packages, str):
        raise InputError(
            f"packages is {packages!r:.80}; give a list of names, such as [{packages!r:.80}]"
        )
    for package in packages:
        root = _root(package)
        for path in [] if root is None else sorted(root.rglob("*.py")):
            inner = path.relative_to(root)
            if not _SKIPPED.intersection(inner.parts):
                module = ".".join((package, *inner.with_suffix("").parts)).removesuffix(
                    ".__init__"
                )
                yield from _of_file(path, package, module)


def paragraphs(packages: Iterable[str] = PACKAGES, least_words: int = 6) -> list[str]:
    """Paragraphs of prose, each once, in one line each."""
    found: dict[str, None] = {}
    for docstring in docstrings(packages):
        for paragraph in paragraphs_of(docstring.text):
            if len(_WORD.findall(paragraph)) >= least_words:
                found[paragraph] = None
    return list(found)


def texts(packages: Iterable[str] = PACKAGES) -> Iterator[tuple[str, str]]:
    """The module and the prose of every docstring, in one line each, without the paragraphs
    that stood before."""
    seen: set[str] = set()
    for docstring in docstrings(packages):
        new = [
            paragraph for paragraph in paragraphs_of(docstring.text) if paragraph not in seen
        ]
        seen.update(new)
        if new:
            yield docstring.module, " ".join(new)


def pairs(packages: Iterable[str] = PACKAGES) -> list[tuple[str, str]]:
    """First lines and bodies of docstrings that have both: texts that belong together."""
    found = {(docstring.summary, docstring.body): None for docstring in docstrings(packages)}
    return [(summary, body) for summary, body in found if summary and body]


def read_lines(file: str | Path) -> list[str]:
    """A user's own text, one sentence a line; empty lines are left out."""
    return [line for line in map(str.strip, files.read_lines(str(file), "the corpus")) if line]


def paragraphs_of(text: str) -> list[str]:
    """The prose of a docstring: without code, headings, tables and lists of parameters."""
    prose = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        lines = block.splitlines()
        if len(lines) > 1 and _SECTION.match(lines[1]):
            lines = lines[2:]  # a heading and the line under it
        if any(_CODE.match(line) or _SECTION.match(line) for line in lines) or not lines:
            continue
        joined = " ".join(" ".join(lines).split())
        if _reads_like_prose(joined):
            prose.append(joined)
    return prose


def _reads_like_prose(text: str) -> bool:
    letters = sum(character.isalpha() or character == " " for character in text)
    return text[:1].isupper() and text[-1:] in ".:!?)" and letters >= 0.85 * len(text)


def _root(package: str) -> Path | None:
    paths = sysconfig.get_paths()
    root = (
        Path(paths["stdlib"])
        if package == STANDARD_LIBRARY
        else Path(paths["purelib"]) / package
    )
    return root if root.is_dir() else None


def _of_file(path: Path, package: str, module: str) -> list[Docstring]:
    with _garbage_left(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's escapes
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, RecursionError):
            return []
        found = [
            (name, ast.get_docstring(node, clean=False))
            for name, node in _documented(tree, module)
        ]
        del tree
    return [Docstring(package, module, name, text) for name, text in found if text]


@contextmanager
def _garbage_left() -> Iterator[None]:
    """A file is a hundred thousand objects for a moment, none of them garbage: looking for some
    among them, and among all else that is in memory, takes as long as the reading."""
    looked_for = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked_for:
            gc.enable()


def _documented(node: ast.AST, name: str) -> Iterator[tuple[str, ast.AST]]:
    yield name, node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _documented(child, f"{name}.{child.name}")
