"""Timing the ports beside other libraries: same texts, same machine, same minutes, and fair to
each contestant.

Every contestant lives in a process of its own, because frameworks in one process disturb each
other (after torch has worked, MLX's small matrix products fall to a quarter of their speed).
The rounds are interleaved, because a machine's speed drifts, and what is compared was timed in
one round. Tokenization is included. Medians are reported.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reference.arguments import explain
from reference.backend import BACKENDS
from reference.bench.tasks import TASKS
from reference.bench.worker import Contestant
from reference.bench.workloads import LONG, Workload, long_texts, mixed_texts, sentences
from reference.checkpoint import locate
from reference.checks import check_name, check_names
from reference.errors import InputError
from reference.families.reading import read_config
from reference.files import check_target, read_lines, write_result
from reference.text import read_tokenizer

# OpenMP's threads spin for a fifth of a second after their work; the next contestant waits
# until they sleep.
PAUSE = 0.3
PEERS = tuple(dict.fromkeys(peer for task in TASKS.values() for peer in task.peers))
WORKLOADS = ("sentences", "long")


@dataclass(frozen=True)
class Timing:
    """Medians of one contestant, and how many times as fast as the first it was: the median
    over the rounds, in each of which both worked one after the other."""

    name: str
    latency_ms: float  # one text, the time until its result is there
    throughput: float  # texts a second on many of mixed lengths
    latency_speed: float = 1.0
    throughput_speed: float = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m reference bench`."""
    explain(
        parser,
        "Time latency of one sentence and throughput on mixed lengths, tokenization included, "
        "with each contestant in a process of its own and the rounds interleaved.",
        "python -m reference bench --backends torch candle --peers none --rounds 3 --count 64",
        "python -m reference bench --task fill --backends torch --rounds 3 --count 64",
    )
    models = ", ".join(f"{task.model} for {name}" for name, task in TASKS.items() if task.model)
    parser.add_argument(
        "model",
        nargs="?",
        help=f"a folder or a hub id (default {models}; rank needs one named)",
    )
    parser.add_argument(
        "--task", choices=TASKS, default="embed", help="what is timed (default embed)"
    )
    parser.add_argument(
        "--backends",
        nargs="+",
        metavar="NAME",
        default=BACKENDS,
        help=f"our ports: all of {', '.join(BACKENDS)} (the default), some, or none",
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        metavar="NAME",
        help=f"other libraries: of {', '.join(PEERS)} those that have the task (the default), "
        "some, or none",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        default=7,
        help="timed rounds of each contestant (default 7)",
    )
    parser.add_argument(
        "--count",
        type=int,
        metavar="N",
        default=256,
        help="texts in the throughput measurement (default 256)",
    )
    parser.add_argument(
        "--texts", metavar="FILE", help="measure on these texts, one a line, instead"
    )
    parser.add_argument(
        "--workload",
        choices=WORKLOADS,
        help="sentences: one, and --count of them; long: one text of 4,096 tokens, and "
        "16 of 32 to 512 (the default where the model takes so many)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the timings to FILE as well")


def main(options: argparse.Namespace) -> int:
    """Run the bench and print its table."""
    task = TASKS[options.task]
    peers = task.peers if options.peers is None else options.peers
    names = [
        *check_names(peers, task.peers, "peer"),
        *check_names(options.backends, BACKENDS, "backend"),
    ]
    if options.rounds < 1 or options.count < 1:
        raise InputError("--rounds and --count must be at least 1")
    target = None if options.json is None else check_target(options.json, "--json")
    model = task.model if options.model is None else options.model
    if model is None:
        raise InputError(
            f"--task {options.task} needs a model that ranks, a cross-encoder, and none comes "
            "with the package: name one"
        )
    work = _workload(options, locate(model))
    timings = bench(model, names, options.rounds, work, options.task)
    print(table(timings, work))
    if target is not None:
        content = json.dumps([asdict(timing) for timing in timings], indent=2) + "\n"
        write_result(target, content.encode())
    return 0


def bench(
    model: str,
    names: Sequence[str],
    rounds: int = 7,
    work: Workload | None = None,
    task: str = "embed",
) -> list[Timing]:
    """Time the contestants of these names, backends of the package and the task's peers, at one
    of TASKS."""
    prepare = TASKS[check_name(task, TASKS, "task")].prepare
    folder = locate(model)
    work = sentences(mixed_texts(256)) if work is None else work
    tokenizer = read_tokenizer(folder, read_config(folder))
    work = work.map(lambda texts: prepare(texts, tokenizer))
    if not names:
        raise InputError("a bench needs at least one contestant")

    contestants: list[Contestant] = []
    latencies: dict[str, list[float]] = {name: [] for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    try:
        for name in names:
            contestants.append(Contestant(task, name, folder))
        for contestant in contestants:  # first runs allocate and compile: not counted
            contestant.time([work.one])
            contestant.time(work.many)
        for number in range(rounds):
            turn = number % len(contestants)
            for contestant in contestants[turn:] + contestants[:turn]:
                time.sleep(PAUSE)
                ones = [contestant.time([work.one]) for _ in range(work.repeats)]
                latencies[contestant.name].append(statistics.median(ones))
                seconds[contestant.name].append(contestant.time(work.many))
    finally:
        for contestant in contestants:
            contestant.close()
    return [
        Timing(
            name,
            1000 * statistics.median(latencies[name]),
            len(work.many) / statistics.median(seconds[name]),
            _speed(latencies[names[0]], latencies[name]),
            _speed(seconds[names[0]], seconds[name]),
        )
        for name in names
    ]


def _speed(first: Sequence[float], its: Sequence[float]) -> float:
    """How many times as fast as the first, where one minute may be slower than the next."""
    return statistics.median(a / b for a, b in zip(first, its, strict=True))


def table(timings: Sequence[Timing], work: Workload | None = None) -> str:
    """The medians, and how many times the first contestant's speed each one has."""
    one, many = (
        ("one sentence", "mixed lengths") if work is None else (work.one_name, work.many_name)
    )
    lines = [f"{'':<24}{one:>20}{'speed':>8}{many:>28}{'speed':>8}"]
    lines += [
        f"{timing.name:<24}{timing.latency_ms:>17,.2f} ms{timing.latency_speed:>7.2f}x"
        f"{timing.throughput:>20.1f} texts/s{timing.throughput_speed:>7.2f}x"
        for timing in timings
    ]
    return "\n".join(lines)


def _workload(options: argparse.Namespace, folder: Path) -> Workload:
    if options.texts is not None and options.workload == "long":
        raise InputError(
            "--workload long brings its own texts; leave --texts or --workload out"
        )
    tokenizer = read_tokenizer(folder, read_config(folder))
    if options.workload == "long" or (
        options.workload is None and options.texts is None and tokenizer.max_length >= LONG
    ):
        return long_texts(tokenizer)
    return sentences(_texts(options))


def _texts(options: argparse.Namespace) -> list[str]:
    if options.texts is None:
        return mixed_texts(options.count)
    return [line for line in read_lines(options.texts, "--texts") if line.strip()]
