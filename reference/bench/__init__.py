"""Timing the ports beside other libraries: same texts, same machine, same minutes, and fair to
each contestant.

Every contestant lives in a process of its own, because frameworks in one process disturb each
other (after torch has worked, MLX's small matrix products fall to a quarter of their speed).
The rounds are interleaved, because a machine's speed drifts. Tokenization is included. Medians
are reported, and ratios to the first peer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from reference.arguments import add_model
from reference.backend import BACKENDS
from reference.bench.worker import PEERS, Contestant
from reference.checkpoint import locate
from reference.checks import check_names
from reference.errors import InputError
from reference.families.reading import read_config
from reference.files import check_target, read_lines, write_result
from reference.text import Tokenizer, read_tokenizer

# OpenMP's threads spin for a fifth of a second after their work; the next contestant waits
# until they sleep.
PAUSE = 0.3


# A model that takes so many tokens is timed on long texts, unless its user says otherwise.
LONG = 4096
WORKLOADS = ("sentences", "long")


@dataclass(frozen=True)
class Workload:
    """One text to wait for and many to get through, and what the table calls them."""

    one_name: str
    one: str
    many_name: str
    many: list[str]
    repeats: int = 1  # of the one text in each round


@dataclass(frozen=True)
class Timing:
    """Medians of one contestant."""

    name: str
    latency_ms: float  # one text, the time until its vector is there
    throughput: float  # texts a second on many of mixed lengths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m reference bench`."""
    parser.description = (
        "Time latency of one sentence and throughput on mixed lengths, tokenization included, "
        "with each contestant in a process of its own and the rounds interleaved."
    )
    add_model(parser)
    parser.add_argument(
        "--backends", nargs="+", metavar="NAME", default=BACKENDS, help="default: all; or none"
    )
    parser.add_argument(
        "--peers", nargs="+", metavar="NAME", default=PEERS, help="default: all; or none"
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="timed rounds of each contestant (default 7)"
    )
    parser.add_argument(
        "--count",
        type=int,
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
    names = [
        *check_names(options.peers, PEERS, "peer"),
        *check_names(options.backends, BACKENDS, "backend"),
    ]
    if options.rounds < 1 or options.count < 1:
        raise InputError("--rounds and --count must be at least 1")
    target = None if options.json is None else check_target(options.json, "--json")
    work = _workload(options, locate(options.model))
    timings = bench(options.model, names, options.rounds, work)
    print(table(timings, work))
    if target is not None:
        content = json.dumps([asdict(timing) for timing in timings], indent=2) + "\n"
        write_result(target, content.encode())
    return 0


def bench(
    model: str, names: Sequence[str], rounds: int = 7, work: Workload | None = None
) -> list[Timing]:
    """Time the contestants of these names: backends of the package, "transformers",
    "sentence-transformers"."""
    folder = locate(model)
    work = sentences(mixed_texts(256)) if work is None else work
    if not names:
        raise InputError("a bench needs at least one contestant")

    contestants: list[Contestant] = []
    latencies: dict[str, list[float]] = {name: [] for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    try:
        for name in names:
            contestants.append(Contestant(name, folder))
        for (
            contestant
        ) in contestants:  # the first runs, which allocate and compile, are not counted
            contestant.time([work.one])
            contestant.time(work.many)
        for number in range(rounds):
            turn = number % len(contestants)
            for contestant in contestants[turn:] + contestants[:turn]:
                time.sleep(PAUSE)
                latencies[contestant.name] += [
                    contestant.time([work.one]) for _ in range(work.repeats)
                ]
                seconds[contestant.name].append(contestant.time(work.many))
    finally:
        for contestant in contestants:
            contestant.close()
    return [
        Timing(
            name,
            1000 * statistics.median(latencies[name]),
            len(work.many) / statistics.median(seconds[name]),
        )
        for name in names
    ]


def table(timings: Sequence[Timing], work: Workload | None = None) -> str:
    """The medians, and how many times the first contestant's speed each one has."""
    first = timings[0]
    one, many = (
        ("one sentence", "mixed lengths") if work is None else (work.one_name, work.many_name)
    )
    lines = [f"{'':<24}{one:>20}{'speed':>8}{many:>28}{'speed':>8}"]
    lines += [
        f"{timing.name:<24}{timing.latency_ms:>17,.2f} "
        f"ms{first.latency_ms / timing.latency_ms:>7.2f}x{timing.throughput:>20.1f} "
        f"texts/s{timing.throughput / first.throughput:>7.2f}x"
        for timing in timings
    ]
    return "\n".join(lines)


def mixed_texts(count: int, seed: int = 0) -> list[str]:
    """Made-up sentences of 6 to 90 words, most of them short, as a collection of real texts has
    them."""
    words = (
        "the a of model token vector attention layer mean text reads each row holds long short "
        "sentence number which between small large river stone window garden answer question "
        "simple measure weight table letter market winter summer carries follows returns "
        "writes under over because although never always seven hundred paper"
    ).split()
    generator = np.random.default_rng(seed)
    lengths = np.exp(generator.uniform(np.log(6), np.log(90), count)).astype(int)
    return [" ".join(generator.choice(words, length)) + "." for length in lengths]


def sentences(texts: Sequence[str]) -> Workload:
    """Texts as a collection of them has, and the one of them in the middle by length."""
    if not texts:
        raise InputError("a bench needs at least one text")
    return Workload(
        "one sentence",
        sorted(texts, key=len)[len(texts) // 2],
        "mixed lengths",
        list(texts),
        repeats=5,
    )


def long_texts(tokenizer: Tokenizer) -> Workload:
    """One text of 4,096 tokens, and 16 of 32 to 512 in no order: where padding and attention
    cost most."""
    if tokenizer.max_length < LONG:
        raise InputError(
            f"this model takes {tokenizer.max_length} tokens; the long workload has a text of "
            f"{LONG}"
        )
    lengths = np.random.default_rng(0).permutation(np.linspace(32, 512, 16).astype(int))
    many = [text_of(tokenizer, length, seed) for seed, length in enumerate(lengths)]
    return Workload(
        f"one text of {LONG:,}",
        text_of(tokenizer, LONG, 16),
        "16 texts of 32 to 512 tokens",
        many,
    )


def text_of(tokenizer: Tokenizer, tokens: int, seed: int = 0) -> str:
    """Made-up words that are as many tokens, special ones included, or as few less as a word
    has."""
    words = " ".join(mixed_texts(tokens // 6 + 1, seed)).split()[
        :tokens
    ]  # of at least six words each
    least, most = 1, len(words)
    while least < most:
        half = (least + most + 1) // 2
        fits = len(tokenizer([" ".join(words[:half])], max_length=2 * tokens + 2)[0]) <= tokens
        least, most = (half, most) if fits else (least, half - 1)
    return " ".join(words[:least])


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
