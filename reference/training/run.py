"""A run of training that is ready to begin: its rows, its plan, what it would cost, and the
folder that it writes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

import reference
from reference import ranks
from reference.backend import Learner, learner
from reference.checkpoint import write_checkpoint
from reference.checks import check_switch
from reference.errors import InputError
from reference.families import Architecture, EncoderConfig
from reference.folders import check_new_folder
from reference.learning import Lesson
from reference.text import read_tokenizer
from reference.training.checkpoints import FOLDER, Checkpoints, Saved, fingerprint
from reference.training.logs import FOLDER as LOGS
from reference.training.logs import Logs
from reference.training.loop import Judge, Listener, Outcome, Step, fit
from reference.training.objectives.objective import Given, Objective, Size
from reference.training.origin import origin
from reference.training.settings import Settings, frozen
from reference.training.start import Start

RECIPE_FILE = "recipe.json"
USUAL_TOKENS = 512  # of a row at most, where nobody says
MEASURED = 3  # steps, after one that is not counted: it also makes ready
# Settings that change what is kept of a run, and not what it makes.
OF_KEEPING = ("checkpoint_steps", "keep_checkpoints")


@dataclass(frozen=True)
class Estimate:
    """What a run would do, and how long it would take."""

    parameters: int
    samples: int
    held_out: int
    rows: int
    tokens: int  # of all epochs
    steps: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.parameters:,} parameters; {self.samples:,} samples in {self.rows:,} rows, "
            f"{self.held_out:,} held out; {self.steps:,} steps over {self.tokens:,} tokens: "
            f"about {_duration(self.seconds)}"
        )


@dataclass(frozen=True)
class Run:
    """A run that is ready to begin."""

    objective: Objective
    settings: Settings
    start: Start
    training: Sequence[Any]
    held_out: Sequence[Any]
    backend: str
    device: str | None

    @cached_property
    def architecture(self) -> Architecture:
        return self.start.architecture(self.objective.task)

    @cached_property
    def config(self) -> EncoderConfig:
        samples = [*self.training, *self.held_out]
        changes = self.objective.changes(samples, self.start.config)
        architecture = self.architecture
        return architecture.family.config_of(self.start.config, architecture, **changes)

    @cached_property
    def given(self) -> Given:
        tokenizer = read_tokenizer(self.start.tokenizer_folder, self.config)
        most = min(tokenizer.max_length, self.config.max_tokens)
        wanted = self.settings.max_tokens
        if wanted is not None and wanted > most:
            raise InputError(f"max_tokens is {wanted}, but this model takes {most}")
        longest = wanted or min(most, USUAL_TOKENS)
        folders = (self.start.home, self.start.tokenizer_folder)
        return Given(tokenizer, self.config, longest, *folders)

    @cached_property
    def rows(self) -> list[Any]:
        rows = self.objective.rows(self.training, self.given)
        if not rows:
            raise InputError("there is nothing to learn from: all that was given is empty")
        return rows

    @cached_property
    def held_rows(self) -> list[Any]:
        return self.objective.rows(self.held_out, self.given)

    @cached_property
    def epochs(self) -> list[list[Step]]:
        """The steps of each epoch: batches in groups, the last of which may have fewer. Every
        process of a run has all of them."""
        seed, (size, of_batch) = self.settings.seed, self._sizes()
        lengths = np.array([len(row) for row in self.rows])
        epochs: list[list[Step]] = []
        for epoch in range(self.settings.epochs):
            generator, before = np.random.default_rng([seed, epoch]), sum(map(len, epochs))
            batches = self.objective.batches(self.rows, of_batch, generator)
            groups = [batches[first : first + size] for first in range(0, len(batches), size)]
            epochs.append(
                [
                    self._step(group, before + number, lengths)
                    for number, group in enumerate(groups)
                ]
            )
        return epochs

    def _sizes(self) -> tuple[int, Size]:
        """How many batches a step has, and how large they are: either grows with the number of
        processes."""
        number, size = self.settings.gradient_accumulation_steps, self.settings.size
        if not self.objective.together:
            return number * ranks.world(), size
        tokens = None if size.tokens is None else size.tokens * ranks.world()
        return number, Size(size.rows * ranks.world(), tokens)

    def _step(self, group: Sequence[np.ndarray], number: int, lengths: np.ndarray) -> Step:
        makers = [
            partial(self._example, places, seed_of(self.settings.seed, number, part))
            for part, places in enumerate(group)
        ]
        tokens = int(sum(lengths[places].sum() for places in group))
        return Step(makers, tokens, self.objective.together)

    @property
    def plan(self) -> list[Step]:
        return [step for epoch in self.epochs for step in epoch]

    def _example(self, places: np.ndarray, seed: int) -> Lesson | None:
        rows = [self.rows[place] for place in places]
        lesson = self.objective.example(rows, self.given, seed)
        return replace(lesson, together=True) if lesson and self.objective.together else lesson

    @property
    def judge(self) -> Judge | None:
        if not self.held_rows:
            return None
        ends = set(accumulate(map(len, self.epochs)))
        steps, every = max(ends), self.settings.evaluation_steps
        return Judge(
            lambda model: self.objective.scores(model, self.held_rows, self.given),
            ends if every is None else {*range(every, steps, every), steps},
            self.objective.watched,
            self.objective.more_is_better,
            self.settings.patience,
        )

    def learner(self, saved: Saved | None = None) -> Learner:
        if saved is None:
            tensors = self.start.first(self.config, self.architecture, self.settings.seed)
        else:
            tensors = saved.tensors
        still = frozen(self.settings.freeze, tensors)
        settings = {"settings": self.settings.adamw, "device": self.device, "frozen": still}
        return learner(self.backend, self.config, self.architecture, tensors, **settings)

    def estimate(self) -> Estimate:
        """What the run would do; a few of its steps are taken, timed and forgotten."""
        subject = self.learner()
        plan = sorted(self.plan, key=lambda step: step.tokens)
        middle = plan[len(plan) // 2 :][:MEASURED] or plan[-1:]
        times = []
        for step in [middle[0], *middle]:
            began = time.perf_counter()
            fit(subject, [step], self.settings.rates, self.settings.clip)
            times.append((time.perf_counter() - began) / max(1, step.tokens))
        tokens = sum(step.tokens for step in plan)
        seconds = tokens * float(np.median(times[1:]))
        if (judge := self.judge) is not None:
            few = self.held_rows[:64]
            began = time.perf_counter()
            self.objective.scores(subject.model, few, self.given)
            each = (time.perf_counter() - began) / len(few)
            seconds += each * len(self.held_rows) * len(judge.steps)
        parameters = sum(tensor.size for tensor in subject.model.state().values())
        counts = (len(self.training), len(self.held_out), len(self.rows))
        return Estimate(parameters, *counts, tokens, len(plan), seconds)

    def train(
        self, output: str | os.PathLike[str], resume: bool = False, show_progress: bool = False
    ) -> Any:
        """Take the steps, write the folder, and open it. Of several processes the first one
        writes."""
        folder = check_output(output, resume)
        check_switch("show_progress", show_progress)
        settings, judge = self.settings, self.judge
        checkpoints = Checkpoints(
            folder, self.made_by, settings.checkpoint_steps, settings.keep_checkpoints
        )
        saved = checkpoints.latest() if resume else None
        subject = self.learner(saved)
        ranks.check_same(
            self.made_by
            | {"output": str(folder), "its last checkpoint": saved.done if saved else None}
        )
        with self._logs(folder, saved is not None, show_progress) as logs:
            logs.say(
                f"{self.objective.name} from {self.start.name}, with {self.backend}: "
                f"{len(self.training)} samples in {len(self.rows)} rows, "
                f"{len(self.held_out)} samples held out, {len(self.plan)} steps"
                + (f", {ranks.world()} processes" if ranks.world() > 1 else "")
            )
            outcome = fit(
                subject,
                self.plan,
                settings.rates,
                settings.clip,
                checkpoints=checkpoints,
                saved=saved,
                judge=judge,
                listener=logs,
                origin=partial(origin, subject.model, self.architecture, self.config),
                seed=settings.seed,
            )
            if ranks.is_first():
                self._write(folder, outcome)
            logs.draw()
            logs.say(f"written to {folder} after {outcome.done} of {len(self.plan)} steps")
        ranks.wait()
        if ranks.is_first():
            checkpoints.remove()
        return reference.load(folder, backend=self.backend, device=self.device)

    def _logs(self, folder: Path, resume: bool, show_progress: bool) -> Listener:
        if not ranks.is_first():
            return Listener()
        return Logs(folder, len(self.plan), resume, show_progress)

    def _write(self, folder: Path, outcome: Outcome) -> None:
        facts = self.facts(outcome)
        beside = self.start.tokenizer_files() | self.objective.beside(self.given)
        beside[RECIPE_FILE] = (json.dumps(facts, indent=2) + "\n").encode()
        write_checkpoint(folder, self.config, outcome.tensors, beside)

    @cached_property
    def made_by(self) -> dict[str, Any]:
        """All that decides what the run makes."""
        settings = asdict(self.settings)
        return {
            "objective": {"name": self.objective.name, **asdict(self.objective)},
            "settings": {k: v for k, v in settings.items() if k not in OF_KEEPING},
            "config": self.config.whole_dict(),
            "start": _fingerprint(self.start.tensors),
            "texts": [fingerprint(map(repr, part)) for part in (self.training, self.held_out)],
            "backend": self.backend,
            "processes": ranks.world(),
        }

    def facts(self, outcome: Outcome) -> dict[str, Any]:
        """What the recipe beside the model says."""
        course = outcome.course
        return {
            "objective": {"name": self.objective.name, **asdict(self.objective)},
            "from": self.start.name,
            "backend": self.backend,
            "processes": ranks.world(),
            "settings": asdict(self.settings),
            "samples": len(self.training),
            "held_out": len(self.held_out),
            "rows": len(self.rows),
            "steps": len(self.plan),
            "steps_taken": outcome.done,
            "best_step": course.best,
            "scores": course.best_scores,
            "losses": [[point.step, round(point.loss, 4)] for point in course.curve],
        }


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def seed_of(seed: int, step: int, part: int) -> int:
    """The seed of a batch's chance."""
    state = np.random.SeedSequence([seed, step, part]).generate_state(1, np.uint64)
    return int(state[0])


def check_output(output: str | os.PathLike[str], resume: bool) -> Path:
    """A new folder; or to resume in, one that a run was ended in."""
    if not isinstance(output, (str, os.PathLike)) or not os.fspath(output):
        raise InputError(f"output is {output!r:.80}; it must name a folder")
    unfinished = Path(output) / FOLDER
    if check_switch("resume", resume):
        if not unfinished.is_dir():
            raise InputError(
                f"{os.fspath(output)!r:.80} holds no unfinished run; without resume one begins"
            )
    elif unfinished.is_dir():
        raise InputError(
            f"{os.fspath(output)!r:.80} holds an unfinished run; resume goes on with it"
        )
    elif not _holds_logs_alone(Path(output)):
        check_new_folder(output)
    return Path(output)


def _holds_logs_alone(folder: Path) -> bool:
    """What a run has left that was ended before its first checkpoint."""
    return folder.is_dir() and [path.name for path in folder.iterdir()] == [LOGS]


def _fingerprint(tensors: Mapping[str, np.ndarray]) -> str:
    found = hashlib.sha256()
    for key, tensor in tensors.items():
        found.update(f"{key} {tensor.dtype} {tensor.shape}\0".encode())
        found.update(np.ascontiguousarray(tensor).tobytes())
    return found.hexdigest()[:16]
