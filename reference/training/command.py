"""python -m reference train: a small masked language model from the text of this machine."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from reference import corpus
from reference.backend import build
from reference.checkpoint import write_checkpoint
from reference.checks import check_whole
from reference.errors import InputError
from reference.training.recipe import Recipe
from reference.training.tokenizer import MASK, tokenizer_files, train_tokenizer

RECIPE_FILE = "recipe.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m reference train`."""
    standard = Recipe()
    parser.description = (
        "Train a small ModernBERT to fill in masked words, with a tokenizer of its own, and "
        "say how it does on text that was held out, beside guessing by frequency and by the "
        "word before. About an hour on two cores."
    )
    parser.add_argument("folder", help="where the checkpoint goes")
    parser.add_argument(
        "--corpus",
        metavar="FILE",
        help="train on this text, one sentence a line, instead of installed docstrings",
    )
    heads = standard.num_attention_heads
    for option, value, what in [
        ("--epochs", standard.epochs, "how often the text is read"),
        ("--vocab-size", standard.vocab_size, "how many pieces the tokenizer knows at most"),
        ("--hidden-size", standard.hidden_size, f"a multiple of {2 * heads}"),
        ("--layers", standard.num_hidden_layers, "how many there are"),
        ("--seed", standard.seed, "for the first weights, the order of the text and the masks"),
    ]:
        parser.add_argument(
            option, type=int, default=value, metavar="N", help=f"{what}; default {value}"
        )


def main(options: argparse.Namespace) -> int:
    """Train, evaluate, write the checkpoint, and print the scores."""
    # Heads of one size each, and an even one, for rotation turns pairs.
    step = 2 * Recipe().num_attention_heads
    hidden_size = check_whole("--hidden-size", options.hidden_size, 1)
    if hidden_size % step:
        raise InputError(f"--hidden-size is {hidden_size}; it must be a multiple of {step}")
    recipe = replace(
        Recipe(),
        epochs=check_whole("--epochs", options.epochs, 1),
        vocab_size=check_whole("--vocab-size", options.vocab_size, 300),
        hidden_size=hidden_size,
        intermediate_size=3 * hidden_size // 2,
        num_hidden_layers=check_whole("--layers", options.layers, 1),
        seed=check_whole("--seed", options.seed, 0),
    )
    check_new_folder(options.folder)
    if options.corpus is None:
        texts: Iterable[tuple[str, str]] = corpus.texts()
    else:
        texts = [(line, line) for line in corpus.read_lines(options.corpus)]
    scores = make(options.folder, texts, recipe, lambda line: print(line, flush=True))["scores"]
    for name, score in scores.items():
        print(
            f"{name:<10} loss {score['loss']:.3f}   accuracy {score['accuracy']:.3f}   of "
            f"{score['words']} hidden words"
        )
    return 0


def check_new_folder(folder: str) -> None:
    """Refuse a folder that could not be written, or that holds something already, before the
    hour and not after it."""
    path = Path(folder)
    if not folder or path.is_file():
        raise InputError(f"{folder!r:.80} is no folder to write a checkpoint to")
    if path.is_dir() and any(path.iterdir()):
        raise InputError(f"{folder!r:.80} is not empty; name a new folder for the checkpoint")
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(
            f"{folder!r:.80} cannot be made: {str(there)!r:.80} is no folder that can be "
            "written to"
        )


def make(
    folder: str | Path,
    texts: Iterable[tuple[str, str]],
    recipe: Recipe,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Train on (group, text) pairs and write the checkpoint with its recipe and scores, which
    are returned."""
    from reference.training.baselines import Bigram, Unigram, count
    from reference.training.masked_lm import (
        Progress,
        cut,
        evaluate,
        evaluate_baseline,
        questions,
        split,
        train,
    )

    training, held_out = split(texts)
    if not training or not held_out:
        raise InputError(
            f"there are {len(training) + len(held_out)} texts, of which {len(held_out)} were "
            "held out for evaluation: too few; a hundred is the least that makes sense"
        )
    tokenizer = train_tokenizer(training, recipe.vocab_size)
    rows, held_rows = (cut(tokenizer, part, recipe.max_tokens) for part in (training, held_out))
    config, mask_id = recipe.config(tokenizer), tokenizer.token_to_id(MASK)
    if next(questions(held_rows, config, mask_id, recipe), None) is None:
        raise InputError(
            "the texts held out for evaluation are too short to hide a word of them; give more "
            "text"
        )
    counts = count(rows, config.vocab_size)
    report(
        f"{len(training)} texts, {int(counts.single.sum())} pieces; {len(held_out)} texts held "
        "out"
    )

    curve: list[Progress] = []

    def keep(progress: Progress) -> None:
        curve.append(progress)
        report(str(progress))

    tensors = train(rows, config, mask_id, recipe, keep)
    model = build("torch", config, "ModernBertForMaskedLM", tensors)
    scores = {
        "model": evaluate(model, held_rows, config, mask_id, recipe),
        "bigram": evaluate_baseline(Bigram(counts), held_rows, config, mask_id, recipe),
        "unigram": evaluate_baseline(Unigram(counts), held_rows, config, mask_id, recipe),
    }
    facts = {
        "recipe": asdict(recipe),
        "text": {
            "texts": len(training),
            "pieces": int(counts.single.sum()),
            "held_out_texts": len(held_out),
        },
        "scores": {name: asdict(score) for name, score in scores.items()},
        "losses": [[progress.step, round(progress.loss, 4)] for progress in curve],
    }
    beside = tokenizer_files(tokenizer, config.max_position_embeddings)
    beside[RECIPE_FILE] = (json.dumps(facts, indent=2) + "\n").encode()
    write_checkpoint(folder, config, tensors, beside)
    return facts
