"""Models that make a vector of a text, judged by the vectors; and vectors that are there
already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reference.backend import build
from reference.checks import check_name, check_vectors
from reference.errors import InputError
from reference.evaluation.contestant import Contestant, Likeness
from reference.evaluation.ranking import Ranking, Top
from reference.families.initial import initial_tensors
from reference.pipelines import Embeddings
from reference.pipelines.batching import TEXTS_AT_ONCE, windows
from reference.pipelines.cutting import Cuts
from reference.pipelines.scores import SCORES
from reference.pipelines.search import ROWS_AT_ONCE
from reference.pipelines.similarity import PROMPTS

# What each side of a comparison is encoded with: the method, and of our own models the prompts,
# of which the first that there is counts.
SIDES = {
    "queries": ("encode_query", PROMPTS["queries"]),
    "documents": ("encode_document", PROMPTS["corpus"]),
    "texts": ("encode", PROMPTS["texts"]),
}


class Encoder(Contestant):
    """Any model that has `encode`, and perhaps `encode_query` and `encode_document`, as those
    of sentence-transformers have. It is handed a few thousand texts at a time.

    metric: "cosine", "dot", "euclidean" or "manhattan"; None is what the model names.
    """

    def __init__(self, model: Any, metric: str | None = None) -> None:
        self.model = model
        metric = metric or self._metric() or "cosine"
        self.score = SCORES[check_name(metric, SCORES, "metric")]

    def rank(self, queries: Sequence[str], documents: Sequence[str], top_k: int) -> Ranking:
        notes: list[str] = []
        asked = np.concatenate(list(self._vectors(queries, "queries", notes)))
        top = Top(len(queries), top_k, TEXTS_AT_ONCE)
        for part in self._vectors(documents, "documents", notes):
            _see(top, self.score, asked, part)
        return top.ranking(*notes)

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Likeness:
        """Every text is embedded once, as `encode` does."""
        notes: list[str] = []
        places = {text: place for place, text in enumerate(dict.fromkeys((*left, *right)))}
        vectors = np.concatenate(list(self._vectors(list(places), "texts", notes)))
        sides = (vectors[[places[text] for text in side]] for side in (left, right))
        return Likeness(_pairwise(self.score, *sides), tuple(notes))

    def _metric(self) -> str | None:
        return getattr(self.model, "similarity_fn_name", None)

    def _vectors(
        self, texts: Sequence[str], side: str, notes: list[str]
    ) -> Iterator[np.ndarray]:
        """The vectors of a side, a few thousand at a time; what is to be told joins the
        notes."""
        encode = getattr(self.model, SIDES[side][0], None) or self.model.encode
        size = None
        for _, window in windows(texts):
            vectors = np.asarray(encode(window))
            if vectors.ndim != 2 or len(vectors) != len(window):
                raise InputError(
                    f"{type(self.model).__name__} makes an array of shape {vectors.shape} of "
                    f"{len(window)} {side}; it must have a row for each of them"
                )
            size = size or vectors.shape[1]
            yield _full_precision(check_vectors(vectors, f"the vectors of {side}", size))


class OwnEncoder(Encoder):
    """A model of reference.load. What it cuts off of texts that are too long is noted."""

    def __init__(
        self,
        model: Embeddings,
        metric: str | None = None,
        batch_size: int = 32,
        show_progress: bool = False,
    ) -> None:
        super().__init__(model, metric)
        self.options = {"batch_size": batch_size, "show_progress": show_progress}

    def _metric(self) -> str:
        return self.model.settings.similarity

    def _vectors(
        self, texts: Sequence[str], side: str, notes: list[str]
    ) -> Iterator[np.ndarray]:
        options = {**self.options, "truncation": "ignore"}
        options = self.model.prompted(options, *SIDES[side][1])
        prompt = self.model.settings.prompt(None, options.get("prompt_name"))
        cuts = Cuts("ignore", self.model.tokenizer.max_length)
        for window, vectors in self.model.encode_parts(texts, **options):
            cuts.see(self.model.tokenizer([prompt + text for text in window]))
            yield _full_precision(vectors)
        if cuts.texts:
            notes.append(
                f"{cuts.texts} of {cuts.seen} {side} were cut at {cuts.max_length} tokens"
            )


class Vectors(Contestant):
    """Vectors of both sides, in the order of the texts: of queries and documents, or of the
    left and the right texts of pairs. A memory map is read a part at a time."""

    def __init__(self, left: np.ndarray, right: np.ndarray, metric: str = "cosine") -> None:
        self.left, self.right = left, right
        self.score = SCORES[check_name(metric, SCORES, "metric")]

    def rank(self, queries: Sequence[str], documents: Sequence[str], top_k: int) -> Ranking:
        sizes = {"queries": len(queries), "documents": len(documents)}
        asked, held = self._checked(sizes)
        top = Top(len(queries), top_k, ROWS_AT_ONCE)
        for first in range(0, len(held), ROWS_AT_ONCE):
            part = np.asarray(held[first : first + ROWS_AT_ONCE])
            part = check_vectors(part, "the vectors of documents", held.shape[1])
            _see(top, self.score, asked, _full_precision(part))
        return top.ranking()

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Likeness:
        left, right = self._checked({"left texts": len(left), "right texts": len(right)})
        right = check_vectors(right, "the vectors of right texts", left.shape[1])
        return Likeness(_pairwise(self.score, left, _full_precision(right)))

    def _checked(self, sizes: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
        for (name, texts), vectors in zip(sizes.items(), (self.left, self.right), strict=True):
            if not isinstance(vectors, np.ndarray) or vectors.ndim != 2:
                raise InputError(f"the vectors of {name} must be an array with a row for each")
            if len(vectors) != texts:
                raise InputError(f"there are {len(vectors)} vectors of {texts} {name}")
        name = f"the vectors of {next(iter(sizes))}"
        left = check_vectors(np.asarray(self.left), name, self.left.shape[1])
        return _full_precision(left), self.right


def random_weights(model: Embeddings, seed: int = 0) -> Embeddings:
    """The same architecture before it has learned anything: its weights drawn anew, as they are
    before training. Tokenizer, pooling and what follows it stay as they are. What it can do,
    the architecture and the words that two texts share do by themselves."""
    checkpoint = model.checkpoint
    config, architecture = checkpoint.config, checkpoint.architecture
    pooler = architecture.has_pooler(checkpoint.tensors)
    tensors = initial_tensors(config, architecture, seed, pooler)
    network = build(
        model.backend, config, architecture, dict(tensors), model.dtype, model.device
    )
    drawn = replace(checkpoint, tensors=tensors)
    return type(model)(drawn, network, model.backend, model.dtype, model.device)


def _see(top: Top, score: Callable, asked: np.ndarray, part: np.ndarray) -> None:
    if part.shape[1] != asked.shape[1]:
        raise InputError(
            f"a query's vector has {asked.shape[1]} numbers and a document's {part.shape[1]}; "
            "only vectors of one size can be compared"
        )
    top.see(lambda block: _compared(score, asked[block], part))


def _pairwise(score: Callable, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    pairs = zip(left, right, strict=True)
    return np.array([_compared(score, a[None], b[None])[0, 0] for a, b in pairs])


def _compared(score: Callable, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        scores = score(left, right).astype(np.float32)
    if not np.isfinite(scores).all():
        raise InputError("scores overflow float32: the vectors hold numbers that are too large")
    return scores


def _full_precision(vectors: np.ndarray) -> np.ndarray:
    """Half precision is for storing. Scores are made in float32 or float64, and compared in
    float32, where the rounding of the scores makes no ties."""
    return vectors.astype(np.promote_types(vectors.dtype, np.float32), copy=False)
