"""python -m reference rank."""

from __future__ import annotations

import argparse

from reference.arguments import explain
from reference.commands.options import (
    add_encoding,
    add_model,
    add_top_k,
    add_truncation,
    load_model,
    read_texts,
)
from reference.commands.results import Part, add_output, target_of, write

CROSS_ENCODER = "cross-encoder/ms-marco-MiniLM-L6-v2"  # on the hub; none is embedded


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Print documents, those first that go best with a query, as a cross-encoder (a model "
        "with one label) finds. The score is a probability or a logit, as the model has it; "
        "JSON says which. Documents follow --to, or are lines of a file or of standard input.",
        'python -m reference rank "who wrote it?" --to "He did." "It rains." --model '
        f"{CROSS_ENCODER}",
        "printf 'It rains.\\nThe cat eats at noon.\\n' > texts.txt",
        'python -m reference rank "how are cats fed" --to-file texts.txt --model '
        f"{CROSS_ENCODER}",
    )
    parser.add_argument("query", metavar="QUERY", help="what the documents are ranked for")
    parser.add_argument("--to", nargs="+", metavar="DOCUMENT", default=[], help="the documents")
    parser.add_argument(
        "--to-file",
        "--documents-file",
        metavar="FILE",
        help="read documents from FILE, one a line (- is standard input)",
    )
    add_top_k(parser, "documents")
    add_truncation(parser)
    add_encoding(parser)
    add_model(parser, default=None)
    add_output(parser)


def main(options: argparse.Namespace) -> int:
    """Print or write the documents in their order."""
    target = target_of(options)
    missing = (
        "there is nothing to rank: standard input is empty; name documents with --to or "
        "--to-file, or give them as lines of standard input"
    )
    documents = read_texts(options.to, options.to_file, "--to-file", missing)
    found = load_model(options, "text-classification").rank(
        options.query,
        documents,
        options.top_k,
        batch_size=options.batch_size,
        truncation=options.truncation,
        show_progress=options.progress,
    )
    records = (ranked.to_dict() for ranked in found)
    lines = (f"{ranked.score: .4f}  {ranked.text}" for ranked in found)
    return write(options, target, [Part(records, lines)])
