"""Timing the ports beside other libraries: same texts, same machine, same minutes, and fair to
each contestant.

Every contestant lives in a process of its own, because frameworks in one process disturb each
other (after torch has worked, MLX's small matrix products fall to a quarter of their speed).
The rounds are interleaved, because a machine's speed drifts, and what is compared was timed in
one round. A round that other work on the machine has disturbed is done again. Tokenization is
included. Medians are reported, with how far the middle half of the rounds is apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from reference.arguments import explain
from reference.backend import BACKENDS
from reference.bench import growth
from reference.bench.machine import DISTURBED, Load, peak_memory
from reference.bench.plot import check_picture, draw
from reference.bench.tasks import OURS, TASKS
from reference.bench.worker import Contestant, is_installed, left_out
from reference.bench.workloads import LONG, Workload, long_texts, mixed_texts, sentences
from reference.checkpoint import locate
from reference.checks import check_name, check_names, check_whole
from reference.errors import InputError
from reference.families.reading import read_config
from reference.files import check_target, read_lines, write_result
from reference.text import read_tokenizer

# OpenMP's threads spin for a fifth of a second after their work; the next contestant waits
# until they sleep.
PAUSE = 0.3
PEERS = tuple(dict.fromkeys(peer for task in TASKS.values() for peer in task.all_peers()))
MOST_STARTS = 3  # of each contestant: what starts slowly is not worth more
WORKLOADS = ("sentences", "long")
# Of each contestant the seconds that one text took, and many.
Round = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Timing:
    """Medians of one contestant, and how many times as fast as the first it was: the median
    over the rounds, in each of which both worked one after the other. A spread is how far apart
    the middle half of the rounds is, as a share of the median. A start is from no process to
    the first result, that of the shortest text, and the memory is the most that the process
    ever held."""

    name: str
    latency_ms: float  # one text, the time until its result is there
    throughput: float  # texts a second on many of mixed lengths
    latency_speed: float = 1.0
    throughput_speed: float = 1.0
    latency_spread: float = 0.0
    throughput_spread: float = 0.0
    others: float | None = None  # the share of the machine that other work took meanwhile
    start_s: float = 0.0
    memory_mb: float | None = None  # where the system tells


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
        help=f"our ports: all of {', '.join(BACKENDS)} (the default), some, or none; in "
        "another dtype than float32 as in candle:int8",
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        metavar="NAME",
        help=f"other libraries: of {', '.join(PEERS)} some, or none (default those in float32 "
        "that have the task)",
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
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="so many cores for each contestant (default all)",
    )
    parser.add_argument(
        "--grow",
        choices=growth.KINDS,
        help="how the time grows instead: with the tokens of a text, the texts of a batch, or "
        "the layers of a model like this one; or falls, with the cores",
    )
    parser.add_argument("--json", metavar="FILE", help="write the timings to FILE as well")
    parser.add_argument("--plot", metavar="FILE", help="draw them as bars, to a PNG or SVG")


def main(options: argparse.Namespace) -> int:
    """Run the bench and print its table."""
    task = TASKS[options.task]
    spare = [
        name
        for name in task.usual_peers()
        if options.peers is None and is_installed(options.task, name)
    ]
    allowed = task.all_peers()
    peers = spare if options.peers is None else check_names(options.peers, allowed, "peer")
    names = [*peers, *check_names(options.backends, OURS, "backend")]
    if options.rounds < 1 or options.count < 1:
        raise InputError("--rounds and --count must be at least 1")
    if options.threads is not None:
        check_whole("--threads", options.threads, least=1)
    target = None if options.json is None else check_target(options.json, "--json")
    picture = None if options.plot is None else check_picture(options.plot)
    model = task.model if options.model is None else options.model
    if model is None:
        raise InputError(
            f"--task {options.task} needs a model that ranks, a cross-encoder, and none comes "
            "with the package: name one"
        )
    if options.grow is not None:
        _check_beside_grow(options)
        grown = growth.grow(
            model, names, options.grow, options.rounds, options.task, options.threads, spare
        )
        print(growth.table(grown, options.grow))
        if target is not None:
            records = [asdict(one) | {"exponent": one.exponent} for one in grown]
            write_result(target, (json.dumps(records, indent=2) + "\n").encode())
        return 0
    work = _workload(options, locate(model))
    timings = bench(model, names, options.rounds, work, options.task, options.threads, spare)
    print(table(timings, work))
    if picture is not None:
        draw(timings, work, picture)
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
    threads: int | None = None,
    spare: Collection[str] = (),
    repeats: int | None = None,
) -> list[Timing]:
    """Time the contestants of these names, backends of the package and the task's peers, at one
    of TASKS.

    threads: how many cores each of them has; all unless it is said.
    spare: those that are left out if they cannot have this model.
    repeats: how many rounds that others disturbed are done again; unless it is said as many as
        there are rounds.
    """
    prepare = TASKS[check_name(task, TASKS, "task")].prepare
    folder = locate(model)
    work = sentences(mixed_texts(256)) if work is None else work
    tokenizer = read_tokenizer(folder, read_config(folder))
    work = work.map(lambda texts: prepare(texts, tokenizer))
    if not names:
        raise InputError("a bench needs at least one contestant")

    contestants: list[Contestant] = []
    starts: dict[str, list[float]] = {}
    kept: list[tuple[Round, float | None]] = []
    disturbed = 0
    try:
        for name in names:
            with left_out(name, spare):
                first = min(work.one, *work.many, key=len)  # what is waited for is the start
                begin = partial(Contestant, task, name, folder, threads)
                contestants.append(begin())
                starts[name] = [contestants[-1].start([first])]
                starts[name] += [
                    _start_once(begin(), first) for _ in range(min(rounds, MOST_STARTS) - 1)
                ]
        if not contestants:
            raise InputError("a bench needs at least one contestant")
        for contestant in contestants:  # first runs allocate and compile: not counted
            contestant.time([work.one])
            contestant.time(work.many)
        processes = [contestant.pid for contestant in contestants]
        while len(kept) < rounds:
            before = Load.now(processes)
            turn = len(kept) % len(contestants)
            found = _round(contestants[turn:] + contestants[:turn], work)
            after = Load.now(processes)
            others = None if before is None or after is None else after.others_since(before)
            if (others or 0) > DISTURBED and disturbed < (
                rounds if repeats is None else repeats
            ):
                disturbed += 1
                continue
            kept.append((found, others))
        memory = {contestant.name: peak_memory(contestant.pid) for contestant in contestants}
    finally:
        for contestant in contestants:
            contestant.close()
    shares = [others for _, others in kept if others is not None]
    meanwhile = statistics.median(shares) if shares else None
    ones, many = (
        {one.name: [times[one.name][kind] for times, _ in kept] for one in contestants}
        for kind in (0, 1)
    )
    first = contestants[0].name
    return [
        Timing(
            name,
            1000 * statistics.median(ones[name]),
            len(work.many) / statistics.median(many[name]),
            _speed(ones[first], ones[name]),
            _speed(many[first], many[name]),
            _spread(ones[name]),
            _spread(many[name]),
            meanwhile,
            statistics.median(starts[name]),
            memory[name],
        )
        for name in ones
    ]


def _start_once(contestant: Contestant, text: str) -> float:
    try:
        return contestant.start([text])
    finally:
        contestant.close()


def _round(contestants: Sequence[Contestant], work: Workload) -> Round:
    """Of each contestant, one after the other, the seconds of the one text and of the many."""
    times = {}
    for contestant in contestants:
        time.sleep(PAUSE)
        ones = [contestant.time([work.one]) for _ in range(work.repeats)]
        times[contestant.name] = (statistics.median(ones), contestant.time(work.many))
    return times


def _spread(seconds: Sequence[float]) -> float:
    """The middle half of the rounds, from its first to its last, as a share of the median."""
    if len(seconds) < 2:
        return 0.0
    first, middle, last = statistics.quantiles(seconds, n=4, method="inclusive")
    return (last - first) / middle


def _speed(first: Sequence[float], its: Sequence[float]) -> float:
    """How many times as fast as the first, where one minute may be slower than the next."""
    return statistics.median(a / b for a, b in zip(first, its, strict=True))


def table(timings: Sequence[Timing], work: Workload | None = None) -> str:
    """The medians, and how many times the first contestant's speed each one has."""
    one, many = (
        ("one sentence", "mixed lengths") if work is None else (work.one_name, work.many_name)
    )
    head = f"{'spread':>8}{'speed':>8}"
    lines = [f"{'':<24}{one:>20}{head}{many:>28}{head}{'start':>10}{'memory':>11}"]
    lines += [
        f"{timing.name:<24}{timing.latency_ms:>17,.2f} ms{timing.latency_spread:>8.0%}"
        f"{timing.latency_speed:>7.2f}x{timing.throughput:>20.1f} texts/s"
        f"{timing.throughput_spread:>8.0%}{timing.throughput_speed:>7.2f}x"
        f"{timing.start_s:>8.2f} s{_megabytes(timing.memory_mb):>11}"
        for timing in timings
    ]
    others = timings[0].others if timings else None
    if others is not None:
        quiet = (
            "" if others <= DISTURBED else ": it was not quiet, and the numbers are worth less"
        )
        lines.append(f"Other work took {others:.0%} of the machine meanwhile{quiet}.")
    return "\n".join(lines)


def _megabytes(size: float | None) -> str:
    return "" if size is None else f"{size:,.0f} MB"


def _check_beside_grow(options: argparse.Namespace) -> None:
    """What brings texts of its own takes none, and what has no bars draws none."""
    for name in ("texts", "workload", "plot"):
        if getattr(options, name) is not None:
            raise InputError(f"--grow and --{name} do not go together; leave one out")


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
