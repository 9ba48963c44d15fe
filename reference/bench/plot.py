"""The bench's bars: the time of one text, and how many texts a second."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference.backend import BACKENDS
from reference.errors import InputError
from reference.files import check_target

if TYPE_CHECKING:
    from reference.bench import Timing
    from reference.bench.workloads import Workload

OURS, THEIRS = "#2e6f9e", "#9a9a9a"


def check_picture(file: str) -> Path:
    """Where a picture shall go, and that one can be drawn, before the work that it shows."""
    path = check_target(file, "--plot")
    if path.suffix.lower() not in (".png", ".svg"):
        raise InputError(f"--plot is {path.name!r:.80}; its name must end with .png or .svg")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("--plot needs matplotlib: install it, or the extra 'book'")
    return path


def draw(timings: Sequence[Timing], work: Workload, path: Path) -> None:
    """Write them as a picture; ours are blue."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.2 + 0.35 * len(timings)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names = [timing.name for timing in timings][::-1]
    colors = [OURS if name.partition(":")[0] in BACKENDS else THEIRS for name in names]
    for axes, title, values in (
        (left, f"{work.one_name}: ms", [timing.latency_ms for timing in timings]),
        (right, f"{work.many_name}: texts a second", [one.throughput for one in timings]),
    ):
        _bars(axes, names, values[::-1], colors)
        axes.set_title(title, fontsize=10)
    figure.savefig(path, dpi=144)


def _bars(axes: Any, names: list[str], values: list[float], colors: list[str]) -> None:
    bars = axes.barh(names, values, color=colors)
    axes.bar_label(bars, fmt="{:,.4g}", padding=3, fontsize=9)
    axes.margins(x=0.18)
    axes.spines[["top", "right"]].set_visible(False)
