"""How the cost grows, with the tokens of a text, the texts of a batch or the layers; and how it
falls with the cores."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from reference.bench.machine import cores
from reference.bench.tasks import TASKS
from reference.bench.worker import Contestant, left_out
from reference.bench.workloads import text_of
from reference.checkpoint import locate, read_architecture
from reference.checks import check_name
from reference.errors import InputError
from reference.families.reading import read_config
from reference.parity import random_checkpoint
from reference.sentence import transformer_folder
from reference.text import Tokenizer, read_tokenizer

KINDS = ("tokens", "batch", "layers", "cores")
LONGEST = 4096  # tokens
MOST_TEXTS, TOKENS_EACH = 64, 64


@dataclass(frozen=True)
class Growth:
    """Of one contestant the medians in milliseconds at each size, and the power of the size
    with which they grow: the slope through their logarithms."""

    name: str
    sizes: tuple[int, ...]
    ms: tuple[float, ...]

    @property
    def exponent(self) -> float:
        slope, _ = np.polyfit(np.log(self.sizes), np.log(self.ms), 1)
        return float(slope)


def grow(
    model: str,
    names: Sequence[str],
    kind: str,
    rounds: int = 5,
    task: str = "embed",
    threads: int | None = None,
    spare: Sequence[str] = (),
    pause: float = 0.3,
) -> list[Growth]:
    """Time the contestants at sizes each twice as large as the one before. The rounds are
    interleaved, as the bench's are; of layers, and of cores, there is a process for each number
    of them."""
    check_name(kind, KINDS, "--grow")
    if kind == "cores" and threads is not None:
        raise InputError("--grow cores tries all numbers of --threads; leave that out")
    folder = locate(model)
    tokenizer = read_tokenizer(folder, read_config(folder))
    prepare = TASKS[task].prepare
    with ExitStack() as stack:
        points = [
            (size, place, prepare(texts, tokenizer))
            for size, place, texts in stack.enter_context(_points(kind, folder, tokenizer))
        ]
        if len(points) < 2:
            raise InputError(
                f"there are too few {kind} to see how the cost of this model grows"
            )
        # Which process a point is worked in: of which model, on how many cores.
        rooms = [(place, size if kind == "cores" else threads) for size, place, _ in points]
        started: dict[tuple[str, tuple[Path, int | None]], Contestant] = {}
        for name in names:
            for room in dict.fromkeys(rooms):
                with left_out(name, spare):
                    contestant = Contestant(task, name, *room)
                    stack.callback(contestant.close)
                    started[name, room] = contestant
        there = [name for name in names if all((name, room) in started for room in rooms)]
        if not there:
            raise InputError("a bench needs at least one contestant")
        work = [(name, point) for point in range(len(points)) for name in there]
        times: dict[tuple[str, int], list[float]] = {one: [] for one in work}
        for number in range(rounds + 1):
            for name, point in work:
                time.sleep(pause)
                seconds = started[name, rooms[point]].time(points[point][2])
                if number:  # the first allocates and compiles
                    times[name, point].append(seconds)
    sizes = tuple(size for size, _, _ in points)
    median = lambda name, point: 1000 * statistics.median(times[name, point])
    return [
        Growth(name, sizes, tuple(median(name, point) for point in range(len(points))))
        for name in there
    ]


def table(found: Sequence[Growth], kind: str) -> str:
    """A line for each contestant: milliseconds at each size, and the exponent."""
    head = f"{kind:<24}" + "".join(f"{size:>10,}" for size in found[0].sizes)
    lines = [f"{head}{'exponent':>10}"]
    lines += [
        f"{one.name:<24}" + "".join(f"{ms:>10,.2f}" for ms in one.ms) + f"{one.exponent:>10.2f}"
        for one in found
    ]
    return "\n".join(lines)


@contextmanager
def _points(
    kind: str, folder: Path, tokenizer: Tokenizer
) -> Iterator[Iterator[tuple[int, Path, list[str]]]]:
    """Sizes, the folder of a model and its texts."""
    most = min(tokenizer.max_length, LONGEST)
    if kind == "tokens":
        yield ((size, folder, [text_of(tokenizer, size)]) for size in _doubled(16, most))
        return
    each = min(TOKENS_EACH, most)
    texts = [text_of(tokenizer, each, seed) for seed in range(MOST_TEXTS)]
    if kind == "batch":
        yield ((size, folder, texts[:size]) for size in _doubled(1, MOST_TEXTS))
        return
    if kind == "cores":
        sizes = _doubled(1, cores())  # and all, where that is no power of two
        sizes += [cores()] if sizes[-1] != cores() else []
        yield ((size, folder, texts) for size in sizes)
        return
    with TemporaryDirectory() as place:
        make = _cut_to(folder, Path(place))
        config = read_config(transformer_folder(folder))
        if "num_hidden_layers" not in {field.name for field in dataclasses.fields(config)}:
            raise InputError(f"a {config.model_type} has no number of layers that could grow")
        whole = config.num_hidden_layers
        yield ((size, make(size), texts[:8]) for size in _doubled(1, whole))


def _cut_to(folder: Path, place: Path) -> Callable[[int], Path]:
    """A function that makes a model of so many layers, of random weights: for the time they are
    all one."""
    config, architecture = read_architecture(transformer_folder(folder))
    settings = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.init
    }
    settings = {key: value for key, value in settings.items() if value is not None}
    for key in ("architectures", "model_type", "layer_types", "num_hidden_layers"):
        settings.pop(key, None)

    def make(layers: int) -> Path:
        return random_checkpoint(
            place / str(layers),
            architecture.name,
            pooling="mean" if architecture.name.endswith("Model") else None,
            tokenizer=folder,
            num_hidden_layers=layers,
            **settings,
        )

    return make


def _doubled(first: int, last: int) -> list[int]:
    sizes = [first]
    while sizes[-1] * 2 <= last:
        sizes.append(sizes[-1] * 2)
    return sizes
