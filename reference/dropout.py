"""The random draws of dropout, made once for every framework (Srivastava et al. 2014).

A forward pass comes by certain sites, in the order in which Transformers' modules do. What a
site drops follows from numbers alone: the seed of the run, the step, the batch within the step,
and how many sites came before. There is no state of a generator to save, so a run that is
resumed drops what it would have dropped, and so does a batch that is computed twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

from reference.checks import check_whole
from reference.inputs import Inputs


@dataclass(frozen=True)
class Dropout:
    """Names one forward pass of a run of training, and so all that it drops."""

    seed: int
    step: int  # so many were taken before
    batch: int = 0  # its place among those whose gradients are added up

    def __post_init__(self) -> None:
        for name in ("seed", "step", "batch"):
            check_whole(name, getattr(self, name), 0)

    def keep(self, site: int, shape: Sequence[int], rate: float) -> np.ndarray:
        """True where a number is kept. Philox (Salmon et al. 2011) turns a key and a counter
        into random bits: each number has 32 of them, and is dropped where they lie below the
        rate."""
        count = math.prod(shape)
        philox = np.random.Philox(
            key=np.array([self.seed, self.step], np.uint64),
            counter=np.array([0, 0, site, self.batch], np.uint64),
        )
        words = philox.random_raw((count + 1) // 2).astype("<u8", copy=False).view("<u4")
        return (words[:count] >= int(rate * 2**32)).reshape(shape)


@dataclass
class _Pass:
    """A forward pass of training under way."""

    dropout: Dropout
    inputs: Inputs | None
    sites: int = 0  # so many were come by

    def keep(self, shape: Sequence[int], rate: float) -> np.ndarray:
        site, self.sites = self.sites, self.sites + 1
        ends = None if self.inputs is None else self.inputs.cu_seqlens
        if ends is not None and shape[0] == ends[-1]:
            # Tokens in a row: what the same texts would keep in a padded batch.
            lengths = np.diff(ends)
            real = np.arange(lengths.max()) < lengths[:, None]
            return self.dropout.keep(site, (*real.shape, *shape[1:]), rate)[real]
        return self.dropout.keep(site, shape, rate)


# Nothing is dropped outside of a pass, so an evaluation cannot forget to say what it is.
_PASS: ContextVar[_Pass | None] = ContextVar("a forward pass of training", default=None)


@contextmanager
def training_pass(dropout: Dropout | None, inputs: Inputs | None = None) -> Iterator[None]:
    """The forward pass in which the ports' `layers.dropout` drops; with None it does not.

    inputs: what the pass is over, as NumPy arrays. Only a packed row needs them, to drop what
        the same texts would drop in a padded batch.
    """
    before = _PASS.set(None if dropout is None else _Pass(dropout, inputs))
    try:
        yield
    finally:
        _PASS.reset(before)


def dropping(rate: float) -> bool:
    """Whether a site with that rate drops anything. One with the rate 0 does not count as a
    site."""
    return rate > 0 and _PASS.get() is not None


def keep(shape: Sequence[int], rate: float) -> np.ndarray:
    """What is kept at the next site of the pass: True for each such number of an array of that
    shape."""
    current = _PASS.get()
    if current is None:
        raise AssertionError("nothing is dropped outside of a training pass")
    return current.keep(shape, rate)


def scale(rate: float) -> float:
    """What is kept is multiplied by this, so that sums stay as large as without dropout."""
    return 0.0 if rate == 1 else 1 / (1 - rate)
