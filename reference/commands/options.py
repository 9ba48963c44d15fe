"""What several commands ask for, and how they read texts and load a model."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

import reference
from reference.backend import BACKENDS
from reference.checkpoint import EMBEDDED_MODEL
from reference.errors import InputError
from reference.files import is_file, read_lines
from reference.pipelines.batching import progress
from reference.pipelines.cutting import WAYS
from reference.pipelines.scores import SCORES

Parts = Iterator[tuple[list[str], Any]]  # some of the texts, and what was found of them

NO_TEXTS = (
    "there are no texts: standard input is empty, and none is named (what follows --to is a "
    "reference); give texts as arguments ahead of the options, with --file, or as lines of "
    "standard input"
)


def add_texts(parser: argparse.ArgumentParser, one: str = "text") -> None:
    many = "queries" if one == "query" else f"{one}s"
    parser.add_argument(
        "texts",
        nargs="*",
        metavar=one.upper(),
        help=f"{many}; without any, lines are read",
    )
    parser.add_argument(
        "--file",
        metavar="FILE",
        help=f"read {many} from FILE, one a line (- is standard input)",
    )


def read_texts(
    arguments: list[str], file: str | None, option: str = "--file", missing: str = NO_TEXTS
) -> Iterable[str]:
    """Texts from the arguments, from a file, or from standard input, one a line, as they are
    asked for; at least one."""
    if arguments and file is not None:
        given = "as arguments" if option == "--file" else f"with {option.removesuffix('-file')}"
        raise InputError(f"give texts {given} or with {option}, not both")
    if arguments:
        return arguments
    lines = read_lines("-" if file is None else file, option)
    first = next(lines, None)
    if first is not None:
        return itertools.chain([first], lines)
    if file not in (None, "-"):
        raise InputError(f"there are no texts: {file} is empty")
    raise InputError(missing)


def open_array(file: str, option: str) -> np.ndarray:
    """An array that stays in its .npy file, of which only parts are in memory."""
    if not file:
        raise InputError(f"{option} is empty; name a .npy file")
    if not is_file(Path(file)):
        raise InputError(f"{file} cannot be read: there is no such file")
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, BadZipFile):
        array = None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{file} is not a .npy file, which {option} names")
    return array


def add_model(
    parser: argparse.ArgumentParser,
    default: str | None = EMBEDDED_MODEL,
    depends: str | None = None,
) -> None:
    """The model and where it computes; without a default it must be named, unless it depends
    on other options, in these words, which one is meant."""
    meant = depends or default
    parser.add_argument(
        "--model",
        default=default,
        required=meant is None,
        help="a folder or a hub id" + (f" (default {meant})" if meant else ""),
    )
    add_backend(parser)


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Which state of a model, and where it computes."""
    parser.add_argument("--revision", help="a branch, tag or commit on the hub")
    parser.add_argument(
        "--dtype",
        default="float32",
        help="float32 (the default), float64 or, where there, float16, bfloat16 or int8",
    )
    add_place(parser)


def add_place(parser: argparse.ArgumentParser) -> None:
    """What computes, and on what."""
    parser.add_argument(
        "--backend", choices=BACKENDS, default="torch", help="what computes (default torch)"
    )
    parser.add_argument(
        "--device",
        help="cpu (the default), cuda, cuda:1, mps or auto for torch, gpu for mlx, cuda or "
        "metal for candle, where they are",
    )


def load_model(options: argparse.Namespace, pipeline: str, model: str | None = None) -> Any:
    """The model that the options name, or another in its place."""
    return reference.load(
        model or options.model,
        backend=options.backend,
        pipeline=pipeline,
        dtype=options.dtype,
        device=options.device,
        revision=options.revision,
    )


def add_encoding(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        default=32,
        help="texts in a batch at most (default 32)",
    )
    parser.add_argument(
        "--progress", action="store_true", help="show a progress bar on standard error"
    )


def with_bar(parts: Parts, texts: Iterable[str], shown: bool) -> Parts:
    """The parts as they come, counted by a progress bar."""
    with progress(texts, shown) as bar:
        for part in parts:
            yield part
            bar.update(len(part[0]))


def add_truncate_dim(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--truncate-dim", type=int, metavar="N", help="keep the first N numbers of a vector"
    )


def add_truncation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--truncation",
        choices=WAYS,
        help="of texts that are longer than the model takes: cut and say so (warn), stop "
        "(error), or cut and say nothing (ignore); by default a RoPE encoder stops, and all "
        "others warn",
    )


def add_top_k(parser: argparse.ArgumentParser, what: str, default: int | None = None) -> None:
    parser.add_argument(
        "--top-k",
        type=int,
        metavar="N",
        default=default,
        help=f"only the N best {what} (default {default or 'all'})",
    )


def add_metric(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metric",
        choices=SCORES,
        help="what compares two vectors (default the checkpoint's, else cosine)",
    )
