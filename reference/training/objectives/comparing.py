"""What the objectives share that compare vectors: cosines, Matryoshka widths, and a batch of
texts of any size in the memory of a few of them.

The losses are NumPy's, with their gradients by hand, in float64. A port only makes the vectors
and follows the gradients back from there. In between there is nothing of the model, so the
texts go through it a chunk at a time, forward to have all vectors, and once more, forward and
back, when the gradient of the loss in each of them is known (GradCache, Gao et al. 2021). It
is the gradient of the whole batch, and takes the memory of one chunk. What it costs is the
first pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reference.checks import check_whole
from reference.dropout import Dropout
from reference.errors import InputError
from reference.inputs import Inputs, pack
from reference.learning import Way

CHUNK_TOKENS = 2048


@dataclass(frozen=True)
class Compared:
    """A loss, and its gradient in each of the arrays that it compares, in their order."""

    loss: float
    gradients: tuple[np.ndarray, ...]
    scale: float = 0.0  # the loss's derivative by what the cosines were multiplied with


Compare = Callable[..., Compared]  # arrays of vectors, one below the other, and settings


def normalized(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of length one, and the lengths that they had; 1e-12 stands in for less, as in
    PyTorch's F.normalize."""
    vectors = np.asarray(vectors, np.float64)
    lengths = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return vectors / lengths, lengths


def through_normalized(
    gradient: np.ndarray, unit: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """From the gradient in unit vectors to that in what they were made of: what would only
    change the length is gone."""
    along = (gradient * unit).sum(axis=-1, keepdims=True)
    return (gradient - along * unit) / lengths


def softmax(logits: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities, and the logarithm of what they were divided by."""
    highest = logits.max(axis=axis, keepdims=True)
    powers = np.exp(logits - highest)
    total = powers.sum(axis=axis, keepdims=True)
    return powers / total, (np.log(total) + highest).squeeze(axis)


def matryoshka(compare: Compare, widths: Sequence[int]) -> Compare:
    """The sum of what `compare` finds between the first `width` numbers of all vectors, for
    each of the widths (Kusupati et al. 2022): each beginning of a vector is to be a vector by
    itself."""
    widths = check_widths(widths)

    def summed(*vectors: np.ndarray, **settings: Any) -> Compared:
        check_widths(widths, vectors[0].shape[1])
        loss, scale = 0.0, 0.0
        gradients = tuple(np.zeros(array.shape) for array in vectors)
        for width in widths:
            found = compare(*(array[:, :width] for array in vectors), **settings)
            loss, scale = loss + found.loss, scale + found.scale
            for total, gradient in zip(gradients, found.gradients, strict=True):
                total[:, :width] += gradient
        return Compared(loss, gradients, scale)

    return summed


def check_widths(widths: Sequence[int], size: int | None = None) -> tuple[int, ...]:
    """The widths, of vectors with `size` numbers."""
    found = tuple(check_whole("a width", width, least=1) for width in widths)
    if not found or len(set(found)) < len(found):
        raise InputError(f"widths are {list(found)}; there must be one, and none of them twice")
    if size is not None and max(found) > size:
        raise InputError(f"a width is {max(found)}, but the vectors have {size} numbers")
    return found


@dataclass(frozen=True)
class Side:
    """Texts of one kind, as ids, and how they become vectors."""

    texts: Sequence[Sequence[int]]
    way: Way

    def chunks(self, tokens: int) -> Iterator[tuple[np.ndarray, Inputs]]:
        """As many texts at a time as have at most so many tokens, those of about one length
        together: where they are, and they, packed. A longer text goes alone."""
        order = np.argsort([len(text) for text in self.texts], kind="stable")
        first, held = 0, 0
        for place, text in enumerate(order):
            length = len(self.texts[text])
            if place > first and held + length > tokens:
                yield self._chunk(order[first:place])
                first, held = place, 0
            held += length
        yield self._chunk(order[first:])

    def _chunk(self, places: np.ndarray) -> tuple[np.ndarray, Inputs]:
        ids, bounds = pack([self.texts[place] for place in places])
        return places, Inputs(ids, None, None, bounds)


@dataclass(frozen=True)
class Comparison:
    """A batch whose loss compares the vectors of its texts, learned from a chunk at a time."""

    sides: tuple[Side, ...]
    compare: Compare  # takes an array of vectors for each side; its scale too, if it is learned
    count: int  # how much it weighs in a group: the number of its pairs
    # The key of the parameter that is the logarithm of the temperature, where the model learns
    # one: what cosines are divided by.
    temperature: str | None = None
    chunk_tokens: int = CHUNK_TOKENS

    def learn(self, learner: Any, weight: float = 1.0, dropout: Dropout | None = None) -> float:
        """With dropout, a chunk drops in its second pass what it has dropped in the first."""
        scale, passes = self._scale(learner.model), _Passes(dropout)
        vectors = self._vectors(
            lambda inputs, way: learner.vectors(inputs, way, passes.another())
        )
        found, passes = self.compare(*vectors, **scale), _Passes(dropout)
        for side, gradient in zip(self.sides, found.gradients, strict=True):
            for places, inputs in side.chunks(self.chunk_tokens):
                own = weight * gradient[places]
                learner.follow(inputs, side.way, own, passes.another())
        if scale:  # 1 / exp(x), whose derivative is its negative
            learner.add(self.temperature, np.array([-weight * scale["scale"] * found.scale]))
        return found.loss

    def judge(self, model: Any) -> tuple[float, list[np.ndarray]]:
        """The loss of a model that does not learn, and the vectors that it is the loss of."""
        vectors = self._vectors(
            lambda inputs, way: model.embed(inputs, way.pooling, way.normalize, way.skip)
        )
        return self.compare(*vectors, **self._scale(model)).loss, vectors

    def _vectors(self, make: Callable[[Inputs, Way], np.ndarray]) -> list[np.ndarray]:
        """Those of each side, in the order of its texts."""
        found = []
        for side in self.sides:
            chunks = list(side.chunks(self.chunk_tokens))
            made = np.concatenate([make(inputs, side.way) for _, inputs in chunks])
            found.append(made[np.argsort(np.concatenate([places for places, _ in chunks]))])
        return found

    def _scale(self, model: Any) -> dict[str, float]:
        return {} if self.temperature is None else {"scale": 1 / temperature(model)}


class _Passes:
    """The dropout of one chunk after another, each with draws of its own."""

    def __init__(self, dropout: Dropout | None) -> None:
        self.dropout, self.number = dropout, 0

    def another(self) -> Dropout | None:
        self.number += 1
        if self.dropout is None:
            return None
        return replace(self.dropout, batch=(self.dropout.batch << 32) + self.number)


def temperature(model: Any) -> float:
    """What a model divides cosines by: that of a vector with itself is 1."""
    one = np.ones((1, 1))
    return 1 / float(model.similarity(one, one)[0, 0])
