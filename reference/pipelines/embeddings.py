"""Sentence embeddings and their similarity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from reference.checks import (
    check_iterable,
    check_switch,
    check_texts,
    check_vectors,
    check_whole,
)
from reference.errors import CheckpointError
from reference.inputs import Inputs, check_packed, pack
from reference.pipelines.base import Pipeline, token_types
from reference.pipelines.batching import progress, run_in_batches, windows
from reference.pipelines.scores import SCORES, unit_vectors
from reference.processes import computing
from reference.sentence import SETTINGS_FILES, read_sentence_settings
from reference.text import Encoding


@dataclass(frozen=True)
class Similarity:
    """Embeddings of both sides and scores[i, j], how alike text i and reference j are: the
    cosine between them, or what the checkpoint names in its place."""

    embeddings: np.ndarray
    reference_embeddings: np.ndarray
    scores: np.ndarray


class Embeddings(Pipeline):
    """One vector a text."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.settings = read_sentence_settings(self.checkpoint.folder, self.config.hidden_size)

    def encode(
        self,
        texts: Iterable[str] | str,
        batch_size: int = 32,
        normalize: bool | None = None,
        show_progress: bool = False,
    ) -> np.ndarray:
        """Embed texts: float32 [texts, dimensions], in the order given; one string gives one
        vector.

        A model in float64 gives float64. The checkpoint's default prompt, where it names one,
        is put before each text, and what is longer than its max_seq_length is cut off.
        `normalize` None does what its modules.json says. Of each vector the first numbers are
        kept, as many as its truncate_dim says. A batch holds texts of similar length,
        at most `batch_size` of them and about 2,048 tokens; the result does not depend on how
        they fall into batches beyond rounding. A generator is read as it is needed, a few
        thousand texts at a time. A vector that is not finite is an error.
        """
        if isinstance(texts, str):
            return self.encode([texts], batch_size, normalize, show_progress)[0]
        texts = texts if isinstance(texts, Iterator) else check_texts(texts)
        made = self.encode_parts(texts, batch_size, normalize, show_progress)
        parts = [self._vectors(0), *(vectors for _, vectors in made)]
        return parts[-1] if len(parts) <= 2 else np.concatenate(parts)

    def encode_parts(
        self,
        texts: Iterable[str],
        batch_size: int = 32,
        normalize: bool | None = None,
        show_progress: bool = False,
    ) -> Iterator[tuple[list[str], np.ndarray]]:
        """What `encode` makes, a few thousand texts at a time, each part with its texts: for
        more of them than memory holds."""
        batch_size = check_whole("batch_size", batch_size, least=1)
        normalize = None if normalize is None else check_switch("normalize", normalize)
        shown = check_switch("show_progress", show_progress)
        check_iterable(texts)
        return self._encode_parts(texts, batch_size, normalize, shown)

    def _encode_parts(
        self, texts: Iterable[str], batch_size: int, normalize: bool | None, shown: bool
    ) -> Iterator[tuple[list[str], np.ndarray]]:
        embed = partial(self._embed, normalize=normalize)
        with progress(texts, shown) as bar:
            for first, window in windows(texts):
                sequences, vectors = self._tokenize(window, first), self._vectors(len(window))
                yield window, run_in_batches(embed, sequences, batch_size, bar, vectors)

    def similarity(
        self,
        texts: Sequence[str] | np.ndarray,
        references: Sequence[str] | np.ndarray,
        batch_size: int = 32,
        show_progress: bool = False,
    ) -> Similarity:
        """Compare every text with every reference; either side may be vectors that `encode` has
        made."""
        encode = partial(self.encode, batch_size=batch_size, show_progress=show_progress)
        sides = [
            check_vectors(side, name, self.dimensions)
            if isinstance(side, np.ndarray) and side.dtype.kind == "f"
            else encode(check_texts(side, name))
            for name, side in (("texts", texts), ("references", references))
        ]
        return Similarity(*sides, SCORES[self.settings.similarity](*sides))

    @property
    def dimensions(self) -> int:
        pooled = self.config.hidden_size * len(self.settings.pooling)
        return min(pooled, self.settings.truncate_dim or pooled)

    def _vectors(self, texts: int) -> np.ndarray:
        dtype = "float64" if self.dtype == "float64" else "float32"
        return np.empty((texts, self.dimensions), dtype)

    def _tokenize(self, texts: list[str], first: int) -> list[Encoding]:
        computing()  # the tokenizer has threads too
        prompted = [self.settings.prompt + text for text in check_texts(texts, first=first)]
        return self.tokenizer(prompted, first=first)

    def _embed(self, sequences: Sequence[Encoding], normalize: bool | None) -> np.ndarray:
        inputs = check_packed(self.config, *pack(sequences), token_types(sequences))
        vectors = self._shortened(inputs, normalize)
        if not np.isfinite(vectors).all():
            wider = "float64" if self.dtype == "float32" else "float32"
            raise CheckpointError(
                f"{self.checkpoint.folder}: the vectors come out as NaN or infinity; in "
                f"{self.dtype} on {self.backend} this model overflows: load it with "
                f"dtype={wider!r}"
            )
        return vectors

    def _shortened(self, inputs: Inputs, normalize: bool | None) -> np.ndarray:
        """The first truncate_dim numbers of each vector, as the checkpoint's modules make it;
        who asks for unit vectors gets them at any length."""
        settings = self.settings
        if normalize is None or settings.truncate_dim is None:
            unit = settings.normalize if normalize is None else normalize
            vectors = self.model.embed(inputs, settings.pooling, unit)
            return vectors[:, : settings.truncate_dim]
        vectors = self.model.embed(inputs, settings.pooling, False)[:, : settings.truncate_dim]
        return unit_vectors(vectors) if normalize else vectors

    def _names_beside(self) -> tuple[str, ...]:
        pooling = (self.settings.pooling_file,) if self.settings.pooling_file else ()
        return super()._names_beside() + SETTINGS_FILES + pooling
