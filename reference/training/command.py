"""The recipes of the models that come with the package: small ones, from the text of this
machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from reference import corpus, ranks
from reference.backend import build
from reference.checkpoint import write_checkpoint
from reference.checks import check_whole
from reference.errors import InputError
from reference.folders import check_new_folder
from reference.training.checkpoints import FOLDER, Checkpoints, fingerprint
from reference.training.recipe import RECIPES, Declarations, Recipe, Search, Typos
from reference.training.tokenizer import Options, tokenizer_files
from reference.training.tokenizer.hugging_face import MASK

RECIPE_FILE = "recipe.json"


MASKED_LM = "masked-lm"
OF_MASKED_LM = ("corpus", "vocab_size", "hidden_size", "layers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a recipe, besides those that every training has."""
    standard = Recipe()
    parser.add_argument("folder", nargs="?", help="a new folder, where the checkpoint goes")
    parser.add_argument(
        "--task",
        choices=[MASKED_LM, *RECIPES],
        help="which recipe: what the model learns to do; default masked-lm",
    )
    heads, own = standard.num_attention_heads, f"{MASKED_LM} only: "
    texts = ", ".join(f"{recipe.texts or 'all'} for {task}" for task, recipe in RECIPES.items())
    for option, value, what in [
        ("--texts", texts, "other tasks only: how many of each package at most"),
        ("--vocab-size", standard.vocab_size, f"{own}how many pieces the tokenizer knows"),
        ("--hidden-size", standard.hidden_size, f"{own}a multiple of {2 * heads}"),
        ("--layers", standard.num_hidden_layers, f"{own}how many there are"),
    ]:
        parser.add_argument(option, type=int, metavar="N", help=f"{what}; default {value}")


def main(options: argparse.Namespace) -> int:
    """Train, evaluate, write the checkpoint, and print the scores."""
    ranks.check_alone("a recipe is trained", "")
    if options.task != MASKED_LM:
        return _fine_tune(options)
    if options.texts is not None:
        raise InputError(f"--texts goes with --task {' or '.join(RECIPES)}")
    recipe = _masked_lm_recipe(options)
    check_folder(options)
    if options.corpus is None:
        texts: Iterable[tuple[str, str]] = corpus.texts()
    else:
        texts = [(line, line) for line in corpus.read_lines(options.corpus)]
    where = (options.backend, options.device, options.checkpoint_steps)
    scores = make(options.folder, texts, recipe, _say, *where)["scores"]
    for name, score in scores.items():
        print(
            f"{name:<10} loss {score['loss']:.3f}   accuracy {score['accuracy']:.3f}   of "
            f"{score['words']} hidden words"
        )
    return 0


def _masked_lm_recipe(options: argparse.Namespace) -> Recipe:
    recipe = replace(Recipe(), **_given(options, epochs=1, vocab_size=300, seed=0))
    if options.layers is not None:
        layers = check_whole("--layers", options.layers, 1)
        recipe = replace(recipe, num_hidden_layers=layers)
    if options.hidden_size is None:
        return recipe
    # Heads of one size each, and an even one, for rotation turns pairs.
    step = 2 * recipe.num_attention_heads
    hidden_size = check_whole("--hidden-size", options.hidden_size, 1)
    if hidden_size % step:
        raise InputError(f"--hidden-size is {hidden_size}; it must be a multiple of {step}")
    return replace(recipe, hidden_size=hidden_size, intermediate_size=3 * hidden_size // 2)


def _fine_tune(options: argparse.Namespace) -> int:
    for name in OF_MASKED_LM:
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')} goes with --task {MASKED_LM}; {options.task} "
                "reads installed docstrings, and its models have the sizes of its recipe"
            )
    recipe = replace(RECIPES[options.task], **_given(options, epochs=1, texts=1, seed=0))
    check_folder(options)
    where = {
        "backend": options.backend,
        "device": options.device,
        "checkpoint_steps": options.checkpoint_steps,
    }
    if isinstance(recipe, Search):
        return _search(options, recipe, where)
    if isinstance(recipe, Typos):
        return _typos(options, recipe, where)
    if isinstance(recipe, Declarations):
        return _declarations(options, recipe, where)
    from reference.training import fine_tuning

    scores = fine_tuning.make(options.folder, recipe, _say, **where)["scores"]
    for name, score in scores.items():
        spans = score.get("spans")
        print(
            f"{name:<26} accuracy {score['accuracy']:.3f}   macro F1 {score['macro_f1']:.3f}"
            + (f"   span F1 {spans['f1']:.3f}" if spans else "")
        )
    return 0


def _search(options: argparse.Namespace, recipe: Search, where: dict[str, Any]) -> int:
    from reference.training import search

    scores = search.make(
        options.folder, recipe, _say, **where, resume=options.resume, show_progress=True
    )["scores"]
    width = max(map(len, scores))
    for name, score in scores.items():
        print(name.ljust(width), *(f"  {key} {score[key]:.3f}" for key in search.MEASURES))
    return 0


def _typos(options: argparse.Namespace, recipe: Typos, where: dict[str, Any]) -> int:
    from reference.training import typos

    scores = typos.make(options.folder, recipe, _say, **where)["scores"]
    for kind, own in scores.items():
        print(kind.ljust(24), *(f"{rate:6.0%}" for rate in typos.RATES[kind]))
        for name, shares in own.items():
            print(name.ljust(24), *(f"{share:6.3f}" for share in shares))
    return 0


def _declarations(
    options: argparse.Namespace, recipe: Declarations, where: dict[str, Any]
) -> int:
    from reference.training import declarations

    scores = declarations.make(
        options.folder, recipe, _say, **where, resume=options.resume, show_progress=True
    )["scores"]
    for form, own in scores.items():
        for name, score in own.items():
            numbers = {key: value for key, value in score.items() if isinstance(value, float)}
            print(
                f"{form:<8} {name:<16}",
                *(f"  {key.replace('_', ' ')} {value:.3f}" for key, value in numbers.items()),
            )
    return 0


def check_folder(options: argparse.Namespace) -> None:
    """A new folder; or with --resume one that a run was ended in."""
    check_whole("--checkpoint-steps", options.checkpoint_steps, 1)
    unfinished = Path(options.folder) / FOLDER
    if options.resume:
        if not unfinished.is_dir():
            raise InputError(
                f"{options.folder!r:.80} holds no unfinished run; without --resume one begins"
            )
    elif unfinished.is_dir():
        raise InputError(
            f"{options.folder!r:.80} holds an unfinished run; --resume goes on with it"
        )
    else:
        check_new_folder(options.folder)


def _given(options: argparse.Namespace, **least: int) -> dict[str, int]:
    """Those of these options that were given, each a whole number of at least so much."""
    return {
        name: check_whole(f"--{name.replace('_', '-')}", value, low)
        for name, low in least.items()
        if (value := getattr(options, name)) is not None
    }


def _say(line: str) -> None:
    print(line, flush=True)


def make(
    folder: str | Path,
    texts: Iterable[tuple[str, str]],
    recipe: Recipe,
    report: Callable[[str], None],
    backend: str = "torch",
    device: str | None = None,
    checkpoint_steps: int = 500,
) -> dict[str, Any]:
    """Train on (group, text) pairs and write the checkpoint with its recipe and scores, which
    are returned. A run that was ended is gone on with, from one of the checkpoints that are
    made every so many steps."""
    from reference.training.baselines import Bigram, Unigram, count
    from reference.training.loop import Progress
    from reference.training.masked_lm import (
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
    # Small letters: a small model should not have to learn "Return" and "return" apart.
    pieces = Options("byte-bpe", recipe.vocab_size, lower_case=True, max_length=recipe.longest)
    beside = tokenizer_files(training, pieces)
    tokenizer = Tokenizer.from_str(beside["tokenizer.json"].decode())
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

    of_run = {"recipe": asdict(recipe), "texts": fingerprint(training), "backend": backend}
    checkpoints = Checkpoints(Path(folder), of_run, checkpoint_steps)
    tensors = train(rows, config, mask_id, recipe, keep, backend, device, checkpoints)
    model = build(backend, config, "ModernBertForMaskedLM", tensors, device=device)
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
    beside[RECIPE_FILE] = (json.dumps(facts, indent=2) + "\n").encode()
    write_checkpoint(folder, config, tensors, beside)
    checkpoints.remove()
    return facts
