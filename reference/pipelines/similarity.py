"""Two lists of texts, or of their vectors, compared each with each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.checks import check_switch, check_texts, check_vectors
from reference.errors import InputError
from reference.pipelines.batching import joined
from reference.pipelines.cutting import Cuts, tell
from reference.pipelines.late_interaction import max_sim
from reference.pipelines.results import Result
from reference.pipelines.scores import SCORES

Parts = Iterator[tuple[list[str], Any]]  # some of the texts, and the vectors of these
# Which prompts the sides of a comparison have: the first that there is counts.
PROMPTS: dict[str, tuple[str, ...]] = {
    "texts": (),
    "references": (),
    "queries": ("query",),
    "corpus": ("document", "passage", "corpus"),
}


@dataclass(frozen=True, eq=False)
class Similarity(Result):
    """Embeddings of both sides and scores[i, j], how alike text i and reference j are: the
    cosine between them, or what the checkpoint or the caller names in its place.

    In late interaction the embeddings are lists of arrays, a vector a token.
    """

    embeddings: np.ndarray | list[np.ndarray]
    reference_embeddings: np.ndarray | list[np.ndarray]
    scores: np.ndarray


class Sides:
    """What one call compares: lists of texts, or vectors that were made of them. What is cut of
    all lists is told together."""

    def __init__(
        self,
        embed: Callable[[str, Iterable[str]], tuple[Cuts, Parts]],
        metric: str | None,
        empty: np.ndarray,
    ) -> None:
        """`embed` makes the vectors of a side, which it is told the name of; without a metric
        one for each token. `empty` are those of no texts."""
        self.embed = embed
        self.metric = metric
        self.empty = empty
        self.cuts: list[Cuts] = []

    @property
    def size(self) -> int:
        return self.empty.shape[1]

    def parts(self, name: str, texts: Iterable[str]) -> Parts:
        cuts, parts = self.embed(name, texts)
        self.cuts.append(cuts)
        return parts

    def whole(self, name: str, side: Any) -> Any:
        """All vectors of a side, given or made."""
        late = self.metric is None
        if late and isinstance(side, list) and side and all(map(is_vectors, side)):
            return _check_tokens(side, name)
        if is_vectors(side) and not late:
            return check_vectors(side, name, self.size)
        parts = self.parts(name, check_texts(side, name))
        return [one for _, part in parts for one in part] if late else joined(parts, self.empty)

    def compare(self, texts: Any, references: Any) -> Similarity:
        if self.metric is None:
            widths = {array.shape[1] for array in [*texts, *references]}
            if len(widths) > 1:
                raise InputError(
                    "the vectors of tokens have all equally many numbers, not "
                    f"{' and '.join(map(str, sorted(widths)))}"
                )
        score = max_sim if self.metric is None else SCORES[self.metric]
        return Similarity(texts, references, score(texts, references))

    def compare_parts(
        self, parts: Parts, references: Any
    ) -> Iterator[tuple[list[str], Similarity]]:
        """Each part compared with all references, and told what was cut of all."""
        for window, vectors in parts:
            yield window, self.compare(vectors, references)
        self.tell()

    def tell(self) -> None:
        tell(self.cuts)


def _check_tokens(side: list[np.ndarray], name: str) -> list[np.ndarray]:
    """Of each text the vectors of its tokens, as they are given."""
    size = side[0].shape[-1] if side[0].ndim else 0
    checked = [check_vectors(array, f"{name}[{n}]", size) for n, array in enumerate(side)]
    for number, array in enumerate(checked):
        if not len(array):
            raise InputError(f"{name}[{number}] holds no vector; a text has at least one token")
    return checked


def is_vectors(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def check_late(late_interaction: Any, metric: str | None, truncate_dim: int | None) -> bool:
    if not check_switch("late_interaction", late_interaction):
        return False
    if metric is not None:
        raise InputError("late interaction compares by MaxSim; leave metric out")
    if truncate_dim is not None:
        raise InputError("late interaction compares whole vectors; leave truncate_dim out")
    return True
