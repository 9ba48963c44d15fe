"""python -m reference detect."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from reference.arguments import explain
from reference.checkpoint import DECLARATIONS
from reference.commands.options import (
    add_encoding,
    add_model,
    add_texts,
    load_model,
    read_texts,
)
from reference.commands.results import Part, add_output, target_of, write
from reference.errors import InputError
from reference.pipelines.batching import progress, windows
from reference.pipelines.detections import CHARACTERS, UNITS
from reference.pipelines.results import Results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Label chosen pieces of texts, each by itself. A piece is marked in its text, [[like "
        "this]]; or, in one text, --span says where it is. Texts are arguments, lines of a "
        "file, or lines of standard input. Places are characters of the text without marks.",
        'python -m reference detect "Parameters: [[angle]] The angle, 90 by default. [[out]] '
        'Where to write."',
        'python -m reference detect "Parameters: angle The angle." --span 12:17 --format jsonl',
    )
    add_texts(parser)
    parser.add_argument(
        "--span",
        action="append",
        metavar="START:END",
        help="a piece of the only text, END not included; may be given more than once",
    )
    parser.add_argument(
        "--by",
        choices=UNITS,
        default=CHARACTERS,
        help="what --span counts: characters, words as white space parts them, or the tokens "
        f"that the model reads (default {CHARACTERS})",
    )
    parser.add_argument(
        "--top-k", type=int, metavar="K", help="print so many labels of a piece (default 3)"
    )
    add_encoding(parser)
    add_model(parser, DECLARATIONS)
    add_output(parser)


def main(options: argparse.Namespace) -> int:
    """Print or write the labels of each piece."""
    target, most = target_of(options), options.top_k
    if most is None:
        most = 3
    if most < 1:
        raise InputError(f"--top-k is {most}; it must be 1 or more")
    texts = read_texts(options.texts, options.file)
    spans = None
    if options.span is None:
        if options.by != CHARACTERS:
            raise InputError("--by goes with --span: marks are among characters")
    else:
        spans, texts = [[_span(one) for one in options.span]], list(texts)
        if len(texts) != 1:
            raise InputError(f"--span is for one text; there are {len(texts)}")
    model = load_model(options, "masked-sequence")
    return write(options, target, _parts(model, texts, spans, options, most))


def _parts(
    model: Any, texts: Any, spans: Any, options: argparse.Namespace, most: int
) -> Iterator[Part]:
    with progress(texts, options.progress) as bar:
        for _, window in windows(texts):
            found = model.predict(window, spans, by=options.by, batch_size=options.batch_size)
            yield _part(window, found, most)
            bar.update(len(window))


def _span(text: str) -> tuple[int, int]:
    try:
        start, end = text.split(":")
        return int(start), int(end)
    except ValueError:
        raise InputError(f"--span is {text!r:.40}; it must be START:END, such as 4:9") from None


def _part(texts: list[str], found: Results, most: int) -> Part:
    records = (
        {"text": text, "detections": [one.to_dict() for one in own]}
        for text, own in zip(texts, found, strict=True)
    )
    return Part(records, _lines(texts, found, most))


def _lines(texts: list[str], found: Results, most: int) -> Iterator[str]:
    for text, own in zip(texts, found, strict=True):
        yield text
        for one in own:
            pairs = list(zip(one.labels, one.probabilities, strict=True))[:most]
            likely = ", ".join(f"{label} {share:.4f}" for label, share in pairs)
            given = ", ".join(one.given) or "-"
            yield f"  {one.start}-{one.end}  {one.text}  {given}  ({likely})"
