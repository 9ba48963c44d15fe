"""Sentence embeddings: how they are made, stored, compared and searched."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from reference.checks import (
    check_iterable,
    check_name,
    check_texts,
    check_whole,
)
from reference.errors import InputError
from reference.inputs import check_packed, pack
from reference.pipelines.base import token_types
from reference.pipelines.batching import joined
from reference.pipelines.cutting import Cuts
from reference.pipelines.late_chunking import check_chunks, chunk_members, pool_chunks
from reference.pipelines.resumable import write_vectors
from reference.pipelines.scores import SCORES
from reference.pipelines.search import search
from reference.pipelines.similarity import PROMPTS, Parts, Sides, Similarity, check_late
from reference.pipelines.vectors import Vectors
from reference.pipelines.wanted import check_wanted
from reference.sentence.modules import Normalize


class Embeddings(Vectors):
    """One vector a text."""

    def encode(
        self,
        texts: Iterable[str] | str,
        batch_size: int = 32,
        normalize: bool | None = None,
        show_progress: bool = False,
        *,
        prompt: str | None = None,
        prompt_name: str | None = None,
        truncate_dim: int | None = None,
        precision: str = "float32",
        ranges: Any = None,
        truncation: str | None = None,
    ) -> np.ndarray:
        """Embed texts: [texts, dimensions], in the order given; one string gives one vector.

        In this order: the prompt is put before each text, `prompt`, or the one that the
        checkpoint has under `prompt_name`, or its default; what is longer than its
        max_seq_length is cut off (`truncation`: "warn" tells how much, "error" refuses,
        "ignore" is silent, None is what the model's family does: a RoPE encoder refuses, all
        others tell); the checkpoint's modules make a vector; its first `truncate_dim`
        numbers are kept, or as many as the checkpoint says; `normalize` True gives it length
        one, and False leaves out a Normalize that the modules end with; and `precision`
        stores it: float32, int8, uint8, binary or ubinary, int8 and uint8 within `ranges`
        [2, dimensions], or those of the vectors themselves.

        So a vector that was cut after its module Normalize is shorter than one; normalize=True
        mends that. A model in float64 gives float64. A batch holds texts of similar length, at
        most `batch_size` of them and about 2,048 tokens; a text's vector does not depend on
        the others beyond rounding. A generator is read as it is needed, a few thousand texts
        at a time. A vector that is not finite is an error.
        """
        wanted = check_wanted(
            self.settings,
            normalize,
            prompt,
            prompt_name,
            truncate_dim,
            precision,
            ranges,
            truncation,
        )
        one = isinstance(texts, str)
        texts = [texts] if one else texts
        texts = texts if isinstance(texts, Iterator) else check_texts(texts)
        parts = self._windows(texts, batch_size, wanted, show_progress)
        vectors = wanted.store(joined(parts, self._rows(0, wanted)))
        return vectors[0] if one else vectors

    def encode_query(self, texts: Iterable[str] | str, **options: Any) -> np.ndarray:
        """What `encode` makes with the prompt "query", unless another is given."""
        return self.encode(texts, **self.prompted(options, *PROMPTS["queries"]))

    def encode_document(self, texts: Iterable[str] | str, **options: Any) -> np.ndarray:
        """What `encode` makes with the prompt "document", or where the checkpoint has none
        "passage" or "corpus", unless another is given."""
        return self.encode(texts, **self.prompted(options, *PROMPTS["corpus"]))

    def encode_parts(
        self,
        texts: Iterable[str],
        batch_size: int = 32,
        show_progress: bool = False,
        **options: Any,
    ) -> Iterator[tuple[list[str], np.ndarray]]:
        """What `encode` makes with these options, a few thousand texts at a time, each part
        with its texts: for more of them than memory holds. int8 and uint8 need `ranges` here,
        since each part would have its own."""
        wanted = self._without_ranges_of_its_own(options)
        parts = self._windows(check_iterable(texts), batch_size, wanted, show_progress)
        return ((window, wanted.store(vectors)) for window, vectors in parts)

    def encode_to(
        self,
        path: str | os.PathLike[str],
        texts: Iterable[str],
        batch_size: int = 32,
        show_progress: bool = False,
        **options: Any,
    ) -> int:
        """Stream what `encode` makes with these options into a .npy file, which may be larger
        than memory; how many vectors it holds.

        Until it is whole it grows beside `path`. After an interruption, a kill at any moment
        too, the same call with the same texts goes on where it stopped.
        """
        wanted = self._without_ranges_of_its_own(options)
        made_by = {
            "model": str(self.checkpoint.home.absolute()),
            "backend": self.backend,
            "dtype": self.dtype,
            **wanted.told(),
        }
        make = partial(
            self.encode_parts, batch_size=batch_size, show_progress=show_progress, **options
        )
        like = wanted.store(self._rows(0, wanted))
        return write_vectors(path, check_iterable(texts), make, like, made_by)

    def encode_tokens(
        self,
        texts: Sequence[str],
        batch_size: int = 32,
        show_progress: bool = False,
        *,
        prompt: str | None = None,
        prompt_name: str | None = None,
        truncation: str | None = None,
    ) -> list[np.ndarray]:
        """For each text the vectors of its tokens, special ones too, each of length one:
        [tokens, hidden]. Late interaction compares these."""
        options = {"prompt": prompt, "prompt_name": prompt_name, "truncation": truncation}
        wanted = check_wanted(self.settings, **options)
        texts = check_texts(texts)
        parts = self._windows(texts, batch_size, wanted, show_progress, by_token=True)
        return [vectors for _, part in parts for vectors in part]

    def encode_chunks(
        self, text: str, chunks: Sequence[tuple[int, int]], **options: Any
    ) -> np.ndarray:
        """Late chunking: the text is read as a whole, and the tokens of each chunk are pooled:
        [chunks, dimensions].

        chunks: of each the first character and the one after the last. A token belongs where
            its first character is, the special ones to the first chunk and the last. One chunk
            that is the whole text has the vector that `encode` makes. A text that does not fit
            the model is an error, so there is no `truncation` to choose.
        """
        if "truncation" in options:
            raise InputError("a text in chunks is never cut; leave truncation out")
        (text,) = check_texts([text], "text")
        chunks = check_chunks(chunks, len(text))
        wanted = check_wanted(self.settings, **options)
        if not self.settings.include_prompt:
            raise InputError("this model leaves its prompt out of pooling, chunks cannot")
        (encoding,) = self._encodings([wanted.prompt + text], None, "error")
        inputs = check_packed(self.config, *pack([encoding]), token_types([encoding]))
        hidden = self.model.forward(inputs)["last_hidden_state"]
        members = chunk_members(encoding, chunks, len(wanted.prompt))
        pooled = pool_chunks(hidden, members, self.settings.pooling)
        pooled = Normalize()(pooled) if wanted.unit_first else pooled
        return wanted.store(self._finite(wanted.finish(pooled), "vectors"))

    def similarity(
        self,
        texts: Sequence[str] | np.ndarray,
        references: Sequence[str] | np.ndarray,
        batch_size: int = 32,
        show_progress: bool = False,
        *,
        metric: str | None = None,
        late_interaction: bool = False,
        truncate_dim: int | None = None,
        truncation: str | None = None,
    ) -> Similarity:
        """Compare every text with every reference; either side may be what `encode` has made
        in floating point, or, for late interaction, what `encode_tokens` has.

        metric: "cosine", "dot", or the negative distances "euclidean" and "manhattan"; None is
            what the checkpoint names.
        late_interaction: MaxSim, the sum over the tokens of a text of the cosine to the most
            alike token of the reference.
        truncate_dim: how many numbers the vectors have, or keep if they are made here; None is
            as many as the checkpoint says.
        truncation: what is cut, of both sides together, is told once ("warn"), refused
            ("error") or not told ("ignore"); None is what the model's family does.
        """
        options = {"metric": metric, "late_interaction": late_interaction}
        options |= {"truncate_dim": truncate_dim, "truncation": truncation}
        sides = self._sides(batch_size, show_progress, **options)
        made = sides.whole("texts", texts), sides.whole("references", references)
        sides.tell()
        return sides.compare(*made)

    def similarity_parts(
        self,
        texts: Iterable[str],
        references: Sequence[str] | np.ndarray,
        batch_size: int = 32,
        show_progress: bool = False,
        **options: Any,
    ) -> Iterator[tuple[list[str], Similarity]]:
        """What `similarity` makes with these options, a few thousand texts at a time, each part
        with its texts: for more of them than memory holds. The references are embedded
        once."""
        sides = self._sides(batch_size, show_progress, **options)
        made = sides.whole("references", references)
        return sides.compare_parts(sides.parts("texts", check_iterable(texts)), made)

    def search(
        self,
        queries: Sequence[str] | np.ndarray | str,
        corpus: Iterable[str] | np.ndarray,
        top_k: int = 10,
        *,
        metric: str | None = None,
        batch_size: int = 32,
        show_progress: bool = False,
        truncate_dim: int | None = None,
        truncation: str | None = None,
    ) -> list[Any]:
        """For each query a list of its `top_k` hits in the corpus, best first; for one string
        its hits.

        Texts are embedded as queries and as documents. The corpus may be texts, read as they
        are needed, or vectors that `encode_document` or `encode_to` has made in floating point,
        a memory map too; a few thousand of its vectors are held at a time. `truncate_dim` is
        how many numbers all vectors have, those that are given and those that are made. What is
        cut, of queries and corpus together, is told once (truncation="warn"), refused ("error")
        or not told ("ignore"), and None is what the model's family does.
        """
        options = {"metric": metric, "truncate_dim": truncate_dim, "truncation": truncation}
        sides = self._sides(batch_size, show_progress, **options)
        one = isinstance(queries, str)
        top_k = check_whole("top_k", top_k, least=1)
        found = search(sides, [queries] if one else queries, corpus, top_k)
        return found[0] if one else found

    def _sides(
        self,
        batch_size: int,
        show_progress: bool,
        metric: str | None = None,
        late_interaction: bool = False,
        truncate_dim: int | None = None,
        truncation: str | None = None,
    ) -> Sides:
        """What `similarity` and `search` compare, as these options say it."""
        late = check_late(late_interaction, metric, truncate_dim)
        if not late:
            named = self.settings.similarity if metric is None else metric
            metric = check_name(named, SCORES, "metric")
        options = {"truncate_dim": truncate_dim, "truncation": truncation}

        def embed(name: str, texts: Iterable[str]) -> tuple[Cuts, Parts]:
            wanted = check_wanted(self.settings, **self.prompted(options, *PROMPTS[name]))
            cuts = self._cuts(truncation, name)
            return cuts, self._windows(texts, batch_size, wanted, show_progress, cuts, late)

        return Sides(embed, metric, self._rows(0, check_wanted(self.settings, **options)))
