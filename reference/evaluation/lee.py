"""What people said of 50 news texts: how alike each two of them are (Lee, Pincombe & Welsh
2005). gensim brings them with its own tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from reference.errors import InputError
from reference.evaluation.pairs import ScoredPairs

TEXTS, SIMILARITIES = "lee.cor", "similarities0-1.txt"


def lee_pairs() -> ScoredPairs:
    """All pairs of two different texts, each with the mean of what some ten people said."""
    folder = _folder()
    try:
        texts = (folder / TEXTS).read_text(encoding="latin-1").splitlines()
        human = np.loadtxt(folder / SIMILARITIES)
    except (OSError, ValueError) as problem:
        raise InputError(f"Lee's texts in {folder} cannot be read: {problem}") from None
    if human.shape != (len(texts), len(texts)):
        raise InputError(
            f"{folder / TEXTS} has {len(texts)} texts and {SIMILARITIES} the shape "
            f"{human.shape}: this release of gensim has other data"
        )
    left, right = np.triu_indices(len(texts), 1)
    note = (
        f"all {len(left)} pairs of {len(texts)} news texts, judged by people (Lee et al. 2005)"
    )
    return ScoredPairs(
        [texts[place] for place in left],
        [texts[place] for place in right],
        human[left, right],
        (note,),
    )


def _folder() -> Path:
    """Found without importing gensim, which takes seconds."""
    spec = importlib.util.find_spec("gensim")
    if spec is None or spec.origin is None:
        raise InputError(
            "gensim is not installed, with whose tests Lee's texts and similarities come; "
            "pip install gensim brings them"
        )
    return Path(spec.origin).parent / "test" / "test_data"
