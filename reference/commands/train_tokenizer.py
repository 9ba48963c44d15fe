"""python -m reference train-tokenizer."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reference.arguments import explain
from reference.errors import InputError
from reference.training.tokenizer import KINDS, Options, train_tokenizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Learn a tokenizer from text and write it into a new folder. Every line is read: what "
        "is learned depends on how often each word comes. unigram and bpe are SentencePiece "
        "models, of text that is normalised by its rule nmt_nfkc, without byte fallback; "
        "wordpiece and byte-bpe are those that Transformers opens.",
        "python -m reference train-tokenizer --input sentences.txt --output my-tokenizer",
        "python -m reference train-tokenizer --input a.txt b.txt --output my-tokenizer "
        "--kind bpe --vocab-size 8000",
    )
    parser.add_argument(
        "--input",
        nargs="+",
        required=True,
        metavar="FILE",
        help="text to learn from, one sentence a line (- is standard input)",
    )
    parser.add_argument(
        "--output", required=True, metavar="FOLDER", help="where the tokenizer goes; a new one"
    )
    parser.add_argument(
        "--kind", choices=KINDS, default=Options.kind, help="default %(default)s"
    )
    numbers = [
        ("--vocab-size", Options.vocab_size, "how many pieces there are; default %(default)s"),
        ("--max-length", None, "how many tokens of a text are kept; default no limit"),
        (
            "--word-budget",
            Options.word_budget,
            "how many bytes the different words of the text may have together; the rarest "
            "words beyond it are left out, and unigram learns from eight times as much running "
            "text at most: of a longer one all counts are made smaller alike. 1 GB of memory "
            "is enough for the default, %(default)s",
        ),
    ]
    for option, default, what in numbers:
        parser.add_argument(option, type=int, default=default, metavar="N", help=what)
    parser.add_argument(
        "--coverage",
        type=float,
        default=Options.coverage,
        metavar="SHARE",
        help="the share of all characters that become pieces of their own; the rarest are "
        "unknown (not with byte-bpe, which knows every byte); default %(default)s",
    )
    parser.add_argument(
        "--lower-case", action="store_true", help="take capitals for small letters"
    )


def main(options: argparse.Namespace) -> int:
    """Train, write the folder, and say what is in it."""
    if "" in options.input:
        raise InputError("--input is empty; name a file, or - for standard input")
    if options.input.count("-") > 1:
        raise InputError("--input names standard input twice, which can be read once")
    tokenizer = train_tokenizer(
        [Path(file) for file in options.input],
        options.output,
        kind=options.kind,
        vocab_size=options.vocab_size,
        coverage=options.coverage,
        lower_case=options.lower_case,
        max_length=options.max_length,
        word_budget=options.word_budget,
        show_progress=sys.stderr.isatty(),
    )
    print(f"{options.output}: {tokenizer.vocab_size} pieces of the kind {options.kind}")
    return 0
