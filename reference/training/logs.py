"""What a run leaves to read: lines with the time in a log, numbers as JSON lines, TensorBoard's
file where that is installed, a picture of the loss; and a bar while it goes on.

    logs/run.log          what was done, and when
    logs/numbers.jsonl    {"step", "loss", "learning_rate", "gradient_norm", "tokens"} of each
                          step, {"step", "scores", "is_best"} of each look at held-out rows
    logs/tensorboard/     the same for TensorBoard
    logs/loss.png         the same as a picture
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.files import write_atomically
from reference.training.loop import Listener, Scores, Taken

FOLDER = "logs"
LOG, NUMBERS, BOARD, PICTURE = "run.log", "numbers.jsonl", "tensorboard", "loss.png"


class Logs(Listener):
    """The logs of one run, in its output folder. A run that is gone on with goes on with
    them; of one that begins, the numbers begin too."""

    def __init__(
        self, output: Path, steps: int, resume: bool = False, show_progress: bool = False
    ) -> None:
        self.folder = Path(output) / FOLDER
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise InputError(f"{self.folder} cannot be made: {problem.strerror}") from None
        self.logger = own_logger()
        kind = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level:<7} {message}"
        self.sink = self.logger.add(self.folder / LOG, format=kind, encoding="utf-8")
        self.numbers = (self.folder / NUMBERS).open("a" if resume else "w", encoding="utf-8")
        self.board = open_board(self.folder / BOARD)
        self.steps, self.show_progress, self.bar = steps, show_progress, None
        self.done, self.smooth, self.tokens, self.started = 0, math.nan, 0, time.monotonic()

    def __enter__(self) -> Logs:
        return self

    def __exit__(self, kind: Any, problem: BaseException | None, trace: Any) -> None:
        """How the run ended is in the log, too."""
        if problem is not None:
            self.logger.error(f"{type(problem).__name__}: {problem}")
        if self.bar is not None:
            self.bar.close()
        for file in (self.numbers, self.board):
            if file is not None:
                file.close()
        self.logger.remove(self.sink)

    def say(self, message: str) -> None:
        """A line of the log, and where progress is shown one above the bar."""
        self.logger.info(message)
        if self.show_progress:
            from tqdm.auto import tqdm

            tqdm.write(message, file=sys.stderr)

    def resumed(self, done: int) -> None:
        """What was noted of steps that are taken again is void."""
        self.numbers.close()
        path = self.folder / NUMBERS
        kept = [line for line in read_numbers(path) if line["step"] <= done]
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self.numbers = path.open("a", encoding="utf-8")
        self.done = done
        if self.board is not None:
            self.board.forget_after(done)
        self.say(f"going on after step {done} of {self.steps}")

    def taken(self, taken: Taken) -> None:
        self._note(asdict(taken))
        self._board(taken.step, asdict(taken))
        smooth = 0.98 * self.smooth + 0.02 * taken.loss
        self.smooth = taken.loss if math.isnan(self.smooth) else smooth
        self.tokens += taken.tokens
        self._advance(taken.step)

    def skipped(self, step: int) -> None:
        self._advance(step)

    def judged(self, step: int, scores: Scores, is_best: bool) -> None:
        self._note({"step": step, "scores": scores, "is_best": is_best})
        self._board(step, {f"held out {name}": value for name, value in scores.items()})
        said = "   ".join(f"{name} {value:.4g}" for name, value in scores.items())
        self.say(f"step {step} of {self.steps}, held out: {said}" + "   (best)" * is_best)

    def _advance(self, step: int) -> None:
        if not (self.show_progress and redraws()):
            return
        if self.bar is None:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=self.steps, initial=self.done, unit=" steps", file=sys.stderr)
        rate = self.tokens / max(1e-9, time.monotonic() - self.started)
        self.bar.set_postfix_str(f"loss {self.smooth:.3f}, {rate:,.0f} tokens/s", refresh=False)
        self.bar.update(step - self.bar.n)

    def _note(self, values: dict[str, Any]) -> None:
        self.numbers.write(json.dumps(values) + "\n")
        self.numbers.flush()

    def _board(self, step: int, values: dict[str, Any]) -> None:
        if self.board is not None:
            for name, value in values.items():
                if name != "step":
                    self.board.add(name, float(value), step)

    def draw(self) -> None:
        """The picture of the loss, where matplotlib is installed."""
        try:
            figure = importlib.import_module("matplotlib.figure")
        except ImportError:
            return
        lines = read_numbers(self.folder / NUMBERS)
        steps = [line for line in lines if "loss" in line]
        looks = [line for line in lines if "loss" in line.get("scores", {})]
        picture = figure.Figure(figsize=(7, 4), layout="constrained")
        axes = picture.add_subplot(xlabel="step", ylabel="loss", title="Loss")
        numbers, losses = [line["step"] for line in steps], [line["loss"] for line in steps]
        axes.plot(numbers, losses, alpha=0.3, label="of a step")
        axes.plot(numbers, _smoothed(losses), label="running mean")
        if looks:
            held_out = [line["scores"]["loss"] for line in looks]
            axes.plot([line["step"] for line in looks], held_out, "o-", label="held out")
        axes.legend()
        axes.grid(alpha=0.3)
        picture.savefig(self.folder / PICTURE, dpi=120)


def read_numbers(path: Path) -> list[dict[str, Any]]:
    """The numbers of a run, a dictionary a line; a line that a kill cut short is none."""
    found = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def own_logger() -> Any:
    """A logger of loguru's that writes only where it is told to. The one that loguru shares
    among all of a program writes to standard error, and its sinks are the program's affair."""
    from loguru._logger import Core, Logger

    return Logger(Core(), None, 0, False, False, False, False, True, [], {})


class Board:
    """TensorBoard's file of events."""

    def __init__(self, writer: Any, events: Any, summary: Any) -> None:
        self.writer, self.summary = writer, summary
        self.event, self.session = events.Event, events.SessionLog

    def add(self, name: str, value: float, step: int) -> None:
        found = self.summary(value=[self.summary.Value(tag=name, simple_value=value)])
        self.writer.add_event(self.event(wall_time=time.time(), step=step, summary=found))

    def forget_after(self, step: int) -> None:
        """What was noted of later steps is void: a session that starts there says so."""
        start = self.session(status=self.session.START)
        self.writer.add_event(
            self.event(wall_time=time.time(), step=step + 1, session_log=start)
        )

    def close(self) -> None:
        self.writer.close()


def open_board(folder: Path) -> Board | None:
    """None where TensorBoard is not installed."""
    try:
        room = importlib.import_module("tensorboard.summary.writer.event_file_writer")
        events = importlib.import_module("tensorboard.compat.proto.event_pb2")
        summaries = importlib.import_module("tensorboard.compat.proto.summary_pb2")
    except ImportError:
        return None
    return Board(room.EventFileWriter(str(folder)), events, summaries.Summary)


def redraws() -> bool:
    """Whether a bar can be drawn over itself: not in a file."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _smoothed(losses: Sequence[float]) -> list[float]:
    """A running mean over some twenty steps, of the first few over fewer."""
    found, total, weight = [], 0.0, 0.0
    for loss in losses:
        total, weight = 0.95 * total + loss, 0.95 * weight + 1
        found.append(total / weight)
    return found
