"""An embedding model for search: the first lines of docstrings learn to find their bodies."""

from __future__ import annotations

import json
import tempfile
import warnings
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import reference
from reference import corpus, evaluation
from reference.checkpoint import EMBEDDED_MODEL, read_checkpoint, write_checkpoint
from reference.errors import InputError
from reference.evaluation.docstrings import repeats, select
from reference.evaluation.reading import pairs_to_retrieval
from reference.evaluation.retrieval import Retrieval
from reference.files import is_file
from reference.text import TOKENIZER_FILES
from reference.training.fine_tuning import is_alike, runs_of
from reference.training.fitting import fit
from reference.training.masked_lm import is_held_out
from reference.training.recipe import Search
from reference.training.run import RECIPE_FILE

MEASURES = ("recall@1", "recall@10", "MRR@10", "nDCG@10")
ALL, NEWS = "", ", without near copies"  # what is added to a name, of all questions and of some
MODULES = ("modules.json", "1_Pooling/config.json")  # what `fit` makes of a base without any
Pairs = list[tuple[str, str]]  # first line and body


def make(
    folder: str | Path,
    recipe: Search,
    report: Callable[[str], None],
    given: Iterable[corpus.Docstring] | None = None,
    backend: str = "torch",
    device: str | None = None,
    checkpoint_steps: int = 500,
    resume: bool = False,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Train with `fit`, and write the checkpoint with its recipe and scores, which are
    returned. `given` are docstrings instead of those of installed packages."""
    docstrings = list(corpus.docstrings() if given is None else given)
    training, held_out = split(docstrings, recipe)
    scored = round(recipe.validation_split * len(training))
    if scored < 2 or not held_out:  # of a single pair there is nothing to choose from
        raise InputError(
            f"there are {len(training)} pairs to train on, {scored} of which score the epochs, "
            f"and {len(held_out)} are held out; 2 to score and 1 held out are the least"
        )
    report(f"{len(training)} pairs to train on, {len(held_out)} held out")
    fit(
        training,
        folder,
        objective="contrastive",
        model=recipe.base,
        backend=backend,
        device=device,
        resume=resume,
        show_progress=show_progress,
        checkpoint_steps=checkpoint_steps,
        **recipe.settings,
    )
    return finish(folder, recipe, training, held_out)


def split(docstrings: Sequence[corpus.Docstring], recipe: Search) -> tuple[Pairs, Pairs]:
    """Pairs to train on, and those of the modules that the base model has not seen either,
    which are what `reference evaluate` asks about. A body that repeats its first line teaches
    nothing."""
    own: dict[str, Pairs] = defaultdict(list)
    seen = set()
    for docstring in docstrings:
        pair = docstring.summary, docstring.body
        if all(pair) and not is_held_out(docstring.module) and pair not in seen:
            seen.add(pair)
            if not repeats(*pair):
                own[docstring.package].append(pair)
    if recipe.texts is not None:
        by_chance = lambda pair: zlib.crc32(repr(pair).encode())
        own = {name: sorted(some, key=by_chance)[: recipe.texts] for name, some in own.items()}
    held_out, _ = select(docstrings, is_held_out)
    return [pair for pairs in own.values() for pair in pairs], held_out


def finish(
    folder: str | Path, recipe: Search, training: Pairs, held_out: Pairs
) -> dict[str, Any]:
    """Write what `fit` has written again in half the space, with scores beside it: eleven bits
    of each number are kept, and computed with in float32. What is scored is what is written."""
    folder = Path(folder)
    trained = read_checkpoint(folder)
    run = json.loads((folder / RECIPE_FILE).read_text())
    beside = {
        name: (folder / name).read_bytes()
        for name in (*TOKENIZER_FILES, *MODULES)
        if is_file(folder / name)
    }
    write = partial(
        write_checkpoint,
        config=trained.config,
        tensors=trained.tensors,
        dtype="float16",
        more={"dtype": "float32"},
    )
    data = pairs_to_retrieval(held_out)
    near = near_copies(training, data)
    with tempfile.TemporaryDirectory() as draft:
        write(draft, beside=beside)
        scores = scores_of(reference.load(draft), recipe, data, near)
    facts = {
        "recipe": asdict(recipe),
        "text": {
            "pairs": len(training),
            "questions": len(data.queries),
            "documents": len(data.documents),
            "near_copies": len(near),
        },
        "scores": scores,
        "run": {name: run[name] for name in ("backend", "steps", "best_step", "scores")},
        "losses": run["losses"],
    }
    beside[RECIPE_FILE] = (json.dumps(facts, indent=2) + "\n").encode()
    write(folder, beside=beside)
    return facts


def near_copies(training: Pairs, data: Retrieval) -> set[int]:
    """The documents much of which stands in bodies that are trained on. The exact copies are
    gone; but modules of one package say much in almost the same words."""
    known = {words for _, body in training for words in runs_of(body)}
    return {n for n, text in enumerate(data.documents.values()) if is_alike(text, known)}


def scores_of(
    model: Any, recipe: Search, data: Retrieval, near: set[int]
) -> dict[str, dict[str, float]]:
    """The model, the one that it was made of, words alone, and MiniLM, on all questions. Then
    the same without the questions whose answer is much like what was trained on, `near`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the base was not made for this
        before = reference.load(recipe.base, pipeline="embeddings")
    contestants = {
        "model": model,
        "before": before,
        "BM25": evaluation.BM25(),
        "MiniLM": reference.load(EMBEDDED_MODEL),
    }
    questions, documents = list(data.queries.values()), list(data.documents.values())
    is_news = np.array([near.isdisjoint(judged) for judged in data.judged])
    found: dict[str, dict[str, float]] = {}
    for name, contestant in contestants.items():
        ranking = evaluation.contestant_of(contestant).rank(questions, documents, 100)
        each = data.each(ranking)
        for form, chosen in ((ALL, np.ones_like(is_news)), (NEWS, is_news)):
            if chosen.any():
                found[name + form] = {key: float(each[key][chosen].mean()) for key in MEASURES}
    return {
        name + form: found[name + form]
        for form in (ALL, NEWS)
        for name in contestants
        if name + form in found
    }
