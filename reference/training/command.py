"""python -m reference train: a small masked language model from the text of this machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from reference import corpus
from reference.checkpoint import write_checkpoint
from reference.errors import InputError
from reference.inputs import check_whole
from reference.training.recipe import Recipe
from reference.training.tokenizer import MASK, tokenizer_files, train_tokenizer

RECIPE_FILE = "recipe.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m reference train`."""
    standard = Recipe()
    parser.description = (
        "Train a small ModernBERT to fill in masked words, with a tokenizer of its own, and say how it does on text "
        "that was held out, beside guessing by frequency and by the word before. About an hour on two cores."
    )
    parser.add_argument("folder", help="where the checkpoint goes")
    parser.add_argument(
        "--corpus", metavar="FILE", help="train on this text, one sentence a line, instead of installed docstrings"
    )
    parser.add_argument("--epochs", type=int, default=standard.epochs, help=f"default {standard.epochs}")
    parser.add_argument("--vocab-size", type=int, default=standard.vocab_size, help=f"default {standard.vocab_size}")
    parser.add_argument("--hidden-size", type=int, default=standard.hidden_size, help=f"default {standard.hidden_size}")
    parser.add_argument("--layers", type=int, default=standard.num_hidden_layers, help="default 4")
    parser.add_argument("--seed", type=int, default=standard.seed, help=f"default {standard.seed}")


def main(options: argparse.Namespace) -> int:
    """Train, evaluate, write the checkpoint, and print the scores."""
    recipe = replace(
        Recipe(),
        epochs=check_whole("--epochs", options.epochs, 1),
        vocab_size=check_whole("--vocab-size", options.vocab_size, 300),
        hidden_size=check_whole("--hidden-size", options.hidden_size, 1),
        intermediate_size=3 * options.hidden_size // 2,
        num_hidden_layers=check_whole("--layers", options.layers, 1),
        seed=check_whole("--seed", options.seed, 0),
    )
    if not options.folder or Path(options.folder).is_file():
        raise InputError(f"{options.folder!r:.80} is no folder to write a checkpoint to")
    if options.corpus is None:
        texts: Iterable[tuple[str, str]] = corpus.texts()
    else:
        texts = [(line, line) for line in corpus.read_lines(options.corpus)]
    scores = make(options.folder, texts, recipe, lambda line: print(line, flush=True))["scores"]
    for name, score in scores.items():
        print(
            f"{name:<10} loss {score['loss']:.3f}   accuracy {score['accuracy']:.3f}   of {score['words']} hidden words"
        )
    return 0


def make(
    folder: str | Path, texts: Iterable[tuple[str, str]], recipe: Recipe, report: Callable[[str], None]
) -> dict[str, Any]:
    """Train on (group, text) pairs and write the checkpoint with its recipe and scores, which are returned."""
    from reference.training.baselines import Bigram, Unigram, count
    from reference.training.masked_lm import (
        QUESTIONS,
        cut,
        evaluate,
        evaluate_baseline,
        masked_batches,
        split,
        train,
    )

    training, held_out = split(texts)
    if not training or not held_out:
        raise InputError(
            f"there are {len(training) + len(held_out)} texts, of which {len(held_out)} were held out for evaluation: "
            "too few; a hundred is the least that makes sense"
        )
    tokenizer = train_tokenizer(training, recipe.vocab_size)
    rows, held_rows = (cut(tokenizer, part, recipe.max_tokens) for part in (training, held_out))
    config, mask_id = recipe.config(tokenizer), tokenizer.token_to_id(MASK)
    if next(masked_batches(held_rows, recipe, config, mask_id, 0, **QUESTIONS), None) is None:
        raise InputError("the texts held out for evaluation are too short to hide a word of them; give more text")
    counts = count(rows, config.vocab_size)
    report(f"{len(training)} texts, {int(counts.single.sum())} pieces; {len(held_out)} texts held out")

    tensors = train(rows, config, mask_id, recipe, report)
    scores = {
        "model": evaluate(held_rows, config, tensors, mask_id, recipe),
        "bigram": evaluate_baseline(held_rows, config, Bigram(counts), mask_id, recipe),
        "unigram": evaluate_baseline(held_rows, config, Unigram(counts), mask_id, recipe),
    }
    facts = {
        "recipe": asdict(recipe),
        "text": {"texts": len(training), "pieces": int(counts.single.sum()), "held_out_texts": len(held_out)},
        "scores": {name: asdict(score) for name, score in scores.items()},
    }
    beside = tokenizer_files(tokenizer, config.max_position_embeddings)
    beside[RECIPE_FILE] = (json.dumps(facts, indent=2) + "\n").encode()
    write_checkpoint(folder, config, tensors, beside)
    return facts
