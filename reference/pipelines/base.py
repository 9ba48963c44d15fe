"""What every pipeline has: the checked checkpoint, the model in its framework, and forward."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

import reference
from reference.backend import Model
from reference.checkpoint import Checkpoint, write_checkpoint
from reference.checks import check_switch
from reference.errors import CheckpointError
from reference.families import BASE, EncoderConfig, Task
from reference.families.reading import read_pipeline_keys
from reference.files import is_file
from reference.inputs import check_packed, pack
from reference.pipelines.batching import run_in_batches
from reference.pipelines.cutting import Cuts
from reference.pipelines.logged import About
from reference.pipelines.logger import ModelLogger
from reference.processes import computing
from reference.text import TOKENIZER_FILES, Encoding, Tokenizer, read_tokenizer

# What a token that is asked for takes of a batch, in tokens: its scores are a row of the whole
# vocabulary, a hundred megabytes for 512 of them and 50,000 words in float32.
TOKENS_A_PLACE = 4


class Pipeline:
    """A model behind NumPy arrays. Made by reference.load."""

    name = "embeddings"  # by which load knows it
    task: Task = BASE  # whose head it needs

    @classmethod
    def for_folder(cls, folder: Path) -> type[Pipeline]:
        """The class that does this pipeline's work with the checkpoint there."""
        return cls

    def __init__(
        self,
        checkpoint: Checkpoint,
        model: Model,
        backend: str,
        dtype: str,
        device: str | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self._model = model
        self.logger = ModelLogger(model, About(checkpoint, backend, dtype, device))
        self.backend = backend
        self.dtype = dtype
        self.device = device

    def __repr__(self) -> str:
        name = self.checkpoint.architecture.name
        device = "" if self.device is None else f", {self.device}"
        where = f"{self.checkpoint.home} on {self.backend}{device}, {self.dtype}"
        return f"<{type(self).__name__}: {name} from {where}>"

    def __reduce__(self) -> Any:
        """A copy, in another process for one, is loaded from the same folder again: compiled
        models and a GPU's memory cannot be sent."""
        again = partial(
            reference.load,
            self.checkpoint.home.absolute(),
            backend=self.backend,
            pipeline=self.name,
            dtype=self.dtype,
            device=self.device,
        )
        return again, ()

    @property
    def model(self) -> Model:
        """The model in its framework, about to compute."""
        computing()
        return self.logger.model

    @property
    def config(self) -> EncoderConfig:
        return self.checkpoint.config

    @cached_property
    def pipeline_keys(self) -> dict[str, Any]:
        """What the checkpoint's config.json says to pipelines: its label_candidates, for
        one."""
        return read_pipeline_keys(self.checkpoint.folder)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return read_tokenizer(self.checkpoint.folder, self.config)

    def forward(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        output_hidden_states: bool = False,
    ) -> dict[str, Any]:
        """Run a padded batch: ids, mask and token types [batch, tokens].

        The result has the keys that apply: last_hidden_state, pooler_output, logits, and on
        request hidden_states, a list of one more than there are layers. What stands at padded
        positions means nothing. NaN and infinity, from an overflow in float16 for one, are
        returned as they were computed.
        """
        task = self.checkpoint.architecture.task
        inputs = task.check_inputs(self.config, input_ids, attention_mask, token_type_ids)
        return self.model.forward(
            inputs, check_switch("output_hidden_states", output_hidden_states)
        )

    def forward_packed(
        self,
        input_ids: Any,
        cu_seqlens: Any,
        token_type_ids: Any = None,
        output_hidden_states: bool = False,
    ) -> dict[str, Any]:
        """Run several texts in one row: ids [tokens], and the cumulative lengths 0, n1, n1 +
        n2, ..."""
        inputs = check_packed(self.config, input_ids, cu_seqlens, token_type_ids)
        return self.model.forward(
            inputs, check_switch("output_hidden_states", output_hidden_states)
        )

    def _cuts(self, truncation: str | None, name: str = "texts") -> Cuts:
        """What becomes of texts that are too long; None is what the family does with them."""
        usual = self.checkpoint.architecture.family.truncation
        return Cuts(
            usual if truncation is None else truncation, self.tokenizer.max_length, name
        )

    def _encodings(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        truncation: str | None = None,
        cuts: Cuts | None = None,
        located: bool = False,
    ) -> list[Encoding]:
        """Each text, or each text with its pair, as tokens; what is cut is told, of all windows
        together by the caller who has `cuts` for them."""
        computing()  # the tokenizer has threads too
        seen = cuts or self._cuts(truncation)
        encodings = self.tokenizer(texts, pairs, first=seen.seen, located=located)
        seen.see(encodings)
        if cuts is None:
            seen.tell()
        return encodings

    def _logits(
        self,
        encodings: Sequence[Encoding],
        batch_size: int,
        reduce: Callable[[np.ndarray, Encoding], Any] = lambda logits, _: logits,
        places: Callable[[Encoding], Sequence[int]] | None = None,
        bar: Any = None,
    ) -> list[Any]:
        """What `reduce` makes of the logits of each text, [tokens, labels] or [labels], in
        packed batches. With `places` only these of a text's tokens are scored."""
        by_token = self.checkpoint.architecture.task.row == "token"

        def run(batch: Sequence[Encoding]) -> list[Any]:
            ids, ends = pack(batch)
            inputs = check_packed(self.config, ids, ends, token_types(batch))
            if places is not None:
                pairs = zip(batch, ends[:-1], strict=True)
                asked, ends = pack([np.add(places(text), start) for text, start in pairs])
                inputs = replace(inputs, places=asked)
            logits = self.model.forward(inputs)["logits"]
            self._finite(logits, "logits")
            parts = np.split(logits, ends[1:-1]) if by_token else logits
            return [reduce(*pair) for pair in zip(parts, batch, strict=True)]

        sizes = None
        if places is not None:
            sizes = [max(len(text), TOKENS_A_PLACE * len(places(text))) for text in encodings]
        return run_in_batches(run, encodings, batch_size, bar, sizes=sizes)

    def _finite(self, values: np.ndarray, what: str) -> np.ndarray:
        if not np.isfinite(values).all():
            wider = "float64" if self.dtype == "float32" else "float32"
            raise CheckpointError(
                f"{self.checkpoint.folder}: the {what} come out as NaN or infinity; in "
                f"{self.dtype} on {self.backend} this model overflows: load it with "
                f"dtype={wider!r}"
            )
        return values

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a checkpoint that load takes, and Transformers too: configuration, weights, and
        the tokenizer's files.

        It is of the architecture that is held, the embeddings of a masked-LM checkpoint being
        saved as a base model, and in the dtype that the model computes in; for int8, which
        weights are rounded to when they are multiplied, in float32.
        """
        architecture = self.checkpoint.architecture
        config = architecture.family.config_of(self.config, architecture)
        write_checkpoint(
            folder,
            config,
            self.model.state(),
            self._files_beside(),
            "float32" if self.dtype == "int8" else self.dtype,  # of parameters
            self.pipeline_keys,
        )

    def _files_beside(self) -> dict[str, bytes]:
        source = Path(self.checkpoint.folder)
        return {
            name: (source / name).read_bytes()
            for name in TOKENIZER_FILES
            if is_file(source / name)
        }


def token_types(encodings: Sequence[Encoding]) -> np.ndarray | None:
    """None where all are 0, as a tokenizer nearly always has it for a single text."""
    if not any(any(encoding.token_type_ids) for encoding in encodings):
        return None
    return np.concatenate([encoding.token_type_ids for encoding in encodings])
