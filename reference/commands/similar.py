"""python -m reference similar."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from reference.arguments import explain
from reference.commands.options import (
    add_encoding,
    add_metric,
    add_model,
    add_texts,
    add_truncate_dim,
    add_truncation,
    load_model,
    read_texts,
)
from reference.commands.results import Part, add_output, target_of, write
from reference.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Print how alike every text is to every reference, best first: their cosine, unless "
        "the checkpoint or --metric names another measure.",
        'python -m reference similar "a cat sleeps" --to "a kitten naps" "the moon"',
        "printf 'It rains.\\nThe cat sleeps.\\n' > texts.txt",
        'python -m reference similar "a kitten naps" "the moon" --to-file texts.txt --late',
    )
    add_texts(parser)
    parser.add_argument(
        "--to",
        nargs="+",
        metavar="REFERENCE",
        default=[],
        help="what the texts are compared with",
    )
    parser.add_argument(
        "--to-file",
        metavar="FILE",
        help="read references from FILE, one a line (- is standard input)",
    )
    add_metric(parser)
    parser.add_argument(
        "--late", action="store_true", help="compare token by token (MaxSim), and sum"
    )
    add_encoding(parser)
    add_truncate_dim(parser)
    add_truncation(parser)
    add_model(parser)
    add_output(parser, array=True)


def main(options: argparse.Namespace) -> int:
    """Print or write how alike every text is to every reference."""
    if not options.to and options.to_file is None:
        raise InputError(
            "there is nothing to compare with; name references with --to or --to-file"
        )
    if options.to_file == "-" and not options.texts and options.file in (None, "-"):
        raise InputError(
            "texts and references cannot both come from standard input; put one of them in a "
            "file"
        )
    target = target_of(options)
    references = list(read_texts(options.to, options.to_file, "--to-file"))
    texts = read_texts(options.texts, options.file)
    parts = load_model(options, "sentence-similarity").similarity_parts(
        texts,
        references,
        options.batch_size,
        options.progress,
        metric=options.metric,
        late_interaction=options.late,
        truncate_dim=options.truncate_dim,
        truncation=options.truncation,
    )
    return write(
        options, target, (_part(window, found.scores, references) for window, found in parts)
    )


def _part(texts: list[str], scores: np.ndarray, references: list[str]) -> Part:
    # A reference that is given twice has the same score twice.
    rows = [dict(zip(references, row, strict=True)) for row in scores.tolist()]
    records = ({"text": text, "scores": row} for text, row in zip(texts, rows, strict=True))
    return Part(records, _ranked(texts, references, scores), scores)


def _ranked(texts: list[str], references: list[str], scores: np.ndarray) -> Iterator[str]:
    for text, row in zip(texts, scores, strict=True):
        yield text
        for column in np.argsort(-row, kind="stable"):
            yield f"  {row[column]: .4f}  {references[column]}"
