"""python -m reference tag."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from reference.arguments import explain
from reference.checkpoint import PARAMETER_TAGGER
from reference.commands.options import (
    add_encoding,
    add_model,
    add_texts,
    load_model,
    read_texts,
)
from reference.commands.results import Part, add_output, target_of, write
from reference.pipelines.labelled_tokens import UNITS
from reference.pipelines.results import Results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Find the spans of texts that a model labels: names, for one. Texts are arguments, "
        "lines of a file, or lines of standard input; of any length, nothing is cut. Places "
        "are characters of the text, the first of the span and the one after its last.",
        'python -m reference tag "Args: angle (float): The angle in degrees."',
        "printf 'Args: axis (int): Which.\\nArgs: out (str): Where.\\n' > texts.txt",
        "python -m reference tag --file texts.txt --aggregation first --format jsonl",
    )
    add_texts(parser)
    parser.add_argument(
        "--aggregation",
        choices=tuple(UNITS),
        default="simple",
        help="what has a label: each token (none, simple), or each word, by its first token, "
        "the average of its tokens or the surest of them (max); all but none join neighbours "
        "that belong together (default simple)",
    )
    parser.add_argument(
        "--viterbi",
        action="store_true",
        help="the best sequence of labels in which none follows that may not",
    )
    parser.add_argument(
        "--overlap",
        type=int,
        metavar="N",
        help="tokens that the windows of a long text share (default a quarter of a window)",
    )
    add_encoding(parser)
    add_model(parser, PARAMETER_TAGGER)
    add_output(parser)


def main(options: argparse.Namespace) -> int:
    """Print or write the spans of each text."""
    target = target_of(options)
    texts = read_texts(options.texts, options.file)
    parts = load_model(options, "token-classification").tag_parts(
        texts,
        options.aggregation,
        viterbi=options.viterbi,
        overlap=options.overlap,
        batch_size=options.batch_size,
        show_progress=options.progress,
    )
    return write(options, target, (_part(*part) for part in parts))


def _part(texts: list[str], found: list[Results]) -> Part:
    records = (
        {"text": text, "spans": [span.to_dict() for span in spans]}
        for text, spans in zip(texts, found, strict=True)
    )
    return Part(records, _lines(texts, found))


def _lines(texts: list[str], found: list[Results]) -> Iterator[str]:
    for text, spans in zip(texts, found, strict=True):
        yield text
        for span in spans:
            yield f"  {span.start}-{span.end}  {span.label}  {span.score:.4f}  {span.text}"
