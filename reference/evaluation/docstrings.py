"""Retrieval without a download: the first line of a docstring asks, and its body answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from reference import corpus
from reference.checks import check_whole
from reference.errors import InputError
from reference.evaluation.reading import pairs_to_retrieval
from reference.evaluation.retrieval import Retrieval

DOCUMENTS = 2000


def docstring_retrieval(
    documents: int = DOCUMENTS, seed: int = 0, packages: Iterable[str] = corpus.PACKAGES
) -> Retrieval:
    """First lines and bodies of docstrings, from those modules of the installed packages that
    training holds out.

    A body is left out that repeats its first line, for a search for that string would find it,
    or that a module has as well that is trained on. Equal bodies are one document, which
    answers each of their first lines. Of more than so many `documents` a sample is drawn, the
    same one for a seed; the queries are those that it answers.
    """
    from reference.training.masked_lm import is_held_out  # PyTorch comes with it

    documents = check_whole("documents", documents, 1)
    generator = np.random.default_rng(check_whole("seed", seed, 0))
    pairs, left_out = select(corpus.docstrings(packages), is_held_out)
    if not pairs:
        raise InputError(
            "no held-out docstring of these packages has a first line and a body that can be "
            "asked for; name larger packages"
        )
    bodies = list(dict.fromkeys(body for _, body in pairs))
    reasons = "; ".join(f"{why}: {count}" for why, count in left_out.items())
    note = f"bodies of held-out docstrings: {len(bodies)} ({reasons})"
    if documents < len(bodies):
        drawn = generator.choice(len(bodies), documents, replace=False)
        kept = {bodies[number] for number in drawn.tolist()}
        pairs = [pair for pair in pairs if pair[1] in kept]
        note += f", of which {documents} were drawn"
    return pairs_to_retrieval(pairs, note)


def select(
    docstrings: Iterable[corpus.Docstring], is_held_out: Callable[[str], bool]
) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """The pairs of held-out modules, and how many were left out for what reason."""
    held_out: list[tuple[str, str]] = []
    trained_on: set[str] = set()
    for docstring in docstrings:
        summary, body = docstring.summary, docstring.body
        if summary and body:
            if is_held_out(docstring.module):
                held_out.append((summary, body))
            else:
                trained_on.add(body)
    once = list(dict.fromkeys(held_out))
    fresh = [pair for pair in once if pair[1] not in trained_on]
    pairs = [pair for pair in fresh if not repeats(*pair)]
    return pairs, {
        "merged, being equal": len(held_out) - len(once),
        "left out, for modules that are trained on have them": len(once) - len(fresh),
        "left out, for they repeat the first line": len(fresh) - len(pairs),
    }


def repeats(summary: str, body: str) -> bool:
    """Whether the body holds the first line, whatever its case and its full stop."""
    return _plain(summary).rstrip(".:") in _plain(body)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
