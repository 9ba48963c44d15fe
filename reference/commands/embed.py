"""python -m reference embed."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from reference.arguments import explain
from reference.commands.options import (
    add_encoding,
    add_model,
    add_texts,
    add_truncate_dim,
    add_truncation,
    load_model,
    open_array,
    read_texts,
)
from reference.commands.results import Part, add_output, target_of, write
from reference.errors import InputError
from reference.pipelines.precision import PRECISIONS
from reference.scale import embed_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Turn texts into vectors. Texts are arguments, lines of a file, or lines of standard "
        "input.",
        'python -m reference embed "a first text" "a second one" --format jsonl',
        "printf 'It rains.\\nThe cat sleeps.\\n' > texts.txt",
        "python -m reference embed --file texts.txt --output texts.npy --resume --progress",
        "python -m reference embed --ray texts.txt vectors --workers 2",
    )
    add_texts(parser)
    add_encoding(parser)
    parser.add_argument(
        "--normalize",
        choices=("checkpoint", "yes", "no"),
        default="checkpoint",
        help="whether vectors get length one (default: as the checkpoint says)",
    )
    parser.add_argument("--prompt", help="put this before every text")
    parser.add_argument(
        "--prompt-name", metavar="NAME", help="the prompt that the checkpoint has by that name"
    )
    add_truncate_dim(parser)
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="how numbers are stored (default float32); int8 and uint8 span --ranges or, "
        "without it, what these very vectors span, so others cannot be compared with them",
    )
    parser.add_argument(
        "--ranges",
        metavar="FILE",
        help="for int8 and uint8: a .npy file with the least and the largest of each number of "
        "a vector, [2, numbers], over many vectors; needed where vectors come in parts, with "
        "--resume and --ray",
    )
    add_truncation(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="with --output FILE.npy: keep what is done, and go on from there if interrupted",
    )
    parser.add_argument(
        "--ray",
        nargs=2,
        metavar=("INPUT", "OUTPUT"),
        help="embed a file or folder of Parquet (the column text) or of lines with Ray, into a "
        "new folder of Parquet",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="of --ray: so many models at once (default 2)"
    )
    add_model(parser)
    add_output(parser, array=True)


def main(options: argparse.Namespace) -> int:
    """Print or write one vector a text."""
    if _lacks_ranges(options) and (options.resume or options.ray is not None):
        raise InputError(
            f"with --resume and --ray vectors come in parts, so that {options.precision} needs "
            "--ranges FILE"
        )
    wanted = _wanted(options)
    if options.ray is not None:
        return _embed_with_ray(options, wanted)
    if options.workers is not None:
        raise InputError("--workers is for --ray INPUT OUTPUT")
    target = target_of(options)
    texts = read_texts(options.texts, options.file)
    model = load_model(options, "embeddings")
    if options.resume:
        if target is None or target.suffix != ".npy" or options.format not in (None, "npy"):
            raise InputError("--resume is for a .npy file; name one with --output")
        model.encode_to(target, texts, **wanted)
        return 0
    if _lacks_ranges(options):  # they are those of all vectors
        texts = list(texts)
        parts = iter([(texts, model.encode(texts, **wanted))])
    else:
        parts = model.encode_parts(texts, **wanted)
    return write(options, target, (_part(*part) for part in parts))


def _lacks_ranges(options: argparse.Namespace) -> bool:
    return options.precision in ("int8", "uint8") and options.ranges is None


def _wanted(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "batch_size": options.batch_size,
        "normalize": {"checkpoint": None, "yes": True, "no": False}[options.normalize],
        "show_progress": options.progress,
        "prompt": options.prompt,
        "prompt_name": options.prompt_name,
        "truncate_dim": options.truncate_dim,
        "precision": options.precision,
        "ranges": None if options.ranges is None else open_array(options.ranges, "--ranges"),
        "truncation": options.truncation,
    }


def _embed_with_ray(options: argparse.Namespace, wanted: dict[str, Any]) -> int:
    source, target = options.ray
    beside = {
        "TEXT": options.texts,
        "--file": options.file is not None,
        "--output": options.output is not None,
        "--format": options.format is not None,
        "--resume": options.resume,
    }
    if given := [name for name, there in beside.items() if there]:
        raise InputError(
            f"--ray names its INPUT and OUTPUT itself; leave {', '.join(given)} out"
        )
    embed_files(
        source,
        target,
        model=options.model,
        backend=options.backend,
        dtype=options.dtype,
        device=options.device,
        revision=options.revision,
        workers=2 if options.workers is None else options.workers,
        **wanted,
    )
    return 0


def _part(texts: list[str], vectors: np.ndarray) -> Part:
    shown = "{:.6f}" if vectors.dtype.kind == "f" else "{}"
    return Part(
        records=(
            {"text": text, "embedding": vector.tolist()}
            for text, vector in zip(texts, vectors, strict=True)
        ),
        lines=(" ".join(map(shown.format, vector)) for vector in vectors),
        array=vectors,
    )
