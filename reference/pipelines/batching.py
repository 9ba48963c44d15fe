"""Many texts, a batch at a time: those of similar length together, results in the order
given. However many there are, few are held as tokens at once."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from reference.checks import check_whole

Sized = TypeVar("Sized", bound=Sequence[int])

# A batch of about this many tokens keeps the matrix products large and the intermediate results
# in cache.
TOKENS_A_BATCH = 2048
# So many texts are tokenized and sorted by length at a time: enough for full batches of like
# length, and some hundred megabytes at the most.
TEXTS_AT_ONCE = 4096


def batches_by_length(
    lengths: Sequence[int], batch_size: int, tokens: int = TOKENS_A_BATCH
) -> list[np.ndarray]:
    """Row numbers in batches, longest texts first: at most batch_size rows and, but for a
    single row, `tokens` tokens.

    The longest come first so that memory runs out, if ever, at once and not after an hour.
    """
    batches: list[list[int]] = []
    held = 0
    for row in np.argsort([-length for length in lengths], kind="stable").tolist():
        if not batches or len(batches[-1]) == batch_size or held + lengths[row] > tokens:
            batches.append([])
            held = 0
        batches[-1].append(row)
        held += lengths[row]
    return [np.array(batch) for batch in batches]


def run_in_batches(
    run: Callable[[list[Sized]], Sequence[Any]],
    sequences: Sequence[Sized],
    batch_size: int,
    bar: Any = None,
    results: Any = None,
    sizes: Sequence[int] | None = None,
) -> Any:
    """What `run` makes of each sequence of ids, in the order given, though it is handed
    batches of similar length.

    `results`, an array with a row a sequence, is filled and comes back; without it, a list.
    `sizes` are what the sequences take of a batch's tokens, if not their lengths.
    """
    batch_size = check_whole("batch_size", batch_size, least=1)
    results = [None] * len(sequences) if results is None else results
    sizes = [len(ids) for ids in sequences] if sizes is None else sizes
    for rows in batches_by_length(sizes, batch_size):
        made = run([sequences[row] for row in rows])
        for row, result in zip(rows, made, strict=True):
            results[row] = result
        if bar is not None:
            bar.update(len(rows))
    return results


def windows(texts: Iterable[str], size: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """The texts a few thousand at a time, or `size` of them, each part with the number of its
    first; what comes from a generator is never listed whole."""
    texts, first = iter(texts), 0
    while window := list(itertools.islice(texts, size or TEXTS_AT_ONCE)):
        yield first, window
        first += len(window)


def joined(parts: Iterable[tuple[list[str], np.ndarray]], empty: np.ndarray) -> np.ndarray:
    """The vectors of all parts; of none, none."""
    vectors = [empty, *(part for _, part in parts)]
    return vectors[-1] if len(vectors) <= 2 else np.concatenate(vectors)


class Unseen:
    """A bar that nobody looks at."""

    def __enter__(self) -> Unseen:
        return self

    def __exit__(self, *problem: object) -> None:
        pass

    def update(self, count: int) -> None:
        pass


def progress(texts: Iterable[str], shown: bool) -> Any:
    """A bar that counts texts, on standard error."""
    if not shown:
        return Unseen()
    from tqdm.auto import tqdm  # slow to import, and seldom asked for

    total = len(texts) if isinstance(texts, Sequence) else None
    return tqdm(total=total, unit=" texts", file=sys.stderr)
