"""Sentence embeddings and their similarity."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reference.checks import check_switch, check_texts, check_whole
from reference.errors import CheckpointError, ConfigError
from reference.files import is_file, read_json
from reference.inputs import check_packed, pack
from reference.pipelines.base import Pipeline
from reference.text import SENTENCE_FILES

# A batch of about this many tokens keeps the matrix products large and the intermediate results
# in cache.
TOKENS_A_BATCH = 2048
WAYS = ("cls", "max", "mean")
OTHER_WAYS = ("mean_sqrt_len_tokens", "weightedmean", "lasttoken")
SETTINGS_FILES = ("modules.json", "config_sentence_transformers.json", *SENTENCE_FILES)


@dataclass(frozen=True)
class SentenceSettings:
    """How a checkpoint turns token vectors into one: which poolings, side by side, and whether
    to normalise.

    Its prompt is put before every text; pooling_file is where in the folder the poolings are
    named.
    """

    pooling: tuple[str, ...] = ("mean",)
    normalize: bool = False
    prompt: str = ""
    pooling_file: str | None = None


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
        """Embed texts: float32 [texts, dimensions], in the order given; one string gives one
        vector.

        A model in float64 gives float64. The checkpoint's default prompt, where it names one,
        is put before each text, and what is longer than its max_seq_length is cut off.
        `normalize` None does what its modules.json says. A batch holds texts of similar length,
        at most `batch_size` of them and about 2,048 tokens; the result does not depend on how
        they fall into batches beyond rounding. A vector that is not finite is an error.
        """
        if isinstance(texts, str):
            return self.encode([texts], batch_size, normalize, show_progress)[0]
        batch_size = check_whole("batch_size", batch_size, least=1)
        normalize = (
            self.settings.normalize
            if normalize is None
            else check_switch("normalize", normalize)
        )
        sequences = self.tokenizer([self.settings.prompt + text for text in check_texts(texts)])

        vectors = np.empty(
            (len(sequences), self.dimensions),
            "float64" if self.dtype == "float64" else "float32",
        )
        with _progress(len(sequences), show_progress) as bar:
            for rows in batches_by_length(
                [len(sequence) for sequence in sequences], batch_size
            ):
                vectors[rows] = self._embed([sequences[row] for row in rows], normalize)
                bar.update(len(rows))
        return vectors

    def similarity(
        self,
        texts: Sequence[str],
        references: Sequence[str],
        batch_size: int = 32,
        show_progress: bool = False,
    ) -> Similarity:
        """Embed both lists and compare every text with every reference."""
        texts, references = check_texts(texts), check_texts(references, "references")
        together = self.encode([*texts, *references], batch_size, show_progress=show_progress)
        embeddings, reference_embeddings = together[: len(texts)], together[len(texts) :]
        return Similarity(
            embeddings, reference_embeddings, _unit(embeddings) @ _unit(reference_embeddings).T
        )

    @property
    def dimensions(self) -> int:
        return self.config.hidden_size * len(self.settings.pooling)

    def _embed(self, sequences: list[list[int]], normalize: bool) -> np.ndarray:
        arrays = check_packed(self.config, *pack(sequences))
        vectors = self.model.embed(*arrays, self.settings.pooling, normalize)
        if not np.isfinite(vectors).all():
            wider = "float64" if self.dtype == "float32" else "float32"
            raise CheckpointError(
                f"{self.checkpoint.folder}: the vectors come out as NaN or infinity; in "
                f"{self.dtype} on {self.backend} "
                f"this model overflows: load it with dtype={wider!r}"
            )
        return vectors

    def _names_beside(self) -> tuple[str, ...]:
        pooling = (self.settings.pooling_file,) if self.settings.pooling_file else ()
        return super()._names_beside() + SETTINGS_FILES + pooling


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


def read_sentence_settings(folder: Path, hidden_size: int) -> SentenceSettings:
    """What modules.json and the pooling module's config.json say; without them mean pooling,
    with a warning."""
    path = folder / "modules.json"
    prompt = _read_prompt(folder / "config_sentence_transformers.json")
    if not is_file(path):
        warnings.warn(
            f"{folder} has no modules.json: it was not saved as an embedding model. Mean "
            "pooling is used; "
            "a model that was trained for another task may find every two texts alike",
            stacklevel=2,
        )
        return SentenceSettings(prompt=prompt)
    modules = read_json(path, CheckpointError, list)
    names = [_module_kind(module, path) for module in modules]
    if names[:2] != ["Transformer", "Pooling"] or names[2:] not in ([], ["Normalize"]):
        raise ConfigError(
            f"{path} lists the modules {', '.join(names) or 'none'}; supported: Transformer, "
            "Pooling, Normalize"
        )
    inside = modules[0].get("path", "")
    if inside:
        raise ConfigError(
            f"{path} keeps the Transformer in {inside!r:.80}; supported: in the folder itself, "
            "with the path ''. "
            "Move its files there, or save the model with a newer sentence-transformers"
        )
    pooling_file = _pooling_file(folder, modules[1])
    ways = _read_pooling(folder / pooling_file, hidden_size)
    return SentenceSettings(ways, len(names) == 3, prompt, pooling_file)


def _read_prompt(path: Path) -> str:
    """What sentence-transformers puts before every text: the prompt that default_prompt_name
    names."""
    values = read_json(path, CheckpointError) if is_file(path) else {}
    name, given = values.get("default_prompt_name"), values.get("prompts") or {}
    if not name:
        return ""
    if not isinstance(name, str) or not isinstance(given, dict):
        raise ConfigError(
            f"{path}: default_prompt_name must be a string, and prompts an object from name to "
            "text"
        )
    prompts = {"query": "", "document": ""} | given
    if name not in prompts:
        raise ConfigError(
            f"{path}: default_prompt_name is {name!r:.80}; prompts has {', '.join(prompts)}"
        )
    if not isinstance(prompts[name], (str, type(None))):
        raise ConfigError(
            f"{path}: the prompt {name!r:.80} is {prompts[name]!r:.80}; it must be a string"
        )
    return prompts[name] or ""


def _module_kind(module: Any, path: Path) -> str:
    """'sentence_transformers.models.Pooling', in any release's spelling of the module path, is
    'Pooling'."""
    if not isinstance(module, dict) or not isinstance(module.get("type"), str):
        raise CheckpointError(f"{path} holds a module without a type: {module!r:.80}")
    package, _, inside = module["type"].partition(".")
    if package != "sentence_transformers":
        raise ConfigError(
            f"{path} asks for {module['type']!r:.80}; only modules of sentence_transformers "
            "are supported"
        )
    return inside.rsplit(".", 1)[-1]


def _pooling_file(folder: Path, module: dict) -> str:
    inside = module.get("path", "1_Pooling")
    sent = f"{folder / 'modules.json'} sends Pooling to {inside!r:.80}"
    if (
        not isinstance(inside, str)
        or not inside
        or Path(inside).is_absolute()
        or ".." in Path(inside).parts
    ):
        raise CheckpointError(f"{sent}; it must be a folder inside its own")
    name = f"{inside}/config.json"
    if not is_file(folder / name):
        raise CheckpointError(f"{sent}, which holds no config.json")
    return name


def _read_pooling(path: Path, hidden_size: int) -> tuple[str, ...]:
    values = read_json(path, CheckpointError)
    size = values.get(
        "word_embedding_dimension", values.get("embedding_dimension", hidden_size)
    )
    if size != hidden_size:
        raise ConfigError(
            f"{path} pools vectors of {size}; the model's have hidden_size {hidden_size}"
        )
    if values.get("include_prompt", True) is not True:
        raise ConfigError(
            f"{path}: include_prompt is {values['include_prompt']!r}, which is not implemented"
        )
    ways = _chosen_ways(values, path)
    for way in ways:
        if way not in WAYS:
            raise ConfigError(f"{path} asks for {way} pooling; supported: {', '.join(WAYS)}")
    return ways


def _chosen_ways(values: dict, path: Path) -> tuple[str, ...]:
    """The new spelling, one key with a name or several; or the old, one switch each."""
    switches = {way: f"pooling_mode_{way}_tokens" for way in WAYS + OTHER_WAYS} | {
        "cls": "pooling_mode_cls_token",
        "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
        "lasttoken": "pooling_mode_lasttoken",
    }
    for key, value in values.items():
        if key in switches.values() and not isinstance(value, bool):
            raise ConfigError(f"{path}: {key} is {value!r:.80}; it must be true or false")
        if key.startswith("pooling_mode_") and key not in switches.values() and value:
            raise ConfigError(f"{path} asks for {key:.80}; supported: {', '.join(WAYS)}")
    if "pooling_mode" in values:
        chosen = values["pooling_mode"]
        ways = (
            (chosen,)
            if isinstance(chosen, str)
            else tuple(chosen)
            if isinstance(chosen, list)
            else ()
        )
        if not ways or not all(isinstance(way, str) for way in ways):
            raise ConfigError(
                f"{path}: pooling_mode is {chosen!r}; it must be a name or a list of names"
            )
        return ways
    return tuple(way for way, key in switches.items() if values.get(key)) or ("mean",)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _progress(total: int, shown: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(
        total=total,
        disable=not check_switch("show_progress", shown),
        unit=" texts",
        file=sys.stderr,
    )
