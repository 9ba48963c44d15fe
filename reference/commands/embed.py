"""python -m reference embed."""

from __future__ import annotations

import argparse

from reference.commands.options import (
    add_encoding,
    add_model,
    add_texts,
    load_model,
    read_texts,
)
from reference.commands.results import Part, add_output, target_of, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Turn texts into vectors. Texts are arguments, lines of a file, or lines of standard "
        "input."
    )
    add_texts(parser)
    add_encoding(parser)
    parser.add_argument(
        "--normalize", choices=("checkpoint", "yes", "no"), default="checkpoint"
    )
    add_model(parser)
    add_output(parser, array=True)


def main(options: argparse.Namespace) -> int:
    """Print or write one vector a text."""
    target = target_of(options)
    texts = read_texts(options.texts, options.file)
    normalize = {"checkpoint": None, "yes": True, "no": False}[options.normalize]
    parts = load_model(options, "embeddings").encode_parts(
        texts,
        batch_size=options.batch_size,
        normalize=normalize,
        show_progress=options.progress,
    )
    return write(options, target, (_part(*part) for part in parts))


def _part(texts: list[str], vectors) -> Part:
    return Part(
        records=(
            {"text": text, "embedding": vector.tolist()}
            for text, vector in zip(texts, vectors, strict=True)
        ),
        lines=(" ".join(f"{value:.6f}" for value in vector) for vector in vectors),
        array=vectors,
    )
