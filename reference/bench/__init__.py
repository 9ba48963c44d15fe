"""Timing the ports beside other libraries: same texts, same machine, same minutes, and fair to each contestant.

Every contestant lives in a process of its own, because frameworks in one process disturb each other (after torch
has worked, MLX's small matrix products fall to a quarter of their speed). The rounds are interleaved, because a
machine's speed drifts. Tokenization is included. Medians are reported, and ratios to the first peer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from reference.backend import BACKENDS
from reference.bench.worker import PEERS, Contestant
from reference.checkpoint import EMBEDDED_MODEL, locate
from reference.errors import InputError
from reference.files import check_target, read_lines, write_result
from reference.inputs import check_names

# OpenMP's threads spin for a fifth of a second after their work; the next contestant waits until they sleep.
PAUSE = 0.3


@dataclass(frozen=True)
class Timing:
    """Medians of one contestant."""

    name: str
    latency_ms: float  # one sentence, the time until its vector is there
    throughput: float  # texts a second on mixed lengths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m reference bench`."""
    parser.description = (
        "Time latency of one sentence and throughput on mixed lengths, tokenization included, "
        "with each contestant in a process of its own and the rounds interleaved."
    )
    parser.add_argument(
        "model", nargs="?", default=EMBEDDED_MODEL, help=f"a folder or a hub id (default {EMBEDDED_MODEL})"
    )
    parser.add_argument("--backends", nargs="+", metavar="NAME", default=BACKENDS, help="default: all; or none")
    parser.add_argument("--peers", nargs="+", metavar="NAME", default=PEERS, help="default: all; or none")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds of each contestant (default 7)")
    parser.add_argument("--count", type=int, default=256, help="texts in the throughput measurement (default 256)")
    parser.add_argument("--texts", metavar="FILE", help="measure on these texts, one a line, instead")
    parser.add_argument("--json", metavar="FILE", help="write the timings to FILE as well")


def main(options: argparse.Namespace) -> int:
    """Run the bench and print its table."""
    names = [*check_names(options.peers, PEERS, "peer"), *check_names(options.backends, BACKENDS, "backend")]
    if options.rounds < 1 or options.count < 1:
        raise InputError("--rounds and --count must be at least 1")
    target = None if options.json is None else check_target(options.json, "--json")
    timings = bench(options.model, names, rounds=options.rounds, texts=_texts(options))
    print(table(timings))
    if target is not None:
        content = json.dumps([asdict(timing) for timing in timings], indent=2) + "\n"
        write_result(target, content.encode())
    return 0


def bench(model: str, names: Sequence[str], rounds: int = 7, texts: Sequence[str] | None = None) -> list[Timing]:
    """Time the contestants of these names: backends of the package, "transformers", "sentence-transformers"."""
    folder = locate(model)
    texts = mixed_texts(256) if texts is None else list(texts)
    if not names or not texts:
        raise InputError("a bench needs at least one contestant and one text")
    sentence = sorted(texts, key=len)[len(texts) // 2]

    contestants: list[Contestant] = []
    latencies: dict[str, list[float]] = {name: [] for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    try:
        for name in names:
            contestants.append(Contestant(name, folder))
        for contestant in contestants:  # the first runs, which allocate and compile, are not counted
            contestant.time([sentence])
            contestant.time(texts)
        for number in range(rounds):
            turn = number % len(contestants)
            for contestant in contestants[turn:] + contestants[:turn]:
                time.sleep(PAUSE)
                latencies[contestant.name] += [contestant.time([sentence]) for _ in range(5)]
                seconds[contestant.name].append(contestant.time(texts))
    finally:
        for contestant in contestants:
            contestant.close()
    return [
        Timing(name, 1000 * statistics.median(latencies[name]), len(texts) / statistics.median(seconds[name]))
        for name in names
    ]


def table(timings: Sequence[Timing]) -> str:
    """The medians, and how many times the first contestant's speed each one has."""
    first = timings[0]
    lines = [f"{'':<24}{'one sentence':>14}{'speed':>8}{'mixed lengths':>18}{'speed':>8}"]
    lines += [
        f"{timing.name:<24}{timing.latency_ms:>11.2f} ms{first.latency_ms / timing.latency_ms:>7.2f}x"
        f"{timing.throughput:>11.1f} texts/s{timing.throughput / first.throughput:>7.2f}x"
        for timing in timings
    ]
    return "\n".join(lines)


def mixed_texts(count: int, seed: int = 0) -> list[str]:
    """Made-up sentences of 6 to 90 words, most of them short, as a collection of real texts has them."""
    words = (
        "the a of model token vector attention layer mean text reads each row holds long short sentence number which "
        "between small large river stone window garden answer question simple measure weight table letter market "
        "winter summer carries follows returns writes under over because although never always seven hundred paper"
    ).split()
    generator = np.random.default_rng(seed)
    lengths = np.exp(generator.uniform(np.log(6), np.log(90), count)).astype(int)
    return [" ".join(generator.choice(words, length)) + "." for length in lengths]


def _texts(options: argparse.Namespace) -> list[str]:
    if options.texts is None:
        return mixed_texts(options.count)
    return [line for line in read_lines(options.texts, "--texts") if line.strip()]
