"""python -m reference classify."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from reference.arguments import explain
from reference.checkpoint import PACKAGE_CLASSIFIER, SMALL_MODERNBERT
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
from reference.errors import InputError
from reference.pipelines.results import Classification

Found = Iterator[tuple[list[tuple[str, ...]], list[Classification]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Label texts, or pairs of texts, best label first: with a model that was trained on "
        "labels or, with --labels, with a masked language model that is asked for them. Texts "
        "are arguments, lines of a file, or lines of standard input.",
        'python -m reference classify "Return the shortest path between two nodes." --top-k 3',
        'python -m reference classify "Open the file." --labels file array',
        "printf 'Open the file.\\nSort the array.\\n' > texts.txt",
        "python -m reference classify --file texts.txt --labels file array --format jsonl",
        'python -m reference classify "It rains." --pair "It is wet." --model '
        "cross-encoder/nli-roberta-base",
    )
    add_texts(parser)
    second = parser.add_mutually_exclusive_group()
    second.add_argument("--pair", metavar="TEXT", help="the second text, of each pair")
    second.add_argument(
        "--tabs", action="store_true", help="each text is a pair, with a tab between the two"
    )
    add_top_k(parser, "labels of each text")
    _add_labels(parser.add_argument_group("labels that the model was not trained on"))
    add_truncation(parser)
    add_encoding(parser)
    add_model(parser, None, f"{PACKAGE_CLASSIFIER}, or with --labels {SMALL_MODERNBERT}")
    add_output(parser)


def _add_labels(group: Any) -> None:
    group.add_argument("--labels", nargs="+", metavar="LABEL", help="the labels")
    group.add_argument(
        "--template",
        help="the question: for a masked language model with {text} and {mask}, for a model of "
        "entailment with {label}",
    )
    how = group.add_mutually_exclusive_group()
    for where, name, what in (
        (how, "--multi-label", "ask for each label by itself"),
        (how, "--letters", "let the model answer with A, B, C ..."),
        (group, "--calibrate", "divide by the answer to an empty text"),
    ):
        where.add_argument(name, action="store_true", help=what)


def main(options: argparse.Namespace) -> int:
    """Print or write the labels of each text."""
    target = target_of(options)
    switches = (options.multi_label, options.calibrate, options.letters)
    is_zero_shot = options.labels or options.template is not None or any(switches)
    if is_zero_shot and (options.pair is not None or options.tabs):
        raise InputError(
            "labels that the model was not trained on are for texts without a pair; leave out "
            "--labels and what goes with it, or --pair and --tabs"
        )
    if options.model is None:
        options.model = SMALL_MODERNBERT if is_zero_shot else PACKAGE_CLASSIFIER
    texts = read_texts(options.texts, options.file)
    parts = _asked(options, texts) if is_zero_shot else _trained(options, texts)
    return write(options, target, (_part(*part) for part in parts))


def _trained(options: argparse.Namespace, texts: Iterable[str]) -> Found:
    model = load_model(options, "text-classification")
    return model.classify_parts(
        *_paired(options, texts),
        top_k=options.top_k,
        batch_size=options.batch_size,
        truncation=options.truncation,
        show_progress=options.progress,
    )


def _paired(
    options: argparse.Namespace, texts: Iterable[str]
) -> tuple[Iterable[str], Iterable[str] | None]:
    """The texts and what stands beside them, read in step."""
    if options.pair is None and not options.tabs:
        return texts, None
    if options.tabs:
        both = (_halves(text, number) for number, text in enumerate(texts, 1))
    else:
        both = ([text, options.pair] for text in texts)
    first, second = itertools.tee(both)
    return (text for text, _ in first), (pair for _, pair in second)


def _halves(text: str, number: int) -> list[str]:
    halves = text.split("\t")
    if len(halves) != 2:
        raise InputError(
            f"text {number} has {len(halves) - 1} tabs; with --tabs it has one, between the "
            "two texts of a pair"
        )
    return halves


def _asked(options: argparse.Namespace, texts: Iterable[str]) -> Found:
    model = load_model(options, "zero-shot-classification")
    if options.labels is None and model.pipeline_keys.get("label_candidates") is None:
        raise InputError(
            "there are no labels to choose from: name some with --labels, or with --model a "
            "model whose config.json has label_candidates"
        )
    parts = model.classify_parts(
        texts,
        options.labels,
        options.template,
        options.multi_label,
        top_k=options.top_k,
        calibrate=options.calibrate,
        letters=options.letters,
        batch_size=options.batch_size,
        truncation=options.truncation,
    )
    for window, found in with_bar(parts, texts, options.progress):
        yield [(text,) for text in window], found


def _part(texts: list[tuple[str, ...]], found: list[Classification]) -> Part:
    names = ("text", "pair")
    records = (
        dict(zip(names, both, strict=False)) | one.to_dict()
        for both, one in zip(texts, found, strict=True)
    )
    return Part(records, _lines(texts, found))


def _lines(texts: list[tuple[str, ...]], found: list[Classification]) -> Iterator[str]:
    for both, one in zip(texts, found, strict=True):
        mass = "" if one.mass is None else f"  (mass {one.mass:.3g})"
        yield "\t".join(both) + mass
        for label, probability in zip(one.labels, one.probabilities, strict=True):
            yield f"  {probability: .4f}  {label}"
