"""Training a head, and the small ModernBERT under it, on labels that docstrings bring along."""

from __future__ import annotations

import importlib
import json
import re
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import reference
from reference.backend import learner
from reference.checkpoint import (
    Checkpoint,
    locate,
    read_checkpoint,
    write_checkpoint,
)
from reference.errors import InputError
from reference.families import architecture_named
from reference.families.config import EncoderConfig
from reference.families.initial import initial_tensors
from reference.files import is_file
from reference.learning import Example
from reference.text import TOKENIZER_FILES, read_tokenizer
from reference.training.checkpoints import Checkpoints, fingerprint
from reference.training.loop import Progress, Step, fit, groups
from reference.training.masked_lm import is_held_out
from reference.training.recipe import FineTuning

ALIKE = 0.5  # a text with this share of its runs of words in the training text is no news
_RUN = 5  # words
_WORD = re.compile(r"\w+")
Texts = tuple[list[str], list[Any]]  # and what is known of each


def make(
    folder: str | Path,
    recipe: FineTuning,
    report: Callable[[str], None],
    given: Iterable[tuple[str, str, Any]] | None = None,
    backend: str = "torch",
    device: str | None = None,
    checkpoint_steps: int = 500,
) -> dict[str, Any]:
    """Train, and write the checkpoint with its recipe and scores, which are returned. `given`
    are modules, texts and labels instead of those of installed packages. A run that was ended
    is gone on with, from one of the checkpoints that are made every so many steps."""
    room = importlib.import_module(f"reference.training.{recipe.task}")
    training, held_out, dropped = split(room.read() if given is None else given, recipe)
    if not training[0] or not held_out[0]:
        raise InputError(
            f"there are {len(training[0])} texts to train on and {len(held_out[0])} held out; "
            "both are needed"
        )
    report(
        f"{len(training[0])} texts; {len(held_out[0])} held out, without {dropped} that are "
        "much like one of those"
    )
    curve: list[Progress] = []

    def keep(progress: Progress) -> None:
        curve.append(progress)
        report(str(progress))

    base = read_checkpoint(locate(recipe.base))
    architecture = architecture_named(room.ARCHITECTURE)
    labels = dict(enumerate(room.LABELS))
    config = architecture.family.config_of(
        base.config, architecture, id2label=labels, **room.SETTINGS
    )
    where = (backend, device)
    of_run = {"recipe": asdict(recipe), "texts": fingerprint(training[0]), "backend": backend}
    checkpoints = Checkpoints(Path(folder), of_run, checkpoint_steps)
    tensors = train(base, config, room, training, recipe, keep, *where, checkpoints)
    beside = {
        name: (base.folder / name).read_bytes()
        for name in TOKENIZER_FILES
        if is_file(base.folder / name)
    }
    write = partial(_write, config=config, tensors=tensors)
    with tempfile.TemporaryDirectory() as draft:  # what is scored is what is written
        write(draft, beside=beside)
        scores = room.scores(reference.load(draft), training, held_out)
    facts = {
        "recipe": asdict(recipe),
        "text": {
            "texts": len(training[0]),
            "held_out_texts": len(held_out[0]),
            "held_out_dropped": dropped,
        },
        "scores": scores,
        "losses": [[progress.step, round(progress.loss, 4)] for progress in curve],
    }
    beside["recipe.json"] = (json.dumps(facts, indent=2) + "\n").encode()
    write(folder, beside=beside)
    checkpoints.remove()
    return facts


def split(
    labelled: Iterable[tuple[str, str, Any]], recipe: FineTuning
) -> tuple[Texts, Texts, int]:
    """Texts to train on, at most so many of each package; texts held out, those of the modules
    that the base model has not seen either; and how many were left out of these because they
    are much like one that is trained on."""
    rows: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    held_out = []
    for module, text, label in labelled:
        if is_held_out(module):
            held_out.append((text, label))
        else:
            rows[module.partition(".")[0]].append((text, label))
    by_chance = lambda row: zlib.crc32(row[0].encode())
    training = [
        row for own in rows.values() for row in sorted(own, key=by_chance)[: recipe.texts]
    ]
    known = {run for text, _ in training for run in runs_of(text)}
    new = [row for row in held_out if not is_alike(row[0], known)]
    return _columns(training), _columns(new), len(held_out) - len(new)


def _columns(rows: list[tuple[str, Any]]) -> Texts:
    return [text for text, _ in rows], [label for _, label in rows]


def runs_of(text: str) -> set[int]:
    words = _WORD.findall(text.lower())
    return {hash(tuple(words[n : n + _RUN])) for n in range(max(1, len(words) - _RUN + 1))}


def is_alike(text: str, known: set[int]) -> bool:
    runs = runs_of(text)
    return len(runs & known) >= ALIKE * len(runs)


def train(
    base: Checkpoint,
    config: EncoderConfig,
    room: Any,
    training: Texts,
    recipe: FineTuning,
    report: Callable[[Progress], None],
    backend: str = "torch",
    device: str | None = None,
    checkpoints: Checkpoints | None = None,
) -> dict[str, np.ndarray]:
    """The tensors of the base model with a head, after `recipe.epochs` passes over the
    texts."""
    architecture = architecture_named(room.ARCHITECTURE)
    first = initial_tensors(config, architecture, recipe.seed)
    saved = None if checkpoints is None else checkpoints.latest()
    tensors = {key: base.tensors.get(key, value) for key, value in first.items()}
    tensors = tensors if saved is None else saved.tensors
    subject = learner(backend, config, architecture, tensors, recipe.adamw, device=device)
    tokenizer = read_tokenizer(base.folder, config)
    ids, labels = room.rows(tokenizer, *training, recipe.max_tokens)
    lengths = [len(row) for row in ids]

    def example(places: list[int]) -> Example:
        inputs, targets = room.batch(
            [ids[p] for p in places], [labels[p] for p in places], config.pad_token_id
        )
        return Example(inputs, targets)

    plan = [
        Step([partial(example, places)])
        for epoch in range(recipe.epochs)
        for places in groups(
            lengths, recipe.batch_tokens, np.random.default_rng([recipe.seed, epoch])
        )
    ]
    options = {"checkpoints": checkpoints, "saved": saved, "seed": recipe.seed}
    return fit(subject, plan, recipe.schedule, recipe.max_norm, report, **options).tensors


def _write(
    folder: str | Path,
    config: EncoderConfig,
    tensors: dict[str, np.ndarray],
    beside: dict[str, bytes],
) -> None:
    """In half the space: eleven bits of each number are kept, and computed with in float32."""
    write_checkpoint(folder, config, tensors, beside, "float16", {"dtype": "float32"})
