"""python -m reference fill; and the part of classify that asks for labels a model was not
trained on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from reference.checkpoint import SMALL_MODERNBERT
from reference.commands.options import add_model, add_texts, load_model, read_texts
from reference.commands.results import Part, add_output, target_of, write
from reference.pipelines.cutting import WAYS
from reference.pipelines.results import Classification


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Find words for the masks of texts. Texts are arguments, lines of a file, or lines of "
        "standard input, with masks as the model's tokenizer writes them: [MASK], <mask>."
    )
    parser.epilog = "example: %(prog)s 'Return a [MASK] of the given array.' --top-k 3"
    add_texts(parser)
    parser.add_argument("--top-k", type=int, default=5, help="words for a mask (default 5)")
    parser.add_argument("--targets", nargs="+", metavar="WORD", help="ask for these only")
    parser.add_argument(
        "--joint", action="store_true", help="fill all masks of a text together"
    )
    add_running(parser)
    add_model(parser, SMALL_MODERNBERT)
    add_output(parser)


def add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--batch-size", type=int, default=32, help="texts in a batch at most (default 32)"
    )
    parser.add_argument(
        "--truncation",
        choices=WAYS,
        default="warn",
        help="what becomes of texts that are too long: warn (the default) and ignore cut them",
    )


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


def add_labels(parser: argparse.ArgumentParser) -> None:
    """What classify needs to ask for labels that are named on the command line."""
    parser.add_argument(
        "--labels",
        nargs="+",
        metavar="LABEL",
        help="ask for these labels, which the model need not have been trained on",
    )
    parser.add_argument(
        "--template",
        help="the question: for a masked language model with {text} and {mask}, for a model of "
        "entailment with {label}",
    )
    parser.add_argument(
        "--multi-label", action="store_true", help="ask for each label by itself"
    )
    parser.add_argument(
        "--calibrate", action="store_true", help="divide by the answer to an empty text"
    )
    parser.add_argument(
        "--letters", action="store_true", help="let the model answer with A, B, C ..."
    )


def classify_labels(options: argparse.Namespace) -> int:
    """Print or write the labels of each text, best first: classify with --labels."""
    target = target_of(options)
    texts = read_texts(options.texts, options.file)
    parts = load_model(options, "zero-shot-classification").classify_parts(
        texts,
        options.labels,
        options.template,
        options.multi_label,
        calibrate=options.calibrate,
        letters=options.letters,
        batch_size=options.batch_size,
        truncation=options.truncation,
    )
    return write(options, target, (_classified(*part) for part in parts))


def _classified(texts: list[str], found: list[Classification]) -> Part:
    pairs = list(zip(texts, found, strict=True))
    return Part(
        records=({"text": text, **result.to_dict()} for text, result in pairs),
        lines=(line for pair in pairs for line in _labelled(*pair)),
    )


def _labelled(text: str, result: Classification) -> Iterator[str]:
    mass = "" if result.mass is None else f"  (mass {result.mass:.3g})"
    yield f"{text}{mass}"
    for label, probability in zip(result.labels, result.probabilities, strict=True):
        yield f"  {probability:.4f}  {label}"
