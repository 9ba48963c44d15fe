"""python -m reference fill."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from reference.arguments import explain
from reference.checkpoint import SMALL_MODERNBERT
from reference.commands.options import (
    add_encoding,
    add_model,
    add_texts,
    add_top_k,
    add_truncation,
    load_model,
    read_texts,
    with_bar,
)
from reference.commands.results import Part, add_output, target_of, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Find words for the masks of texts. Texts are arguments, lines of a file, or lines of "
        "standard input, with masks as the model's tokenizer writes them: [MASK], <mask>.",
        "python -m reference fill 'Return a [MASK] of the given array.' --top-k 3",
        "python -m reference fill 'Return a [MASK].' --targets copy list --format jsonl",
    )
    add_texts(parser)
    add_top_k(parser, "words for each mask", 5)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--targets", nargs="+", metavar="WORD", help="ask for these words only")
    how.add_argument("--joint", action="store_true", help="fill all masks of a text together")
    add_truncation(parser)
    add_encoding(parser)
    add_model(parser, SMALL_MODERNBERT)
    add_output(parser)


def main(options: argparse.Namespace) -> int:
    """Print or write the words for each mask of each text."""
    target = target_of(options)
    texts = read_texts(options.texts, options.file)
    parts = load_model(options, "masked-lm").fill_parts(
        texts,
        options.top_k,
        options.targets,
        batch_size=options.batch_size,
        joint=options.joint,
        truncation=options.truncation,
    )
    parts = with_bar(parts, texts, options.progress)
    return write(options, target, (_part(*part, options.joint) for part in parts))


def _part(texts: list[str], found: list[Any], joint: bool) -> Part:
    return Part(
        records=(
            {"text": text, "filled" if joint else "masks": _plain(result)}
            for text, result in zip(texts, found, strict=True)
        ),
        lines=(
            line
            for text, result in zip(texts, found, strict=True)
            for line in _lines(text, [result] if joint else result, joint)
        ),
    )


def _plain(result: Any) -> Any:
    return list(map(_plain, result)) if isinstance(result, list) else result.to_dict()


def _lines(text: str, masks: list[Any], joint: bool) -> Iterator[str]:
    yield text
    for number, candidates in enumerate(masks, 1):
        if len(masks) > 1:
            yield f"  mask {number}"
        for filled in candidates:
            words = ", ".join(filled.tokens) if joint else filled.token
            yield f"  {filled.probability:.4f}  {words}"
