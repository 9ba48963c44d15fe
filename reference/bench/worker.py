"""One contestant of the bench in a process of its own: it reads texts as JSON lines and answers
with seconds. The first line is 0.0, when it is ready.

A contestant in another language, or of another environment, is a program that does the same: it
is given the model's folder, and its name is TASK-with-NAME. `make peers` puts some of them into
the folder `peers` of the environment.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from reference.backend import BACKENDS
from reference.bench.tasks import TASKS
from reference.errors import EncodersError, InputError

# Where libraries read how many threads to start.
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def is_installed(task: str, name: str) -> bool:
    """Whether there is a contestant of that name: a backend or another library, after which a
    dtype may stand, or a program."""
    if name in TASKS[task].programs:
        return program(task, name) is not None
    library = name.partition(":")[0]
    return (
        library in BACKENDS or importlib.util.find_spec(library.replace("-", "_")) is not None
    )


def program(task: str, name: str) -> str | None:
    """Where the program is, beside this environment or where the system's are."""
    beside = Path(sys.prefix) / "peers" / "bin"
    return shutil.which(f"{task}-with-{name}", path=f"{beside}{os.pathsep}{os.defpath}")


@contextmanager
def left_out(name: str, spare: Collection[str]) -> Iterator[None]:
    """Whoever cannot start is an error, unless it can be spared: then it is only told."""
    try:
        yield
    except InputError as problem:
        if name not in spare:
            raise
        print(f"{name} is left out: {problem}", file=sys.stderr)


class Contestant:
    """The parent's end of a worker."""

    def __init__(self, task: str, name: str, folder: Path, threads: int | None = None) -> None:
        if not is_installed(task, name):
            how = "run make peers" if name in TASKS[task].programs else "install it"
            raise InputError(f"{name} is not installed; {how}, or leave it out with --peers")
        self.name = name
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            _command(task, name, str(folder), threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | _environment(name in TASKS[task].programs, threads),
        )
        self.pid = self.process.pid
        self._answer()  # ready

    def start(self, texts: Sequence[str]) -> float:
        """Seconds from the start of the process until these texts, its first, were done."""
        self.time(texts)
        return time.perf_counter() - self.began

    def time(self, texts: Sequence[str]) -> float:
        """Seconds that the contestant took for these texts."""
        with suppress(BrokenPipeError):  # the worker is gone; the missing answer says so
            self.process.stdin.write(json.dumps(list(texts)) + "\n")
            self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        with suppress(
            BrokenPipeError
        ):  # what a worker that is gone did not read is still in the buffer
            self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> float:
        line = self.process.stdout.readline()
        if not line:
            raise InputError(
                f"{self.name} stopped with exit status {self.process.wait()}; its message "
                "stands above"
            )
        return float(line)


def _command(task: str, name: str, folder: str, threads: int | None) -> list[str]:
    found = program(task, name) if name in TASKS[task].programs else None
    if found is not None:
        return [found, folder]
    worker = [sys.executable, "-c", "from reference.bench.worker import main; main()"]
    return [*worker, task, name, folder, *([] if threads is None else [str(threads)])]


def _environment(is_program: bool, threads: int | None) -> dict[str, str]:
    """A program is told besides whose matrix products MLX uses here."""
    variables = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    if threads is not None:
        variables |= dict.fromkeys(THREADS, str(threads))
    if is_program and sys.platform == "linux":
        from reference.mlx.blas import torch_library

        library = torch_library()
        variables |= {} if library is None else {"BENCH_BLAS": str(library)}
    return variables


def main() -> None:
    """Answer each line of texts with the seconds that they took, until the parent closes the
    pipe."""
    task, name, folder, *threads = sys.argv[1:]
    if threads and hasattr(os, "sched_setaffinity"):  # the libraries that read no variable
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads[0])])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    try:
        work = TASKS[task].work(name, folder)
    except EncodersError as error:
        sys.exit(f"error: {error}")
    print(0.0, file=answers, flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        start = time.perf_counter()
        work(texts)
        print(time.perf_counter() - start, file=answers, flush=True)
