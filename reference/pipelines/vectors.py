"""How a text becomes a vector: what the public methods of embeddings are built of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reference.checkpoint import Checkpoint
from reference.checks import check_switch, check_texts, check_whole
from reference.errors import InputError
from reference.inputs import check_packed, pack
from reference.pipelines.base import Pipeline, token_types
from reference.pipelines.batching import progress, run_in_batches, windows
from reference.pipelines.cutting import Cuts
from reference.pipelines.similarity import Parts
from reference.pipelines.wanted import Wanted, check_wanted
from reference.sentence import SETTINGS_FILES, SentenceSettings, read_sentence_settings
from reference.sentence.modules import Normalize
from reference.text import Encoding


def sentence_settings_of(checkpoint: Checkpoint) -> SentenceSettings:
    """How a checkpoint makes a vector of a text, by its files or as its family does."""
    size = checkpoint.config.hidden_size
    usual = SentenceSettings(size, modules=(Normalize(),))
    embeds = checkpoint.architecture.family.embeds
    return read_sentence_settings(checkpoint.home, size, usual if embeds else None)


class Vectors(Pipeline):
    """A model that makes one vector a text, or one a token, as its folder says."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.settings = sentence_settings_of(self.checkpoint)

    @property
    def dimensions(self) -> int:
        return self.settings.truncated_size

    def prompted(self, options: dict[str, Any], *names: str) -> dict[str, Any]:
        """The options with the first of these prompts that there is, unless they name one."""
        if options.get("prompt") is not None or options.get("prompt_name") is not None:
            return options
        return options | {"prompt_name": self.settings.first_prompt(*names)}

    def _without_ranges_of_its_own(self, options: dict[str, Any]) -> Wanted:
        wanted = check_wanted(self.settings, **options)
        if wanted.precision in ("int8", "uint8") and wanted.ranges is None:
            raise InputError(f"{wanted.precision} needs ranges where vectors come in parts")
        return wanted

    def _rows(self, texts: int, wanted: Wanted) -> np.ndarray:
        dtype = "float64" if self.dtype == "float64" else "float32"
        return np.empty((texts, wanted.size), dtype)

    def _windows(
        self,
        texts: Iterable[str],
        batch_size: int,
        wanted: Wanted,
        show_progress: bool,
        cuts: Cuts | None = None,
        by_token: bool = False,
    ) -> Parts:
        """Windows of the texts and their vectors, or with `by_token` those of their tokens.
        What is cut is told by the caller who has `cuts` for it."""
        batch_size = check_whole("batch_size", batch_size, least=1)
        shown = check_switch("show_progress", show_progress)
        seen = cuts or self._cuts(wanted.truncation)
        parts = self._encode_windows(texts, batch_size, wanted, shown, seen, by_token)
        return parts if cuts else _and_tell(parts, seen)

    def _encode_windows(
        self,
        texts: Iterable[str],
        batch_size: int,
        wanted: Wanted,
        shown: bool,
        cuts: Cuts,
        by_token: bool,
    ) -> Parts:
        embed = self._embed_tokens
        if not by_token:
            embed = partial(self._embed, wanted=wanted, skip=self._skipped(wanted.prompt))
        with progress(texts, shown) as bar:
            for first, window in windows(texts):
                checked = check_texts(window, cuts.name, first)
                prompted = [wanted.prompt + text for text in checked]
                sequences = self._encodings(prompted, cuts=cuts)
                rows = None if by_token else self._rows(len(window), wanted)
                yield window, run_in_batches(embed, sequences, batch_size, bar, rows)

    def _skipped(self, prompt: str) -> int:
        """How many tokens at the beginning of a text the pooling leaves out: the prompt's, and
        the special ones before it, where the checkpoint wants that."""
        if self.settings.include_prompt or not prompt:
            return 0
        (alone,) = self.tokenizer([prompt])
        return len(alone) - (alone[-1] in self.tokenizer.special_ids)

    def _embed(self, sequences: Sequence[Encoding], wanted: Wanted, skip: int) -> np.ndarray:
        inputs = check_packed(self.config, *pack(sequences), token_types(sequences))
        pooled = self.model.embed(inputs, self.settings.pooling, wanted.unit_first, skip)
        return self._finite(wanted.finish(pooled), "vectors")

    def _embed_tokens(self, sequences: Sequence[Encoding]) -> list[np.ndarray]:
        inputs = check_packed(self.config, *pack(sequences), token_types(sequences))
        hidden = self._finite(self.model.forward(inputs)["last_hidden_state"], "vectors")
        return np.split(Normalize()(hidden), inputs.cu_seqlens[1:-1])

    def _files_beside(self) -> dict[str, bytes]:
        """A Transformer that had a folder of its own is saved in the model's."""
        files = super()._files_beside()
        home = Path(self.checkpoint.home)
        names = (*SETTINGS_FILES, *self.settings.module_files)
        files |= {name: (home / name).read_bytes() for name in names if (home / name).is_file()}
        if home != self.checkpoint.folder:
            modules = json.loads(files["modules.json"])
            modules[0]["path"] = ""
            files["modules.json"] = (json.dumps(modules, indent=2) + "\n").encode()
        return files


def _and_tell(parts: Parts, cuts: Cuts) -> Parts:
    yield from parts
    cuts.tell()
