"""What a model can be trained for: the questions that the loop, `fit` and the command line ask
of an objective.

An objective is a small frozen dataclass. Its fields are its own settings, such as mask_prob;
`fit` takes them as arguments and the command line as options of the same names. It knows
which head it needs and how data becomes batches, and nothing of frameworks, of steps or of
files.

Data goes through it in this order:

    samples    one thing to learn from each, as the user gave it: a text, a text and its label,
               a pair. Held-out samples are chosen among these.
    rows       samples as ids, with what is known of them; len(row) counts its tokens. One
               sample may make several rows (a long text, cut) or none.
    batches    places of rows that go together, for each epoch anew
    example    one batch as the model learns from it. All of its chance comes from a seed that
               follows from the run's seed and the step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from reference.backend import Model
from reference.families import EncoderConfig, Task
from reference.learning import Lesson
from reference.text import Tokenizer


@dataclass(frozen=True)
class Given:
    """What the rows of a run are made with."""

    tokenizer: Tokenizer
    config: EncoderConfig
    max_tokens: int  # of a row, special tokens included
    # The folder of the whole model that is gone on from, in which its sentence modules are.
    home: Path | None = None
    tokenizer_folder: Path | None = None


@dataclass(frozen=True)
class Size:
    """How large a batch is: so many rows, and at most so many tokens where that is said."""

    rows: int
    tokens: int | None = None


def setting(default: Any, what: str) -> Any:
    """A field of a dataclass of settings, with the words that --help has for it."""
    return field(default=default, metadata={"help": what})


class Objective(ABC):
    """One of them, with its settings. The methods that have a body here suit most."""

    name: ClassVar[str]  # by which fit and --objective know it
    task: ClassVar[Task]  # whose head it trains; BASE is the encoder by itself
    # What it reads of a dataset, and the names that these columns have if nobody says
    # otherwise.
    columns: ClassVar[Mapping[str, str]]
    # The score of held-out rows by which the best model of a run is told, and whether more of
    # it is better.
    watched: ClassVar[str] = "loss"
    more_is_better: ClassVar[bool] = False
    # Whether the processes of a run learn each batch together, so that it is as many times as
    # large, instead of a batch each. Its lessons have a field of that name.
    together: ClassVar[bool] = False

    @abstractmethod
    def samples(self, data: Any, columns: Mapping[str, str]) -> list[Any]:
        """What there is to learn from. `data` is whatever form the user has it in: the name of
        a file, a list, a Hugging Face dataset, whose columns have these names."""

    def key(self, sample: Any) -> str:
        """Samples of the same key are held out together, or not at all: what was learned by
        heart is no test."""
        return repr(sample)

    def changes(self, samples: Sequence[Any], config: EncoderConfig) -> dict[str, Any]:
        """What training on these samples, training and held-out ones together, makes of the
        model's configuration: its labels, for one."""
        return {}

    @abstractmethod
    def rows(self, samples: Sequence[Any], given: Given) -> list[Any]:
        """The samples as ids, at most given.max_tokens each."""

    def batches(
        self, rows: Sequence[Any], size: Size, generator: np.random.Generator
    ) -> list[np.ndarray]:
        """The places of the rows of each batch of an epoch, every row in one of them. Batches
        are packed, so rows of any lengths go together and chance alone decides."""
        return in_batches(generator.permutation(len(rows)), [len(row) for row in rows], size)

    @abstractmethod
    def example(self, rows: Sequence[Any], given: Given, seed: int) -> Lesson | None:
        """These rows as one batch, or None where chance has left nothing to learn in it."""

    @abstractmethod
    def scores(self, model: Model, rows: Sequence[Any], given: Given) -> dict[str, float]:
        """How well the model does on rows that it was not trained on; "loss" is among the
        scores, the same function as in training."""

    def beside(self, given: Given) -> dict[str, bytes]:
        """Files that the trained checkpoint needs besides configuration, weights and
        tokenizer: the modules.json of an embedding model, for one."""
        return {}


def in_batches(order: Sequence[int], lengths: Sequence[int], size: Size) -> list[np.ndarray]:
    """Places in that order, as many in each batch as fit; one that is too long by itself is a
    batch of its own."""
    found: list[list[int]] = [[]]
    held = 0
    for place in map(int, order):
        full = len(found[-1]) == size.rows
        if size.tokens is not None:
            full = full or held + lengths[place] > size.tokens
        if found[-1] and full:
            found.append([])
            held = 0
        found[-1].append(place)
        held += lengths[place]
    return [np.array(places, np.int64) for places in found if places]
