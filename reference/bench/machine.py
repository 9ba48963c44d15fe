"""What else the machine does while something is timed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Of the machine's time, from which share on others disturb a round.
DISTURBED = 0.1


@dataclass(frozen=True)
class Load:
    """Processor time so far, in ticks: what all cores had, what they worked, and what of that
    was for some processes of ours."""

    had: int
    worked: int
    ours: int

    @classmethod
    def now(cls, processes: Sequence[int], root: Path = Path("/proc")) -> Load | None:
        """None where the system does not tell; Linux does."""
        try:
            first = (root / "stat").read_text().splitlines()[0].split()[1:9]
            user, nice, system, idle, waiting, *rest = map(int, first)
            ours = sum(_ticks(root / str(pid) / "stat") for pid in (os.getpid(), *processes))
        except (OSError, ValueError, IndexError):
            return None
        worked = user + nice + system + sum(rest)
        return cls(worked + idle + waiting, worked, ours)

    def others_since(self, before: Load) -> float:
        """The share of the machine's time that went to the work of others."""
        had = max(self.had - before.had, 1)
        others = (self.worked - before.worked) - (self.ours - before.ours)
        return min(max(others / had, 0.0), 1.0)


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory(pid: int, root: Path = Path("/proc")) -> float | None:
    """The most that a process has held so far, in megabytes of a million bytes."""
    try:
        lines = (root / str(pid) / "status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 / 1e6 if found else None


def _ticks(path: Path) -> int:
    """A process's, all of its threads together."""
    after_its_name = path.read_text().rpartition(")")[2].split()
    return int(after_its_name[11]) + int(after_its_name[12])
