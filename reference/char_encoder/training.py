"""What is trained on a base: a model that holds its tensors, and learns by the common loop."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reference.backend import check_place
from reference.char_encoder.base import CCLMModelBase, CharModel, Tensors
from reference.checkpoint import read_checkpoint, write_checkpoint
from reference.errors import CheckpointError
from reference.families import Architecture, architecture_for
from reference.families.char_encoder import CharEncoderConfig
from reference.families.initial import initial_tensors
from reference.families.tasks import BASE, Task
from reference.training.characters.preprocessor import MLMPreprocessor
from reference.training.fitting import prepare_from
from reference.training.settings import listed
from reference.training.start import Start


class Trainable:
    """A model on a base, its tensors in NumPy arrays, and how it is trained, saved and read."""

    def __init__(
        self,
        preprocessor: MLMPreprocessor,
        config: CharEncoderConfig,
        tensors: Tensors,
        task: Task,
        backend: str,
        device: str | None,
    ) -> None:
        check_place(backend, "float32", device)
        self.preprocessor, self.task = preprocessor, task
        architecture = architecture_for(config, task)
        self.config = architecture.family.config_of(config, architecture)
        self.tensors = dict(tensors)
        self.backend, self.device = backend, device

    @property
    def architecture(self) -> Architecture:
        return architecture_for(self.config)

    @property
    def model(self) -> CharModel:
        """The encoder without a head, as it is now."""
        prefix = self.architecture.base_prefix
        tensors = {
            key.removeprefix(prefix): own
            for key, own in self.tensors.items()
            if key.startswith(prefix)
        }
        place = (self.backend, self.device)
        return CharModel(self.preprocessor, self.config, tensors, *place)

    def train(
        self,
        dataset: Any,
        objective: str,
        task: Task,
        still: Sequence[str],
        output: str | os.PathLike[str] | None,
        resume: bool,
        show_progress: bool,
        **settings: Any,
    ) -> None:
        """Learn, and hold what was learned. `still` names modules of the encoder that are
        frozen, and the setting `freeze` more of them as they are in the whole."""
        prefix = "" if task is BASE else f"{self.architecture.family.attribute}."
        more = listed("freeze", settings.get("freeze", ()))
        settings["freeze"] = [*(prefix + name for name in still), *more]
        with tempfile.TemporaryDirectory() as folder:
            self.preprocessor.save(folder)
            start = Start(
                self.config, Path(folder), self.architecture, self.tensors, repr(self)
            )
            place = {"backend": self.backend, "device": self.device}
            run = prepare_from(lambda: start, dataset, objective=objective, **place, **settings)
            written = Path(folder) / "model" if output is None else Path(output)
            learned = run.train(written, resume, show_progress)
            self.config, self.tensors = learned.config, learned.model.state()
        self.task = task

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write all of it to a folder, the preprocessor and its output tokens too, from which
        `load` and reference.load read it."""
        with tempfile.TemporaryDirectory() as place:
            self.preprocessor.save(place)
            beside = {path.name: path.read_bytes() for path in Path(place).iterdir()}
        write_checkpoint(folder, self.config, self.tensors, beside)


def initial(
    base: CCLMModelBase, config: CharEncoderConfig, task: Task, seed: int
) -> dict[str, np.ndarray]:
    """First weights, on that base as it is."""
    architecture = architecture_for(config, task)
    first = initial_tensors(config, architecture, seed)
    own = {architecture.base_prefix + key: value for key, value in base.tensors.items()}
    return first | own


def read(folder: str | os.PathLike[str]) -> tuple[MLMPreprocessor, Any]:
    """The preprocessor and the checkpoint that `save` has written."""
    checkpoint = read_checkpoint(Path(folder))
    if not isinstance(checkpoint.config, CharEncoderConfig):
        raise CheckpointError(
            f"{folder} holds a {checkpoint.config.model_type}; a model of characters is a "
            "char_encoder"
        )
    return MLMPreprocessor.load(folder), checkpoint
