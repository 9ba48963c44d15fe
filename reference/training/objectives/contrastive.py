"""Ranking within a batch: of all its documents a query is to find its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from reference.backend import Model
from reference.checks import check_number, check_switch
from reference.errors import InputError, warn
from reference.training.objectives.comparing import (
    Compared,
    Comparison,
    Side,
    normalized,
    softmax,
    through_normalized,
)
from reference.training.objectives.embedding import (
    DOCUMENTS,
    HELD_OUT,
    QUERIES,
    SCALE,
    Embedding,
    Maker,
)
from reference.training.objectives.objective import Given, Size, setting
from reference.training.objectives.records import check_text, records


def ranking(
    queries: np.ndarray,
    documents: np.ndarray,
    negatives: np.ndarray | None = None,
    scale: float = SCALE,
    both: bool = False,
) -> Compared:
    """The cross entropy of finding documents[i] for queries[i] among all documents, and all
    `negatives` that there are of whichever query, by cosines times `scale` (van den Oord et
    al. 2018; Henderson et al. 2017).

    With `both` it is the mean of that and of finding each document's query among the queries.
    Vectors are [pairs, size], negatives [any number, size].
    """
    pairs = len(queries)
    if pairs == 0 or np.shape(documents) != np.shape(queries):
        raise InputError(
            f"queries have shape {np.shape(queries)} and documents {np.shape(documents)}; "
            "there must be one document for each query, and a pair at least"
        )
    scale = check_number("scale", scale)
    if scale <= 0:
        raise InputError(f"scale is {scale}; cosines are multiplied with a number above 0")
    asked, asked_lengths = normalized(queries)
    all_of_them = documents if negatives is None else np.concatenate([documents, negatives])
    found, found_lengths = normalized(all_of_them)
    cosines = asked @ found.T  # [pairs, candidates]
    own = np.arange(pairs)

    share, total = softmax(scale * cosines, axis=1)
    loss = (total - scale * cosines[own, own]).mean()
    share[own, own] -= 1
    wanted = share / pairs  # the gradient in scale * cosines
    if both:
        square = cosines[:, :pairs]
        share, total = softmax(scale * square, axis=0)
        loss = (loss + (total - scale * square[own, own]).mean()) / 2
        share[own, own] -= 1
        wanted[:, :pairs] += share / pairs
        wanted /= 2

    in_asked = through_normalized(scale * wanted @ found, asked, asked_lengths)
    in_found = through_normalized(scale * wanted.T @ asked, found, found_lengths)
    gradients = (in_asked, in_found[:pairs])
    if negatives is not None:
        gradients += (in_found[pairs:],)
    return Compared(float(loss), gradients, float((wanted * cosines).sum()))


@dataclass(frozen=True)
class Pair:
    """A query, the document that answers it, and documents that do not."""

    query: str
    document: str
    negatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class PairRow:
    """The same as ids."""

    pair: Pair
    query: list[int]
    document: list[int]
    negatives: tuple[list[int], ...]

    def __len__(self) -> int:
        return sum(map(len, (self.query, self.document, *self.negatives)))


@dataclass(frozen=True)
class Contrastive(Embedding):
    """Of all documents in its batch a query finds its own. Data has a query, a document, and
    perhaps negatives, documents that do not answer it: one, or a list.

    No two pairs of a batch share a text, for each would be the other's wrong answer. A batch is
    embedded in chunks, so its size costs time and hardly any memory.
    """

    name: ClassVar[str] = "contrastive"
    columns: ClassVar[Mapping[str, str]] = {
        "query": "query",
        "document": "document",
        "negative": "negative",
    }

    both: bool = setting(False, "documents are to find their queries as well")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_switch("both", self.both)

    def samples(self, data: Any, columns: Mapping[str, str]) -> list[Pair]:
        found = []
        for where, record in records(_with_lists(data), columns, ("negative",)):
            query, document = (
                check_text(record[role], where, role) for role in ("query", "document")
            )
            several = record.get("negative") or ()
            several = several if isinstance(several, (list, tuple)) else (several,)
            negatives = tuple(check_text(text, where, "negative") for text in several)
            found.append(Pair(query, document, negatives))
        return found

    def key(self, sample: Pair) -> str:
        return sample.document

    def rows(self, samples: Sequence[Pair], given: Given) -> list[PairRow]:
        maker = Maker.of(given)
        queries = maker.ids([sample.query for sample in samples], QUERIES)
        documents = maker.ids([sample.document for sample in samples], DOCUMENTS)
        others = iter(maker.ids([text for one in samples for text in one.negatives], DOCUMENTS))
        return [
            PairRow(sample, query, document, tuple(islice(others, len(sample.negatives))))
            for sample, query, document in zip(samples, queries, documents, strict=True)
        ]

    def batches(
        self, rows: Sequence[PairRow], size: Size, generator: np.random.Generator
    ) -> list[np.ndarray]:
        """As many batches as hold all rows; a row that shares a text with one of each batch
        that has room is left out of this epoch."""
        found, left = apart(rows, size, generator.permutation(len(rows)))
        if left:
            warn(
                f"{left} of {len(rows)} pairs are left out of an epoch: each batch with room "
                "for them had one of their texts. Chance decides which"
            )
        return found

    def example(self, rows: Sequence[PairRow], given: Given, seed: int) -> Comparison | None:
        if len(rows) == 1 and not rows[0].negatives:
            return None  # nothing to choose from
        maker = Maker.of(given)
        negatives = {
            text: ids
            for row in rows
            for text, ids in zip(row.pair.negatives, row.negatives, strict=True)
        }
        documents = maker.way(DOCUMENTS)
        sides = [
            Side([row.query for row in rows], maker.way(QUERIES)),
            Side([row.document for row in rows], documents),
        ]
        if negatives:  # one that several queries have is there once
            sides.append(Side(list(negatives.values()), documents))
        compare = partial(ranking, both=self.both)
        return self.comparison(maker, sides, compare, len(rows), scaled=True)

    def scores(self, model: Model, rows: Sequence[PairRow], given: Given) -> dict[str, float]:
        """In batches of HELD_OUT: the loss, and how often a query's own document is the
        nearest."""
        loss, right, count = 0.0, 0, 0
        batches, _ = apart(rows, Size(HELD_OUT), range(len(rows)))
        for places in batches:
            lesson = self.example([rows[place] for place in places], given, 0)
            if lesson is None:
                continue
            part, vectors = lesson.judge(model)
            queries, candidates = vectors[0], np.concatenate(vectors[1:])
            cosines = normalized(queries)[0] @ normalized(candidates)[0].T
            loss += part * lesson.count
            right += int((cosines.argmax(axis=1) == np.arange(lesson.count)).sum())
            count += lesson.count
        if not count:
            raise InputError("a single pair is held out, which has nothing to choose from")
        return {"loss": loss / count, "accuracy": right / count}


def apart(
    rows: Sequence[PairRow], size: Size, order: Iterable[int]
) -> tuple[list[np.ndarray], int]:
    """The places of rows in batches in which no two have a text in common, and how many rows
    had no place. Each row goes, in that order, into the first batch that has room and none of
    its texts; another is begun where none has room."""
    batches: list[_Batch] = []
    first, left = 0, 0
    for place in order:
        row = rows[place]
        while first < len(batches) and not batches[first].has_room(size):
            first += 1
        open_ones = [batch for batch in batches[first:] if batch.has_room(size, len(row))]
        chosen = next((batch for batch in open_ones if batch.takes(row.pair)), None)
        if chosen is None:
            if open_ones and len(batches) * size.rows >= len(rows):
                left += 1
                continue
            chosen = _Batch()
            batches.append(chosen)
        chosen.add(int(place), row)
    return [np.array(batch.places, np.int64) for batch in batches], left


class _Batch:
    """Rows that go together."""

    def __init__(self) -> None:
        self.places: list[int] = []
        self.tokens = 0
        self.texts: set[str] = set()  # queries and documents
        self.negatives: set[str] = set()

    def has_room(self, size: Size, tokens: int = 0) -> bool:
        fits = size.tokens is None or self.tokens + tokens <= size.tokens
        return len(self.places) < size.rows and (fits or not self.places)

    def takes(self, pair: Pair) -> bool:
        """Whether none of its answers is wrong for one that is there, nor the other way
        round. Two may have the same negative."""
        own = {pair.query, pair.document}
        return self.texts.isdisjoint(own | {*pair.negatives}) and self.negatives.isdisjoint(own)

    def add(self, place: int, row: PairRow) -> None:
        self.places.append(place)
        self.tokens += len(row)
        self.texts |= {row.pair.query, row.pair.document}
        self.negatives |= {*row.pair.negatives}


def _with_lists(data: Any) -> Any:
    """Tuples of a query, a document and any number of negatives as those of three."""
    if not isinstance(data, (list, tuple)):
        return data
    return [
        (*row[:2], list(row[2:])) if isinstance(row, (list, tuple)) and len(row) > 3 else row
        for row in data
    ]
