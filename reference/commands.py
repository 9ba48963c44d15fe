"""The commands behind `python -m reference`: their options, and reading and writing for
them."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import reference
from reference.backend import BACKENDS
from reference.checkpoint import EMBEDDED_MODEL
from reference.errors import InputError
from reference.files import check_target, read_lines, write_result

FORMATS = ("text", "json", "npy")


def add_embed(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Turn texts into vectors. Texts are arguments, lines of a file, or lines of standard "
        "input."
    )
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="texts; without any, lines are read"
    )
    parser.add_argument(
        "--file", metavar="FILE", help="read texts from FILE, one a line (- is standard input)"
    )
    _add_encoding(parser)
    _add_model(parser)
    _add_output(parser)
    parser.set_defaults(run=embed)


def embed(options: argparse.Namespace) -> int:
    """Print or write one vector a text."""
    target = _target(options)
    texts = read_texts(options.texts, options.file)
    normalize = {"checkpoint": None, "yes": True, "no": False}[options.normalize]
    vectors = _load(options).encode(
        texts,
        batch_size=options.batch_size,
        normalize=normalize,
        show_progress=options.progress,
    )
    records = (
        {"text": text, "embedding": vector.tolist()}
        for text, vector in zip(texts, vectors, strict=True)
    )
    lines = (" ".join(f"{value:.6f}" for value in vector) for vector in vectors)
    return _write(options, target, vectors, records, lines)


def add_similar(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print the cosine of every text with every reference, best first."
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="texts; without any, lines are read"
    )
    parser.add_argument(
        "--file", metavar="FILE", help="read texts from FILE, one a line (- is standard input)"
    )
    parser.add_argument(
        "--to",
        nargs="+",
        metavar="REFERENCE",
        default=[],
        help="what the texts are compared with",
    )
    parser.add_argument(
        "--to-file", metavar="FILE", help="read references from FILE, one a line"
    )
    _add_encoding(parser, normalize=False)
    _add_model(parser)
    _add_output(parser)
    parser.set_defaults(run=similar)


def similar(options: argparse.Namespace) -> int:
    """Print or write the matrix of cosines."""
    if not options.to and options.to_file is None:
        raise InputError(
            "there is nothing to compare with; name references with --to or --to-file"
        )
    if options.to_file == "-" and not options.texts and options.file in (None, "-"):
        raise InputError(
            "texts and references cannot both come from standard input; put one of them in a "
            "file"
        )
    target = _target(options)
    references = read_texts(options.to, options.to_file, "--to-file")
    texts = read_texts(options.texts, options.file)
    result = _load(options, "sentence-similarity").similarity(
        texts, references, batch_size=options.batch_size, show_progress=options.progress
    )
    rows = result.scores.tolist()
    if len(set(references)) == len(references):
        rows = [dict(zip(references, row, strict=True)) for row in rows]
    records = ({"text": text, "scores": row} for text, row in zip(texts, rows, strict=True))
    return _write(
        options, target, result.scores, records, _ranked(texts, references, result.scores)
    )


def add_from(parser: argparse.ArgumentParser, module: str) -> None:
    """A command that is written elsewhere: a module with its add_arguments and main."""
    room = importlib.import_module(module)
    room.add_arguments(parser)
    parser.set_defaults(run=room.main)


def read_texts(arguments: list[str], file: str | None, option: str = "--file") -> list[str]:
    """Texts from the arguments, from a file, or from standard input, one a line; at least
    one."""
    if arguments and file is not None:
        raise InputError(f"give texts as arguments or with {option}, not both")
    texts = arguments or read_lines("-" if file is None else file, option)
    if not texts:
        if file not in (None, "-"):
            raise InputError(f"there are no texts: {file} is empty")
        raise InputError(
            "there are no texts: standard input is empty, and none is named (what follows --to "
            "is a reference); give texts as arguments ahead of the options, with --file, or as "
            "lines of standard input"
        )
    return texts


def _load(options: argparse.Namespace, pipeline: str = "embeddings") -> Any:
    return reference.load(
        options.model,
        backend=options.backend,
        pipeline=pipeline,
        dtype=options.dtype,
        device=options.device,
        revision=options.revision,
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default=EMBEDDED_MODEL,
        help=f"a folder or a hub id (default {EMBEDDED_MODEL})",
    )
    parser.add_argument("--revision", help="a branch, tag or commit on the hub")
    parser.add_argument("--backend", choices=BACKENDS, default="torch")
    parser.add_argument(
        "--dtype", default="float32", help="float32, float64, or what else the backend has"
    )
    parser.add_argument(
        "--device",
        help="cpu (the default), cuda, cuda:1, mps or auto for torch, gpu for mlx, cuda or "
        "metal for candle, where they are",
    )


def _add_encoding(parser: argparse.ArgumentParser, normalize: bool = True) -> None:
    parser.add_argument(
        "--batch-size", type=int, default=32, help="texts in a batch at most (default 32)"
    )
    parser.add_argument(
        "--progress", action="store_true", help="show a progress bar on standard error"
    )
    if normalize:
        parser.add_argument(
            "--normalize", choices=("checkpoint", "yes", "no"), default="checkpoint"
        )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="text (the default), json or npy; --output's ending decides else",
    )
    parser.add_argument(
        "--output", metavar="FILE", help="write to FILE instead of standard output"
    )


def _target(options: argparse.Namespace) -> Path | None:
    return None if options.output is None else check_target(options.output, "--output")


def _write(
    options: argparse.Namespace,
    target: Path | None,
    array: np.ndarray,
    records: Iterable[dict],
    lines: Iterable[str],
) -> int:
    """One result in the format asked for, to standard output or, in one move, to a file."""
    endings = {".json": "json", ".npy": "npy"}
    chosen = options.format or endings.get(target.suffix if target else "", "text")
    if chosen == "npy":
        buffer = io.BytesIO()
        np.save(buffer, array)
        content = buffer.getvalue()
    elif chosen == "json":
        content = (json.dumps(list(records), ensure_ascii=False, indent=1) + "\n").encode()
    else:
        content = "".join(f"{line}\n" for line in lines).encode()

    if target is not None:
        write_result(target, content)
    elif chosen == "npy" and sys.stdout.isatty():
        raise InputError("a .npy file is not for a terminal; add --output FILE")
    else:
        sys.stdout.buffer.write(content)
    return 0


def _ranked(texts: list[str], references: list[str], scores: np.ndarray) -> Any:
    for text, row in zip(texts, scores, strict=True):
        yield text
        for column in np.argsort(-row, kind="stable"):
            yield f"  {row[column]: .4f}  {references[column]}"
