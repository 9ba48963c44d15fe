"""What may be timed: each task as our pipelines do it, and as others do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import reference
from reference.backend import BACKENDS, DTYPES
from reference.bench import engines, peers
from reference.checkpoint import (
    DECLARATIONS,
    EMBEDDED_MODEL,
    PACKAGE_CLASSIFIER,
    PARAMETER_TAGGER,
    SMALL_MODERNBERT,
)
from reference.errors import InputError
from reference.pipelines.detections import without_marks
from reference.text import Tokenizer

Work = Callable[[list[str]], Any]  # what is timed: from texts to results
# Our ports; in another dtype than float32 with that after their names, as peers have it too.
OURS = (
    *BACKENDS,
    *(
        f"{backend}:{dtype}"
        for backend in BACKENDS
        for dtype in DTYPES[backend]
        if dtype != "float32"
    ),
)
TOP_K = 10
CHARACTER_BATCH = 64


@dataclass(frozen=True)
class Task:
    """One kind of work: what our pipeline does of it, who else does it, and on which of the
    embedded models, if one of them can; `prepare` makes its texts of any."""

    pipeline: str
    ours: Callable[[Any], Work]
    peers: Mapping[str, Callable[[str], Work]]
    model: str | None = None
    prepare: Callable[[list[str], Tokenizer], list[str]] = lambda texts, tokenizer: texts
    programs: tuple[str, ...] = ()  # peers that are no library of this environment

    def work(self, name: str, folder: str) -> Work:
        """What the contestant of that name, a peer or a backend, does with texts."""
        if name in self.peers:
            return self.peers[name](folder)
        backend, _, dtype = name.partition(":")
        return self.ours(
            reference.load(
                folder, backend=backend, pipeline=self.pipeline, dtype=dtype or "float32"
            )
        )

    def all_peers(self) -> list[str]:
        return [*self.peers, *self.programs]

    def usual_peers(self) -> list[str]:
        """Those in float32."""
        return [name for name in self.all_peers() if ":" not in name]


def with_masks(texts: list[str], tokenizer: Tokenizer) -> list[str]:
    """Each text with a mask among its first ten words."""
    if tokenizer.mask_token is None:
        raise InputError("this model's tokenizer has no mask, so there is nothing to fill")
    masked = []
    for text in texts:
        words = text.split()
        words[len(words[:10]) // 2] = tokenizer.mask_token
        masked.append(" ".join(words))
    return masked


def with_marks(texts: list[str], tokenizer: Tokenizer) -> list[str]:
    """Each text with four of its words marked, or all of fewer."""
    marked = []
    for text in texts:
        words = text.split()
        for place in {round(share * (len(words) - 1)) for share in (0, 1 / 3, 2 / 3, 1)}:
            words[place] = f"[[{words[place]}]]"
        marked.append(" ".join(words))
    return marked


def _encode_unmarked(folder: str, backend: str) -> Work:
    """The vectors of the same texts, by the encoder that is under the head."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it was not made for this
        model = reference.load(folder, backend=backend, pipeline="embeddings")
    return lambda texts: model.encode([without_marks(text, "a text")[0] for text in texts])


def _search(search: Callable[..., Any]) -> Work:
    """Every tenth text as a query to all of them."""
    return lambda texts: search(texts[::10], texts)


def _train(model: Any) -> Work:
    """A step of AdamW for each 32 texts of like length, of whose words 15 % are hidden, and
    its loss; for each 64 of a model that reads characters."""
    from reference.backend import learner
    from reference.learning import AdamW, take_step
    from reference.training.objectives.masked_characters import MaskedCharacters
    from reference.training.objectives.masked_lm import MaskedLM
    from reference.training.objectives.objective import Given, Size, in_batches

    architecture, start = model.checkpoint.architecture, model.model.state()
    subject = learner(model.backend, model.config, architecture, start, AdamW(), model.dtype)
    characters = bool(model.tokenizer.of_model)
    objective = MaskedCharacters() if characters else MaskedLM()
    size = Size(CHARACTER_BATCH if characters else peers.BATCH)
    length, folder = model.tokenizer.max_length, model.checkpoint.folder
    given = Given(model.tokenizer, model.config, length, tokenizer_folder=folder)

    def work(texts: list[str]) -> list[float]:
        rows, losses = objective.rows(texts, given), []
        lengths = [len(row) for row in rows]
        order = sorted(range(len(rows)), key=lengths.__getitem__)
        for seed, places in enumerate(in_batches(order, lengths, size)):
            example = objective.example([rows[place] for place in places], given, seed)
            if example is not None:
                step = take_step(subject, [example], peers.LEARNING_RATE, peers.MAX_NORM)
                losses.append(step)
        return losses

    return work


def _rank(rank: Callable[..., Any]) -> Work:
    """The first text as a query to all of them."""
    return lambda texts: rank(texts[0], texts)


TASKS = {
    "embed": Task(
        "embeddings",
        lambda model: model.encode,
        {
            "transformers": peers.embed_with_transformers,
            "sentence-transformers": peers.embed_with_sentence_transformers,
            "ctranslate2": engines.embed_with_ctranslate2,
            "openvino": engines.embed_with_openvino,
            "onnxruntime": engines.embed_with_onnxruntime,
            "transformers:bfloat16": partial(peers.embed_with_transformers, dtype="bfloat16"),
            "ctranslate2:int8": partial(engines.embed_with_ctranslate2, dtype="int8"),
            "openvino:bfloat16": partial(engines.embed_with_openvino, dtype="bfloat16"),
            "onnxruntime:int8": partial(engines.embed_with_onnxruntime, dtype="int8"),
        },
        EMBEDDED_MODEL,
        programs=("candle-transformers", "mlx-embeddings"),
    ),
    "search": Task(
        "embeddings",
        lambda model: _search(partial(model.search, top_k=TOP_K)),
        {
            "sentence-transformers": lambda folder: _search(
                peers.search_with_sentence_transformers(folder, TOP_K)
            )
        },
        EMBEDDED_MODEL,
    ),
    "fill": Task(
        "masked-lm",
        lambda model: model.fill,
        {
            "transformers": partial(
                peers.transformers_pipeline,
                "fill-mask",
                tokenizer_kwargs={"truncation": True},
            )
        },
        SMALL_MODERNBERT,
        with_masks,
    ),
    "classify": Task(
        "text-classification",
        lambda model: model.classify,
        {
            "transformers": partial(
                peers.transformers_pipeline, "text-classification", truncation=True, top_k=None
            )
        },
        PACKAGE_CLASSIFIER,
    ),
    "rank": Task(
        "text-classification",
        lambda model: _rank(model.rank),
        {
            "sentence-transformers": lambda folder: _rank(
                peers.rank_with_sentence_transformers(folder)
            )
        },
    ),
    "tag": Task(
        "token-classification",
        lambda model: model.tag,
        {
            "transformers": partial(
                peers.transformers_pipeline,
                "token-classification",
                aggregation_strategy="simple",
            )
        },
        PARAMETER_TAGGER,
    ),
    "detect": Task(
        "masked-sequence",
        lambda model: model.predict,
        {f"encode, {name}": partial(_encode_unmarked, backend=name) for name in BACKENDS},
        DECLARATIONS,
        with_marks,
    ),
    "train": Task(
        "masked-lm",
        _train,
        {"transformers": peers.train_with_transformers},
        SMALL_MODERNBERT,
    ),
}
