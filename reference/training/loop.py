"""The loop: a step for each group of batches that somebody else makes, in whatever framework
the learner is, and now and then a look at what was held out, by which the best model is
told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np

from reference import ranks
from reference.backend import Learner, Model
from reference.errors import InputError
from reference.learning import Lesson, accumulate
from reference.training.checkpoints import Checkpoints, Saved
from reference.training.schedule import Schedule

SHOWN_EVERY = 50  # steps
Make = Callable[[], Lesson | None]  # a batch; one that has nothing to learn from is None
Scores = dict[str, float]


@dataclass(frozen=True)
class Progress:
    """How far a run is; the loss is a running mean over some fifty steps."""

    step: int
    steps: int
    loss: float
    minutes: float

    def __str__(self) -> str:
        return (
            f"step {self.step:>6} of {self.steps}  loss {self.loss:.3f}  {self.minutes:.1f} min"
        )


@dataclass(frozen=True)
class Step:
    """The batches whose gradients one step is taken along, and how many tokens they have.

    The step is the same in every process of a run; its batches are dealt out among them, unless
    all learn each batch together."""

    batches: Sequence[Make]
    tokens: int = 0
    together: bool = False

    def made(self) -> list[Lesson | None]:
        """The batches of this process at their places, and None at others."""
        return [
            make() if self.together or ranks.is_own(place) else None
            for place, make in enumerate(self.batches)
        ]


@dataclass(frozen=True)
class Taken:
    """A step that was taken."""

    step: int  # the first is 1
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int


class Listener:
    """Who is told of a run while it goes on; this one does nothing about it."""

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, kind: Any, problem: BaseException | None, trace: Any) -> None: ...

    def say(self, message: str) -> None: ...

    def draw(self) -> None:
        """A picture of the run, which is over."""

    def resumed(self, done: int) -> None:
        """The run goes on after so many steps; what was told of later ones is void."""

    def taken(self, taken: Taken) -> None: ...

    def skipped(self, step: int) -> None:
        """Chance had left nothing to learn in that step."""

    def judged(self, step: int, scores: Scores, is_best: bool) -> None: ...


@dataclass(frozen=True)
class Judge:
    """Who looks at what was held out, and when."""

    scores: Callable[[Model], Scores]
    steps: Collection[int]  # after these
    watched: str = "loss"  # the score by which the best model is told
    more_is_better: bool = False
    patience: int | None = None  # the run ends after so many looks that found no better one

    def is_better(self, scores: Scores, best: Scores | None) -> bool:
        if best is None:
            return True
        now, before = scores[self.watched], best[self.watched]
        return now > before if self.more_is_better else now < before


@dataclass
class Course:
    """How a run has gone so far: all that a checkpoint notes of it."""

    smooth: float = math.nan
    minutes: float = 0.0
    curve: list[Progress] = field(default_factory=list)
    judged: list[tuple[int, Scores]] = field(default_factory=list)
    best: int | None = None  # the step after which the best model was found
    waited: int = 0  # so many looks ago

    def notes(self) -> dict[str, Any]:
        return vars(self) | {"curve": list(map(astuple, self.curve))}

    @classmethod
    def from_notes(cls, notes: dict[str, Any]) -> Course:
        known = {key: notes[key] for key in vars(cls()) if key in notes}
        known["smooth"] = float(known["smooth"])
        known["curve"] = [Progress(*progress) for progress in known["curve"]]
        known["judged"] = [(step, scores) for step, scores in known.get("judged", [])]
        return cls(**known)

    @property
    def best_scores(self) -> Scores | None:
        return dict(self.judged)[self.best] if self.best is not None else None


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    tensors: dict[str, np.ndarray]  # of the best model, where one was looked for
    course: Course
    done: int  # so many steps of the plan, all of them or as many as patience allowed


def groups(
    lengths: Sequence[int], batch_tokens: int, generator: np.random.Generator
) -> list[list[int]]:
    """The places of rows of about one length together, as many as fit, in an order that chance
    decides."""
    order = sorted(range(len(lengths)), key=lambda row: lengths[row] + generator.uniform(0, 8))
    found: list[list[int]] = [[]]
    longest = 0
    for row in order:
        longest = max(longest, lengths[row])
        if found[-1] and longest * (len(found[-1]) + 1) > batch_tokens:
            found.append([])
            longest = lengths[row]
        found[-1].append(row)
    return [found[place] for place in generator.permutation(len(found))]


def fit(
    learner: Learner,
    plan: Sequence[Step],
    schedule: Schedule,
    max_norm: float | None,
    report: Callable[[Progress], None] = lambda progress: None,
    checkpoints: Checkpoints | None = None,
    saved: Saved | None = None,
    judge: Judge | None = None,
    listener: Listener | None = None,
    origin: Callable[[Sequence[Lesson | None]], str] = lambda group: "",
    seed: int | None = None,
) -> Outcome:
    """Take the steps of the plan, with the other processes of the run if there are any; the
    first one keeps the checkpoints.

    It goes on from what was `saved`, which the learner was made from, and reports again what
    had been reported by then. `origin` says in words where in a group a loss that is no number
    comes from. With a seed the model drops what its configuration has it drop.
    """
    listener = listener or Listener()
    steps, course, done, best = len(plan), Course(), 0, None
    if saved is not None:
        learner.resume(saved.steps, saved.moments)
        done, course = saved.done, Course.from_notes(saved.notes)
        listener.resumed(done)
        for progress in course.curve:
            report(progress)
    started = time.monotonic() - 60 * course.minutes

    while done < steps and not _is_over(judge, course):
        rate, step = schedule.rate(done, steps), plan[done]
        done += 1
        taken = take(learner, step, rate, max_norm, done, origin, seed)
        if taken is None:
            listener.skipped(done)
        else:
            smooth = 0.98 * course.smooth + 0.02 * taken.loss
            course.smooth = taken.loss if math.isnan(course.smooth) else smooth
            listener.taken(taken)
        course.minutes = (time.monotonic() - started) / 60
        if done % SHOWN_EVERY == 0 or done == steps:
            course.curve.append(Progress(done, steps, course.smooth, course.minutes))
            report(course.curve[-1])
        looked = judge is not None and done in judge.steps
        if looked and _look(judge, learner, course, done, listener) and checkpoints is None:
            best = {key: array.copy() for key, array in learner.model.state().items()}
        is_due = checkpoints is not None and (looked or done % checkpoints.every == 0)
        if is_due and ranks.is_first():
            checkpoints.save(done, learner, course.notes(), course.best)
    if course.best is not None and course.best != done:
        best = checkpoints.tensors(course.best) if checkpoints is not None else best
        return Outcome(best, course, done)
    return Outcome(learner.model.state(), course, done)


def _is_over(judge: Judge | None, course: Course) -> bool:
    return judge is not None and judge.patience is not None and course.waited >= judge.patience


def take(
    learner: Learner,
    step: Step,
    rate: float,
    max_norm: float | None,
    number: int,
    origin: Callable[[Sequence[Lesson | None]], str],
    seed: int | None = None,
) -> Taken | None:
    """One step, if there is something to learn in it. The model is left as it is where the loss
    is no number: then it can still be asked why."""
    made = step.made()
    if not ranks.total(sum(example is not None for example in made)):
        return None
    loss = accumulate(learner, made, seed)
    if not math.isfinite(loss):
        learner.forget()
        raise InputError(
            f"the loss of step {number} is {loss}: the run has come apart{origin(made)}. A "
            "smaller learning rate or a longer rise may hold it together"
        )
    norm = learner.step(rate, max_norm)
    if not math.isfinite(norm):
        raise InputError(
            f"the loss of step {number} is {loss:.6g}, but its gradient has the length {norm}: "
            "it overflows on its way back through the model. A smaller learning rate or a "
            "longer rise may hold the run together"
        )
    return Taken(number, loss, rate, norm, step.tokens)


def _look(
    judge: Judge, learner: Learner, course: Course, done: int, listener: Listener
) -> bool:
    """Whether the model is the best so far, by what was held out."""
    scores = ranks.from_first(lambda: judge.scores(learner.model))
    is_best = judge.is_better(scores, course.best_scores)
    course.judged.append((done, scores))
    course.waited = 0 if is_best else course.waited + 1
    course.best = done if is_best else course.best
    listener.judged(done, scores, is_best)
    return is_best
