"""Many texts, a batch at a time: those of similar length together, results in the order
given."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from reference.checks import check_switch, check_whole

Sized = TypeVar("Sized", bound=Sequence[int])

# A batch of about this many tokens keeps the matrix products large and the intermediate results
# in cache.
TOKENS_A_BATCH = 2048


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
    show_progress: bool = False,
    results: Any = None,
) -> Any:
    """What `run` makes of each sequence of ids, in the order given, though it is handed
    batches of similar length.

    `results`, an array with a row a sequence, is filled and comes back; without it, a list.
    """
    batch_size = check_whole("batch_size", batch_size, least=1)
    show_progress = check_switch("show_progress", show_progress)
    results = [None] * len(sequences) if results is None else results
    with _progress(len(sequences), show_progress) as bar:
        for rows in batches_by_length([len(ids) for ids in sequences], batch_size):
            made = run([sequences[row] for row in rows])
            for row, result in zip(rows, made, strict=True):
                results[row] = result
            bar.update(len(rows))
    return results


def _progress(total: int, shown: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, disable=not shown, unit=" texts", file=sys.stderr)
