"""What the objectives share that compare vectors: cosines, Matryoshka widths, and a batch of
texts of any size in the memory of a few of them.

The losses are NumPy's, with their gradients by hand, in float64. A port only makes the vectors
and follows the gradients back from there. In between there is nothing of the model, so the
texts go through it a chunk at a time, forward to have all vectors, and once more, forward and
back, when the gradient of the loss in each of them is known (GradCache, Gao et al. 2021). It
is the gradient of the whole batch, and takes the memory of one chunk. What it costs is the
first pass.

Several processes can learn a batch together: each makes the vectors of some chunks, all find
the same loss of all vectors, and each follows the gradient back through its chunks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reference import ranks
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
    together: bool = False  # learned by all processes of a run, which each have it

    def learn(self, learner: Any, weight: float = 1.0, dropout: Dropout | None = None) -> float:
        """With dropout, a chunk drops in its second pass what it has dropped in the first."""
        scale, made = self._scale(learner.model), []
        for chunk in self._chunks():
            vectors = learner.vectors(chunk.inputs, chunk.way, chunk.dropping(dropout))
            made.append((chunk.side, chunk.places, vectors))
        if self.together:
            made = [part for parts in ranks.gathered(made) for part in parts]
        found = self.compare(*self._in_order(made), **scale)
        for chunk in self._chunks():
            own = weight * found.gradients[chunk.side][chunk.places]
            learner.follow(chunk.inputs, chunk.way, own, chunk.dropping(dropout))
        if scale and (ranks.is_first() or not self.together):  # of all of them it is one part
            # 1 / exp(x), whose derivative is its negative
            learner.add(self.temperature, np.array([-weight * scale["scale"] * found.scale]))
        return found.loss

    def judge(self, model: Any) -> tuple[float, list[np.ndarray]]:
        """The loss of a model that does not learn, and the vectors that it is the loss of."""
        made = []
        for chunk in replace(self, together=False)._chunks():
            way = chunk.way
            vectors = model.embed(chunk.inputs, way.pooling, way.normalize, way.skip)
            made.append((chunk.side, chunk.places, vectors))
        vectors = self._in_order(made)
        return self.compare(*vectors, **self._scale(model)).loss, vectors

    def _chunks(self) -> Iterator[_Chunk]:
        """Those of this process. Where several share a batch that would be a single chunk, it
        is cut for them."""
        number = 0
        for place, side in enumerate(self.sides):
            tokens = self.chunk_tokens
            if self.together:
                share = math.ceil(sum(map(len, side.texts)) / ranks.world())
                tokens = min(tokens, share)
            for places, inputs in side.chunks(tokens):
                if not self.together or ranks.is_own(number):
                    yield _Chunk(number, place, side.way, places, inputs)
                number += 1

    def _in_order(self, made: Sequence[tuple[int, np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """The vectors of each side in the order of its texts, from those of chunks: which side
        and which texts they are of, and they."""
        found = []
        for side in range(len(self.sides)):
            places = np.concatenate([places for its, places, _ in made if its == side])
            vectors = np.concatenate([vectors for its, _, vectors in made if its == side])
            found.append(vectors[np.argsort(places)])
        return found

    def _scale(self, model: Any) -> dict[str, float]:
        return {} if self.temperature is None else {"scale": 1 / temperature(model)}


@dataclass(frozen=True)
class _Chunk:
    """Some texts of a batch, and what is known of them."""

    number: int  # so many chunks of the batch came before
    side: int
    way: Way
    places: np.ndarray  # of the texts in their side
    inputs: Inputs

    def dropping(self, dropout: Dropout | None) -> Dropout | None:
        """The dropout of the batch with draws of the chunk's own."""
        if dropout is None:
            return None
        return replace(dropout, batch=(dropout.batch << 32) + self.number + 1)


def temperature(model: Any) -> float:
    """What a model divides cosines by: that of a vector with itself is 1."""
    one = np.ones((1, 1))
    return 1 / float(model.similarity(one, one)[0, 0])
