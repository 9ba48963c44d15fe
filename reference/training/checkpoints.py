"""A run that is ended goes on from its last checkpoint, as if nothing had been.

All chance follows from seed and step, so a checkpoint is the numbers of the model and of AdamW,
and how far the run was. Each is a folder that is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from reference.backend import Learner
from reference.checks import check_whole
from reference.errors import CheckpointError, InputError, shown
from reference.files import read_json
from reference.folders import write_together
from reference.weights import serialize

FOLDER = "unfinished"  # in the folder that the model will be written to
MODEL, MOMENTS, STATE = "model.safetensors", "moments.safetensors", "state.json"


@dataclass(frozen=True)
class Saved:
    """What a run goes on from."""

    done: int  # so many steps of the plan were taken
    steps: int  # so many of them had something to learn
    tensors: dict[str, np.ndarray]
    moments: dict[str, np.ndarray]
    notes: dict[str, Any]  # what the loop has noted so far


class Checkpoints:
    """The checkpoints of a run, of which the last few are kept, and the best.

    made_by: all that decides what the run makes. One that was begun otherwise is not gone on
        with.
    """

    def __init__(
        self, folder: Path, made_by: Mapping[str, Any], every: int = 500, keep: int = 2
    ) -> None:
        self.folder = Path(folder) / FOLDER
        self.made_by = json.loads(json.dumps(dict(made_by)))
        self.every = check_whole("every", every, least=1)
        self.keep = check_whole("keep", keep, least=1)

    def save(
        self,
        done: int,
        learner: Learner,
        notes: Mapping[str, Any],
        best: int | None = None,
    ) -> None:
        """Write one after so many steps of the plan, and let the oldest go, but for the one
        that was made after the step `best`."""
        state = {
            "done": done,
            "steps": learner.steps,
            "made_by": self.made_by,
            "notes": dict(notes),
        }
        tensors = learner.model.state()
        dtype = next(iter(tensors.values())).dtype.name
        files = {
            MODEL: serialize(tensors, dtype),
            MOMENTS: serialize(learner.moments(), dtype),
            STATE: (json.dumps(state) + "\n").encode(),
        }
        try:
            write_together(self._folder(done), files)
        except OSError as problem:
            raise InputError(
                f"{self.folder} cannot be written to: {problem.strerror or problem}"
            ) from None
        kept = None if best is None else self._folder(best)
        for old in self._folders()[: -self.keep]:
            if old == kept:
                continue
            old.rename(old.with_name(f".{old.name}"))  # what is half removed is no checkpoint
        for left in self.folder.glob(".*"):
            shutil.rmtree(left)

    def latest(self) -> Saved | None:
        """The last checkpoint of this run, if there is one."""
        folders = self._folders()
        if not folders:
            return None
        folder = folders[-1]
        state = read_json(folder / STATE, CheckpointError)
        self._check(folder, state.get("made_by"))
        try:
            return Saved(
                check_whole("done", state.get("done"), least=0),
                check_whole("steps", state.get("steps"), least=0),
                load_tensors((folder / MODEL).read_bytes()),
                load_tensors((folder / MOMENTS).read_bytes()),
                dict(state.get("notes") or {}),
            )
        except (OSError, SafetensorError, InputError) as problem:
            raise CheckpointError(f"{folder} is damaged: {problem}; remove it") from None

    def tensors(self, done: int) -> dict[str, np.ndarray]:
        """The model that was saved after so many steps."""
        file = self._folder(done) / MODEL
        try:
            return load_tensors(file.read_bytes())
        except (OSError, SafetensorError) as problem:
            raise CheckpointError(f"{file} is damaged or missing: {problem}") from None

    def remove(self) -> None:
        """All of them, once the model is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _folder(self, done: int) -> Path:
        return self.folder / f"step-{done:09}"

    def _folders(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"))

    def _check(self, folder: Path, made_by: Any) -> None:
        made_by = made_by if isinstance(made_by, dict) else {}
        for key, value in self.made_by.items():
            if (old := made_by.get(key)) != value:
                raise InputError(
                    f"{folder} is of another run: {key} was {shown(old)} and is "
                    f"{shown(value)} now; go on as it was begun, or remove {self.folder}"
                )


def fingerprint(texts: Iterable[str]) -> str:
    """Tells texts apart."""
    found = hashlib.sha256()
    for text in texts:
        found.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return found.hexdigest()[:16]
