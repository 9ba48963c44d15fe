"""Tokenizers of one's own: pieces of words, learned from the text that a model will be trained
on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from reference.errors import InputError, warn
from reference.folders import check_new_folder, write_together
from reference.text import Tokenizer, read_tokenizer
from reference.training.tokenizer import hugging_face, sentence_piece
from reference.training.tokenizer.options import KINDS, Options
from reference.training.tokenizer.running import run_apart
from reference.training.tokenizer.sources import training_texts
from reference.training.tokenizer.words import WordCounts

__all__ = ["KINDS", "Options", "tokenizer_files", "train_tokenizer"]


def train_tokenizer(
    texts: Any,
    folder: str | os.PathLike[str],
    *,
    kind: str = Options.kind,
    vocab_size: int = Options.vocab_size,
    coverage: float = Options.coverage,
    lower_case: bool = Options.lower_case,
    max_length: int | None = Options.max_length,
    word_budget: int = Options.word_budget,
    column: str = "text",
    show_progress: bool = False,
) -> Tokenizer:
    """Learn a tokenizer from text, write it into a new folder, and open it from there.

    texts: the name of a file with a sentence a line, or a list of Paths of some; a list or an
        iterator of strings; or a Hugging Face dataset, whose `column` holds the texts.
    kind: "unigram" or "bpe", which are SentencePiece models and write tokenizer.model and
        tokenizer.vocab; "wordpiece" or "byte-bpe", which write a tokenizer.json that
        Transformers opens too.
    vocab_size: how many pieces it has; an error where the text has fewer.
    coverage: the share of all characters that become pieces of their own; the rarest are
        unknown. byte-bpe has no need of it: every byte is a piece.
    lower_case: whether capitals and small letters are the same.
    max_length: how many tokens of a text are kept, special ones included, where the model does
        not say; None is no limit.
    word_budget: how many bytes the different words of the text may have together, in UTF-8; the
        default is what 1 GB of memory is enough for. Beyond it the rarest words are left out,
        and a warning says so. Words that a script does not divide are cut after 512
        characters. unigram learns from running text of eight times the budget at most: in a
        longer one all words count less, alike.

    Every line is read: what is learned depends on how often each word comes, and on nothing
    else. The same texts and options give the same bytes. SentencePiece's kinds normalise a text
    with its rule nmt_nfkc (nmt_nfkc_cf for lower_case) and do without its byte fallback;
    wordpiece splits as BERT does; byte-bpe normalises to NFC.
    """
    options = Options(kind, vocab_size, coverage, lower_case, max_length, word_budget)
    check_new_folder(folder, "tokenizer")
    write_together(Path(folder), tokenizer_files(texts, options, column, show_progress))
    return read_tokenizer(Path(folder))


def tokenizer_files(
    texts: Any, options: Options, column: str = "text", show_progress: bool = False
) -> dict[str, bytes]:
    """The files of such a folder, by name."""
    from tqdm.auto import tqdm

    words = WordCounts(options.word_budget, with_spaces=options.kind == "byte-bpe")
    quiet = {"disable": not show_progress, "file": sys.stderr}
    with tqdm(desc="reading", unit=" texts", **quiet) as bar:
        for number in words.add(training_texts(texts, column)):
            bar.update(number)
    found = words.most_frequent()
    if not found:
        raise InputError("there are no texts to learn from: all that was given is empty")
    if words.left_out:
        warn(
            f"the different words of these texts have more than {options.word_budget} "
            f"bytes; the rarest are left out, which make up {words.left_out:.1%} of the "
            "text. A larger word_budget takes more memory"
        )
    room = hugging_face if options.kind in ("wordpiece", "byte-bpe") else sentence_piece
    named = f"training {options.kind}"
    with tqdm(desc=named, bar_format="{desc}: {elapsed}", **quiet) as bar:
        return run_apart(lambda: room.train(found, options), bar.refresh)
