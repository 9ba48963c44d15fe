"""python -m reference search."""

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
    add_top_k,
    add_truncate_dim,
    add_truncation,
    load_model,
    open_array,
    read_texts,
)
from reference.commands.results import Part, add_output, target_of, write
from reference.errors import InputError
from reference.files import read_lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Find what of a corpus is most alike to each query. The corpus is the lines of a file, "
        "read as they are needed, or their vectors, which embed has written.",
        "printf 'It rains.\\nThe cat eats at noon.\\nThe moon.\\n' > texts.txt",
        'python -m reference search "how are cats fed" --corpus texts.txt --top-k 2',
        "python -m reference embed --file texts.txt --output texts.npy",
        'python -m reference search "how are cats fed" --vectors texts.npy --corpus texts.txt',
    )
    add_texts(parser, "query")
    parser.add_argument(
        "--corpus", metavar="FILE", help="the texts to search, one a line (- is standard input)"
    )
    parser.add_argument(
        "--vectors", metavar="FILE", help="their vectors, a .npy file that embed has written"
    )
    add_top_k(parser, "hits of each query", 10)
    add_metric(parser)
    add_encoding(parser)
    add_truncate_dim(parser)
    add_truncation(parser)
    add_model(parser)
    add_output(parser)


def main(options: argparse.Namespace) -> int:
    """Print or write the hits of each query."""
    if options.corpus is None and options.vectors is None:
        raise InputError("there is nothing to search; name a file with --corpus or --vectors")
    if options.corpus == "-" and not options.texts and options.file in (None, "-"):
        raise InputError(
            "queries and corpus cannot both come from standard input; put one of them in a file"
        )
    target = target_of(options)
    queries = list(read_texts(options.texts, options.file))
    if options.vectors is None:
        corpus = read_texts([], options.corpus, "--corpus")
    else:
        corpus = _open_vectors(options.vectors)
    found = load_model(options, "sentence-similarity").search(
        queries,
        corpus,
        options.top_k,
        metric=options.metric,
        batch_size=options.batch_size,
        show_progress=options.progress,
        truncate_dim=options.truncate_dim,
        truncation=options.truncation,
    )
    hits = [[hit.to_dict() for hit in row] for row in found]
    if options.vectors is not None and options.corpus is not None:
        _add_texts(hits, options.corpus, len(corpus))
    records = ({"query": query, "hits": row} for query, row in zip(queries, hits, strict=True))
    return write(options, target, [Part(records, _lines(queries, hits))])


def _open_vectors(file: str) -> np.ndarray:
    vectors = open_array(file, "--vectors")
    if vectors.dtype.kind != "f":
        raise InputError(
            f"{file} holds no vectors in floating point, which a search takes; embed "
            "writes them without --precision"
        )
    return vectors


def _add_texts(hits: list[list[dict]], corpus: str, expected: int) -> None:
    """The texts of hits among vectors, read from the lines that these were made of."""
    wanted = {hit["index"] for row in hits for hit in row}
    texts, lines = {}, 0
    for number, line in enumerate(read_lines(corpus, "--corpus")):
        lines = number + 1
        if number in wanted:
            texts[number] = line
    if lines != expected:
        raise InputError(
            f"{corpus} has {lines} lines and there are {expected} vectors: they do not belong "
            "together"
        )
    for row in hits:
        for hit in row:
            hit["text"] = texts[hit["index"]]


def _lines(queries: list[str], hits: list[list[dict]]) -> Iterator[str]:
    for query, row in zip(queries, hits, strict=True):
        yield query
        for hit in row:
            shown = f"line {hit['index'] + 1}" if hit["text"] is None else hit["text"]
            yield f"  {hit['score']: .4f}  {shown}"
