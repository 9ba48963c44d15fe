"""Cases are judged in a process of their own, with limits of time and memory, so that one that
brings it down is seen and not suffered. A process judges many, for the libraries take seconds
to import."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import tempfile
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

from tests.fuzz.cases import Case, judge

SECONDS = 60  # of a case, on a busy machine; the slowest sound ones take two
PROCESSOR_SECONDS = 15
ROOM = 3 * 2**30  # so much more than the libraries have taken may be asked for
MUCH = 2**30  # the seeds are of some ten thousand numbers
START = 600  # behind other work


class Worker:
    """One process at a time; a new one in place of one that fell."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._start()

    def judge(self, case: Case) -> list[str]:
        self.pipe.send(case)
        try:
            if self.pipe.poll(self.seconds):
                return self.pipe.recv()
            trouble = f"it hangs: no answer within {self.seconds} s"
        except (EOFError, ConnectionResetError):
            self.process.join(5)
            trouble = f"it brings the process down: exit code {self.process.exitcode}"
        self.close()
        self._start()
        return [trouble]

    def close(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, other = spawn.Pipe()
        self.process = spawn.Process(target=_work, args=(other,), daemon=True)
        self.process.start()
        other.close()
        if not self.pipe.poll(START) or self.pipe.recv() != "ready":
            raise RuntimeError("the process that judges cases does not come up")

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _work(pipe: Connection) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    with tempfile.TemporaryDirectory(prefix="fuzz.here.") as here:
        os.chdir(here)  # where a command's relative paths lead
        judge({"seed": "BertModel", "edits": []})  # imports everything
        _limit_memory()
        pipe.send("ready")
        while True:
            pipe.send(_watched(pipe.recv()))


def _watched(case: Case) -> list[str]:
    """The verdict, and what it cost."""
    before, started = _memory("VmRSS"), time.process_time()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    try:
        complaints = judge(case)
    except Exception:
        complaints = [f"the judge itself fails: {traceback.format_exc()[-500:]}"]
    took, grown = time.process_time() - started, _memory("VmHWM") - before
    if took > PROCESSOR_SECONDS:
        complaints.append(f"it takes {took:.0f} s of processor time")
    if grown > MUCH:
        complaints.append(f"it takes {grown / 2**30:.1f} GiB of memory")
    return complaints


def _limit_memory() -> None:
    limit = _memory("VmSize") + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _memory(kind: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{kind}:"))
    return int(line.split()[1]) * 1024
