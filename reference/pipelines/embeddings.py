"""Sentence embeddings and their similarity."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reference.config import read_json
from reference.errors import CheckpointError, ConfigError, InputError
from reference.inputs import check_packed, check_texts, pack
from reference.pipelines.base import Pipeline

# A batch of about this many tokens keeps the matrix products large and the intermediate results in cache.
TOKENS_A_BATCH = 2048
WAYS = ("cls", "max", "mean")
OTHER_WAYS = ("mean_sqrt_len_tokens", "weightedmean", "lasttoken")


@dataclass(frozen=True)
class SentenceSettings:
    """How a checkpoint turns token vectors into one: which poolings, side by side, and whether to normalise."""

    pooling: tuple[str, ...] = ("mean",)
    normalize: bool = False


@dataclass(frozen=True)
class Similarity:
    """Embeddings of both sides and scores[i, j], the cosine between text i and reference j."""

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
        texts: Sequence[str] | str,
        batch_size: int = 32,
        normalize: bool | None = None,
        show_progress: bool = False,
    ) -> np.ndarray:
        """Embed texts: float32 [texts, dimensions], in the order given; one string gives one vector.

        Texts are truncated to the checkpoint's max_seq_length. `normalize` None does what its modules.json says. A
        batch holds texts of similar length, at most `batch_size` of them and about 2,048 tokens; the result does not
        depend on how they fall into batches beyond rounding.
        """
        if isinstance(texts, str):
            return self.encode([texts], batch_size, normalize, show_progress)[0]
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise InputError(f"batch_size is {batch_size!r}; it must be a whole number of at least 1")
        if normalize not in (None, True, False):
            raise InputError(
                f"normalize is {normalize!r}; it must be True, False, or None for the checkpoint's own way"
            )
        sequences = self.tokenizer(check_texts(texts))
        normalize = self.settings.normalize if normalize is None else normalize

        vectors = np.empty((len(sequences), self.dimensions), "float64" if self.dtype == "float64" else "float32")
        with _progress(len(sequences), show_progress) as bar:
            for rows in batches_by_length([len(sequence) for sequence in sequences], batch_size):
                vectors[rows] = self._embed([sequences[row] for row in rows], normalize)
                bar.update(len(rows))
        return vectors

    def similarity(
        self, texts: Sequence[str], references: Sequence[str], batch_size: int = 32, show_progress: bool = False
    ) -> Similarity:
        """Embed both lists and compare every text with every reference."""
        texts, references = check_texts(texts), check_texts(references, "references")
        together = self.encode([*texts, *references], batch_size, show_progress=show_progress)
        embeddings, reference_embeddings = together[: len(texts)], together[len(texts) :]
        return Similarity(embeddings, reference_embeddings, _unit(embeddings) @ _unit(reference_embeddings).T)

    @property
    def dimensions(self) -> int:
        return self.config.hidden_size * len(self.settings.pooling)

    def _embed(self, sequences: list[list[int]], normalize: bool) -> np.ndarray:
        arrays = check_packed(self.config, *pack(sequences))
        return self.model.embed(*arrays, self.settings.pooling, normalize)


def batches_by_length(lengths: Sequence[int], batch_size: int, tokens: int = TOKENS_A_BATCH) -> list[np.ndarray]:
    """Row numbers in batches, longest texts first: at most batch_size rows and, but for a single row, `tokens` tokens.

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


def read_sentence_settings(folder: Path, hidden_size: int) -> SentenceSettings:
    """What modules.json and the pooling module's config.json say; without them mean pooling, with a warning."""
    path = folder / "modules.json"
    if not path.is_file():
        warnings.warn(
            f"{folder} has no modules.json: it was not saved as an embedding model. Mean pooling is used; "
            "a model that was trained for another task may find every two texts alike",
            stacklevel=2,
        )
        return SentenceSettings()
    kinds = [(_module_kind(module, path), module) for module in _read_modules(path)]
    names = [kind for kind, _ in kinds]
    if names[:2] != ["Transformer", "Pooling"] or names[2:] not in ([], ["Normalize"]):
        raise ConfigError(
            f"{path} lists the modules {', '.join(names) or 'none'}; supported: Transformer, Pooling, Normalize"
        )
    return SentenceSettings(_read_pooling(folder, kinds[1][1], hidden_size), normalize=len(names) == 3)


def _read_modules(path: Path) -> list[Any]:
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as problem:
        raise CheckpointError(f"{path} is not valid JSON: {problem}") from None
    if not isinstance(modules, list):
        raise CheckpointError(f"{path} must hold a list of modules")
    return modules


def _module_kind(module: Any, path: Path) -> str:
    """'sentence_transformers.models.Pooling', in any release's spelling of the module path, is 'Pooling'."""
    if not isinstance(module, dict) or not isinstance(module.get("type"), str):
        raise CheckpointError(f"{path} holds a module without a type: {module!r:.80}")
    return module["type"].rsplit(".", 1)[-1]


def _read_pooling(folder: Path, module: dict, hidden_size: int) -> tuple[str, ...]:
    inside = module.get("path", "1_Pooling")
    if not isinstance(inside, str) or Path(inside).is_absolute() or ".." in Path(inside).parts:
        raise CheckpointError(f"{folder / 'modules.json'} sends Pooling to {inside!r}, outside its folder")
    path = folder / inside / "config.json"
    values = read_json(path, CheckpointError)

    size = values.get("word_embedding_dimension", values.get("embedding_dimension", hidden_size))
    if size != hidden_size:
        raise ConfigError(f"{path} pools vectors of {size}; the model's have hidden_size {hidden_size}")
    if values.get("include_prompt", True) is not True:
        raise ConfigError(f"{path}: include_prompt is {values['include_prompt']!r}, which is not implemented")
    ways = _chosen_ways(values, path)
    for way in ways:
        if way not in WAYS:
            raise ConfigError(f"{path} asks for {way} pooling; supported: {', '.join(WAYS)}")
    return ways


def _chosen_ways(values: dict, path: Path) -> tuple[str, ...]:
    """The new spelling, one key with a name or several; or the old, one switch each."""
    if "pooling_mode" in values:
        chosen = values["pooling_mode"]
        ways = (chosen,) if isinstance(chosen, str) else tuple(chosen) if isinstance(chosen, list) else ()
        if not ways or not all(isinstance(way, str) for way in ways):
            raise ConfigError(f"{path}: pooling_mode is {chosen!r}; it must be a name or a list of names")
        return ways
    switches = {
        way: f"pooling_mode_{way}" + ("" if way == "mean_sqrt_len_tokens" else "_token" if way == "cls" else "_tokens")
        for way in WAYS + OTHER_WAYS
    } | {"lasttoken": "pooling_mode_lasttoken"}
    for key in switches.values():
        if not isinstance(values.get(key, False), bool):
            raise ConfigError(f"{path}: {key} is {values[key]!r}; it must be true or false")
    return tuple(way for way, key in switches.items() if values.get(key)) or ("mean",)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _progress(total: int, shown: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, disable=not shown, unit=" texts", file=sys.stderr)
