"""fit: a model learns from data and is written to a folder, from which it comes back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

import reference
from reference.backend import Learner, learner, port_for
from reference.checkpoint import write_checkpoint
from reference.checks import check_name, check_switch
from reference.errors import InputError
from reference.families import Architecture, EncoderConfig
from reference.folders import check_new_folder
from reference.learning import Example
from reference.text import read_tokenizer
from reference.training.checkpoints import FOLDER, Checkpoints, Saved, fingerprint
from reference.training.logs import Logs
from reference.training.loop import Judge, Outcome, Step
from reference.training.loop import fit as run
from reference.training.objectives import OBJECTIVES, Given, Objective
from reference.training.origin import origin
from reference.training.settings import Settings, check_known, divided, names_of
from reference.training.start import Start, from_checkpoint, from_nothing

RECIPE_FILE = "recipe.json"
USUAL_TOKENS = 512  # of a row at most, where nobody says
MEASURED = 3  # steps, of which the first is not counted: it also makes ready
# Settings that change what is kept of a run, and not what it makes.
OF_KEEPING = ("checkpoint_steps", "keep_checkpoints")


def fit(
    data: Any,
    output: str | os.PathLike[str],
    *,
    objective: str = "masked-lm",
    model: str | os.PathLike[str] | None = None,
    family: str | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    model_config: Mapping[str, Any] | None = None,
    validation: Any = None,
    columns: Mapping[str, str] | None = None,
    backend: str = "torch",
    device: str | None = None,
    resume: bool = False,
    show_progress: bool = False,
    **settings: Any,
) -> Any:
    """Train a model, write it to the folder `output`, and return what reference.load gives for
    that.

    data: for "masked-lm" the name of a file with a sentence a line, a list of strings or a
        Hugging Face dataset; each objective says in reference.training.objectives what it
        takes.
    objective: what is learned, a name in reference.training.objectives.OBJECTIVES.
    model: a folder or a hub id, to go on from; or
    family, tokenizer: "rope_encoder", "bert" or another family of the package, to begin anew
        with the tokenizer of that folder; `model_config` are keys of its config.json, such as
        {"num_layers": 2}.
    validation: data to score the model on; by default a share of `data`, validation_split, is
        held out.
    columns: the names of a dataset's columns, where they are not the usual ones:
        {"text": "sentence"}.
    backend, device: what computes, as in reference.load.
    resume: go on with a run that was ended, given the same arguments as it was begun with.
    show_progress: show a bar and lines on standard error.
    settings: any field of reference.training.Settings, such as batch_size, learning_rate or
        epochs, and of the objective, such as mask_prob.

    The model that is written is the best by the held-out rows' score, or the last where nothing
    is held out. Beside it are recipe.json, with all settings and scores, and the folder logs.
    """
    return prepare(
        data,
        objective=objective,
        model=model,
        family=family,
        tokenizer=tokenizer,
        model_config=model_config,
        validation=validation,
        columns=columns,
        backend=backend,
        device=device,
        **settings,
    ).train(output, resume, show_progress)


def prepare(
    data: Any,
    *,
    objective: str = "masked-lm",
    model: str | os.PathLike[str] | None = None,
    family: str | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    model_config: Mapping[str, Any] | None = None,
    validation: Any = None,
    columns: Mapping[str, str] | None = None,
    backend: str = "torch",
    device: str | None = None,
    **settings: Any,
) -> Run:
    """All that `fit` does before the first step; nothing is written."""
    kind = OBJECTIVES[check_name(objective, OBJECTIVES, "objective")]
    port_for(backend, "float32", device)
    known = [*names_of(Settings), *names_of(kind)]
    check_known(settings, known, f"training for {objective}")
    of_run, of_objective = divided(settings, Settings, kind)
    chosen, how = kind(**of_objective), Settings(**of_run)
    if how.patience is not None and validation is None and how.validation_split == 0:
        raise InputError("patience waits for better scores, but nothing is held out to score")
    start = _start(model, family, tokenizer, model_config)
    check_known(columns or {}, kind.columns, f"the columns of {objective}")
    columns = {**kind.columns, **(columns or {})}
    samples = chosen.samples(data, columns)
    if validation is None:
        training, held_out = split(chosen, samples, how.validation_split, how.seed)
    else:
        training, held_out = samples, chosen.samples(validation, columns)
    if not training or (not held_out and (validation is not None or how.validation_split)):
        raise InputError(
            f"there are {len(training)} samples to train on and {len(held_out)} held out; at "
            "least one of each is needed. validation_split=0 holds none out"
        )
    return Run(chosen, how, start, training, held_out, backend, device)


def _start(
    model: str | os.PathLike[str] | None,
    family: str | None,
    tokenizer: str | os.PathLike[str] | None,
    config: Mapping[str, Any] | None,
) -> Start:
    if (model is None) == (family is None):
        raise InputError(
            "give a model to go on from, or a family to begin anew with"
            + ("" if model is None else ", not both")
        )
    if family is not None:
        if tokenizer is None:
            raise InputError(
                f"a new {family!s:.80} needs a tokenizer, a folder that holds one; python -m "
                "reference train-tokenizer makes one"
            )
        return from_nothing(family, tokenizer, config or {})
    if tokenizer is not None or config:
        raise InputError(
            "a model that is gone on from has a tokenizer and a configuration; others go with "
            "a family"
        )
    return from_checkpoint(model)


def split(
    objective: Objective, samples: Sequence[Any], share: float, seed: int
) -> tuple[list[Any], list[Any]]:
    """Samples to train on, and a share that is held out: at least one, unless the share is 0.
    Which ones chance decides, and those of one key go the same way."""
    if not share:
        return list(samples), []
    keys = [objective.key(sample) for sample in samples]
    there = list(dict.fromkeys(keys))
    chosen = np.random.default_rng([seed, len(there)]).permutation(len(there))
    held = {there[place] for place in chosen[: max(1, round(share * len(there)))]}
    parts: tuple[list[Any], list[Any]] = ([], [])
    for sample, key in zip(samples, keys, strict=True):
        parts[key in held].append(sample)
    return parts


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
        return Given(tokenizer, self.config, wanted or min(most, USUAL_TOKENS))

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
        """The steps of each epoch: batches in groups, the last of which may have fewer."""
        seed, size = self.settings.seed, self.settings.gradient_accumulation_steps
        lengths = np.array([len(row) for row in self.rows])
        epochs: list[list[Step]] = []
        for epoch in range(self.settings.epochs):
            generator, before = np.random.default_rng([seed, epoch]), sum(map(len, epochs))
            batches = self.objective.batches(self.rows, self.settings.size, generator)
            groups = [batches[first : first + size] for first in range(0, len(batches), size)]
            epochs.append(
                [
                    self._step(group, before + number, lengths)
                    for number, group in enumerate(groups)
                ]
            )
        return epochs

    def _step(self, group: Sequence[np.ndarray], number: int, lengths: np.ndarray) -> Step:
        makers = [
            partial(self._example, places, seed_of(self.settings.seed, number, part))
            for part, places in enumerate(group)
        ]
        return Step(makers, int(sum(lengths[places].sum() for places in group)))

    @property
    def plan(self) -> list[Step]:
        return [step for epoch in self.epochs for step in epoch]

    def _example(self, places: np.ndarray, seed: int) -> Example | None:
        return self.objective.example([self.rows[p] for p in places], self.given, seed)

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
        config = self.objective.for_learning(self.config)
        settings = {"settings": self.settings.adamw, "device": self.device}
        return learner(self.backend, config, self.architecture, tensors, **settings)

    def estimate(self) -> Estimate:
        """What the run would do; a few of its steps are taken, timed and forgotten."""
        subject = self.learner()
        plan = sorted(self.plan, key=lambda step: step.tokens)
        middle = plan[len(plan) // 2 :][:MEASURED] or plan[-1:]
        times = []
        for step in [middle[0], *middle]:
            began = time.perf_counter()
            made = [example for make in step.batches if (example := make()) is not None]
            if made:
                run(subject, [step], self.settings.rates, self.settings.clip)
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
        """Take the steps, write the folder, and open it."""
        folder = check_output(output, resume)
        check_switch("show_progress", show_progress)
        settings = self.settings
        checkpoints = Checkpoints(
            folder, self.made_by, settings.checkpoint_steps, settings.keep_checkpoints
        )
        saved = checkpoints.latest() if resume else None
        subject = self.learner(saved)
        folder.mkdir(parents=True, exist_ok=True)
        with Logs(folder, len(self.plan), show_progress) as logs:
            logs.say(
                f"{self.objective.name} from {self.start.name}, with {self.backend}: "
                f"{len(self.training)} samples in {len(self.rows)} rows, "
                f"{len(self.held_out)} samples held out, {len(self.plan)} steps"
            )
            outcome = run(
                subject,
                self.plan,
                settings.rates,
                settings.clip,
                checkpoints=checkpoints,
                saved=saved,
                judge=self.judge,
                listener=logs,
                origin=partial(origin, subject.model, self.architecture, self.config),
            )
            facts = self.facts(outcome)
            beside = self.start.tokenizer_files() | self.objective.beside(self.given)
            beside[RECIPE_FILE] = (json.dumps(facts, indent=2) + "\n").encode()
            write_checkpoint(folder, self.config, outcome.tensors, beside)
            logs.draw()
            logs.say(f"written to {folder} after {outcome.done} of {len(self.plan)} steps")
        checkpoints.remove()
        return reference.load(folder, backend=self.backend, device=self.device)

    @cached_property
    def made_by(self) -> dict[str, Any]:
        """All that decides what the run makes."""
        settings = asdict(self.settings)
        return {
            "objective": {"name": self.objective.name, **asdict(self.objective)},
            "settings": {k: v for k, v in settings.items() if k not in OF_KEEPING},
            "config": self.config.to_dict(),
            "start": _fingerprint(self.start.tensors),
            "texts": fingerprint(map(repr, [self.training, self.held_out])),
            "backend": self.backend,
        }

    def facts(self, outcome: Outcome) -> dict[str, Any]:
        """What the recipe beside the model says."""
        course = outcome.course
        return {
            "objective": {"name": self.objective.name, **asdict(self.objective)},
            "from": self.start.name,
            "backend": self.backend,
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
    else:
        check_new_folder(output)
    return Path(output)


def _fingerprint(tensors: Mapping[str, np.ndarray]) -> str:
    return fingerprint(
        f"{key} {tensor.shape} {np.ascontiguousarray(tensor).tobytes().hex()}"
        for key, tensor in tensors.items()
    )
