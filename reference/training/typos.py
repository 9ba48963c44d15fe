"""Which package a text is from, when it is full of typing errors: a model of characters, one of
pieces of words that is as large, and words without their order, each trained on clean texts and
again on these and mistyped ones."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import reference
from reference import annotated, corpus
from reference.char_encoder import (
    CCLMModelBase,
    ComposedModel,
    MaskedLanguagePretrainer,
    MLMPreprocessor,
    TaggingPretrainer,
)
from reference.checkpoint import read_checkpoint, write_checkpoint
from reference.errors import CheckpointError, InputError
from reference.files import is_file, read_json
from reference.text import TOKENIZER_FILES
from reference.training import packages
from reference.training.characters.augmentation import Augmentation
from reference.training.checkpoints import FOLDER, fingerprint
from reference.training.fine_tuning import split
from reference.training.fitting import fit
from reference.training.masked_lm import is_held_out
from reference.training.recipe import Typos
from reference.training.run import RECIPE_FILE
from reference.training.scores import label_scores
from reference.training.tokenizer import train_tokenizer

CHARACTERS, PIECES, WORDS = "characters", "pieces", "words"
CLEAN, MISTYPED = "clean", "mistyped"  # what was learned from
RATES = {"slips": (0.0, 0.02, 0.05, 0.1, 0.2, 0.3), "misspellings": (0.0, 0.25, 0.5, 0.75, 1.0)}
Labelled = tuple[list[str], list[str]]  # texts, and the packages that they are from
Guess = Callable[[list[str]], list[str]]


def slips(rate: float) -> Augmentation:
    """That share of letters mistyped: swapped, left out, doubled or replaced by a neighbour on
    the keyboard, each as often."""
    return Augmentation(swap=rate / 4, drop=rate / 4, double=rate / 4, neighbour=rate / 4)


def misspellings(rate: float) -> Augmentation:
    """That share of the words that people are known to misspell, written as they do."""
    return Augmentation(misspelling=rate)


KINDS = {"slips": slips, "misspellings": misspellings}


def mistyped(texts: Sequence[str], how: Augmentation, seed: int) -> list[str]:
    """The same texts, each with errors of its own."""
    return [
        how(text, np.random.default_rng([seed, zlib.crc32(text.encode())])).text
        for text in texts
    ]


def make(
    folder: str | Path,
    recipe: Typos,
    report: Callable[[str], None],
    given: Iterable[tuple[str, str]] | None = None,
    tagged: Iterable[tuple[str, annotated.Parameters]] | None = None,
    **how: Any,
) -> dict[str, Any]:
    """Train all of them, score them, and write the model of characters that has seen mistyped
    texts, with the recipe and the scores, which are returned. A run that was ended is gone on
    with.

    given, tagged: modules and texts instead of those of installed packages, and the lists of
        parameters in them.
    how: `backend`, `device` and `checkpoint_steps`.
    """
    for kind, rates in RATES.items():
        KINDS[kind](rates[-1])  # a missing codespell is told now, and not when all is trained
    texts = list(corpus.texts() if given is None else given)
    labelled = annotated.packages_of(texts)
    training, held_out, _ = split(
        ((module, beginning(text, recipe), package) for module, text, package in labelled),
        recipe,
    )
    if len(training[0]) < 10 or not held_out[0]:
        raise InputError(
            f"there are {len(training[0])} texts to train on and {len(held_out[0])} held out; "
            "10 and 1 are the least"
        )
    own = [beginning(text, recipe) for module, text in texts if not is_held_out(module)]
    spans = [
        within(parameters.line, recipe)
        for module, parameters in (annotated.parameters() if tagged is None else tagged)
        if not is_held_out(module)
    ]
    learned, chosen_by = apart(training, recipe)
    report(f"{len(learned[0])} texts to learn from, {len(held_out[0])} held out")
    room = begun(Path(folder) / FOLDER, {"recipe": asdict(recipe), "texts": fingerprint(own)})
    guesses: dict[str, Guess] = {}
    trainers = {CHARACTERS: Characters, PIECES: Pieces}
    pretrained = {
        name: trainer(own, spans, recipe, room / name, how)
        for name, trainer in trainers.items()
    }
    for state in (CLEAN, MISTYPED):
        rows, judges = (with_slips(part, recipe, state) for part in (learned, chosen_by))
        guesses[f"{WORDS}, {state}"] = packages.BagOfWords(*rows).predict
        for name, trainer in pretrained.items():
            report(f"{name} learn from {state} texts")
            path = room / f"{name}-{state}"
            trainer.learn(rows, judges, path)
            guesses[f"{name}, {state}"] = trainer.guesser(path)
    # What is scored is what is written.
    trained, draft = room / f"{CHARACTERS}-{MISTYPED}", room / "draft"
    _write(draft, trained, {})
    guesses[f"{CHARACTERS}, {MISTYPED}"] = pretrained[CHARACTERS].guesser(draft)
    facts = {
        "recipe": asdict(recipe),
        "text": {
            "pretraining": len(own),
            "tagged": len(spans),
            "texts": len(learned[0]),
            "held_out_texts": len(held_out[0]),
        },
        "parameters": {name: size(room / f"{name}-{CLEAN}") for name in trainers},
        "scores": scores(guesses, held_out, recipe, report),
    }
    _write(folder, trained, facts)
    shutil.rmtree(room)
    return facts


def begun(room: Path, made_by: dict[str, Any]) -> Path:
    """The folder in which all that is trained lies until the end: a new one, or that of a run
    of the same things that was ended."""
    note = room / RECIPE_FILE
    if is_file(note):
        if (others := read_json(note, CheckpointError)) != made_by:
            differ = [key for key, own in made_by.items() if others.get(key) != own]
            raise InputError(
                f"{room} is of a run with other {' and '.join(differ)}; go on as it was begun, "
                f"or remove {room}"
            )
    else:
        room.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(made_by))
    return room


def beginning(text: str, recipe: Typos) -> str:
    """What all of them are given of a text."""
    return annotated.without_names(text)[: recipe.characters]


def within(text: annotated.Annotated, recipe: Typos) -> tuple[str, list[tuple[int, int, str]]]:
    """The beginning of a text with the spans that end in it."""
    kept = [span for span in text.spans if span[1] <= recipe.characters]
    return text.text[: recipe.characters], kept


def apart(training: Labelled, recipe: Typos) -> tuple[Labelled, Labelled]:
    """Texts to learn from, and those by which the best epoch is chosen."""
    order = np.random.default_rng(recipe.seed).permutation(len(training[0]))
    judges = round(recipe.chosen_by * len(order))
    return tuple(
        tuple([column[place] for place in places] for column in training)
        for places in (order[judges:], order[:judges])
    )


def with_slips(rows: Labelled, recipe: Typos, state: str) -> Labelled:
    """Each text twice, the second time with slips if that is what is to be learned from: so
    there are as many steps either way."""
    texts, names = rows
    again = mistyped(texts, slips(recipe.slips), recipe.seed) if state == MISTYPED else texts
    return [*texts, *again], [*names, *names]


class Trainer:
    """One that is trained in steps, each of which writes a folder. What an ended run has
    finished is not done again."""

    def __init__(
        self,
        texts: Sequence[str],
        spans: Sequence[Any],
        recipe: Typos,
        room: Path,
        how: Mapping[str, Any],
    ) -> None:
        self.recipe = recipe
        self.of_fit = {
            "batch_size": recipe.batch_size,
            "learning_rate": recipe.learning_rate,
            "seed": recipe.seed,
            "checkpoint_steps": how.get("checkpoint_steps", 500),
        }
        self.place = {name: how[name] for name in ("backend", "device") if name in how}
        room.mkdir(exist_ok=True)
        self.pretrain(texts, spans, room)

    def pretrain(self, texts: Sequence[str], spans: Sequence[Any], room: Path) -> None:
        """Learn what texts are like, before any task."""
        raise NotImplementedError

    def step(self, folder: Path, fit: Callable[..., Any], *data: Any, **settings: Any) -> Path:
        if not is_file(folder / "config.json"):
            begun = (folder / FOLDER).is_dir()
            fit(*data, output=folder, resume=begun, **self.of_fit, **settings)
        return folder

    def guesser(self, folder: Path) -> Guess:
        """The likeliest package of each text, says what was learned."""
        return partial(packages.best, reference.load(folder, **self.place))


class Characters(Trainer):
    """Two towers on one base: one learns to fill in hidden words, the other to find parameters
    and types."""

    def pretrain(self, texts: Sequence[str], spans: Sequence[Any], room: Path) -> None:
        recipe = self.recipe
        preprocessor = MLMPreprocessor(max_example_len=longest(recipe)).fit(texts)
        base = CCLMModelBase(preprocessor, seed=recipe.seed)
        sizes = {"n_conv_filters": recipe.n_conv_filters, "hidden_dim": recipe.hidden_dim}
        settings = {"epochs": recipe.pretraining_epochs, "validation_split": 0.02}
        words = MaskedLanguagePretrainer(base, **sizes, **self.place)
        folder = self.step(room / "words", words.fit, texts, **settings)
        words = MaskedLanguagePretrainer.load(folder, **self.place)
        tags = TaggingPretrainer(words.base, **sizes, **self.place)
        folder = self.step(room / "parameters", tags.fit, spans, **settings)
        tags = TaggingPretrainer.load(folder, **self.place)
        self.base, self.towers = words.base, [words.model, tags.model]

    def learn(self, rows: Labelled, judges: Labelled, folder: Path) -> None:
        model = ComposedModel(self.base, self.towers, **self.place)
        model.unfreeze()
        settings = {"epochs": self.recipe.epochs, "validation": pairs(judges)}
        self.step(folder, model.fit, pairs(rows), **settings)


class Pieces(Trainer):
    """A small BERT, which learns to fill in hidden pieces of words."""

    def pretrain(self, texts: Sequence[str], spans: Sequence[Any], room: Path) -> None:
        """It has no use for spans."""
        recipe = self.recipe
        tokenizer = room / "tokenizer"
        if not tokenizer.is_dir():
            options = {"vocab_size": recipe.pieces, "lower_case": True}
            train_tokenizer(texts, tokenizer, kind="wordpiece", **options)
        sizes = {
            "hidden_size": recipe.hidden_size,
            "num_hidden_layers": recipe.num_hidden_layers,
            "num_attention_heads": recipe.num_attention_heads,
            "intermediate_size": recipe.intermediate_size,
            "max_position_embeddings": longest(recipe),
        }
        self.folder = self.step(
            room / "words",
            fit,
            texts,
            family="bert",
            tokenizer=tokenizer,
            model_config=sizes,
            epochs=recipe.pretraining_epochs,
            validation_split=0.02,
            **self.place,
        )

    def learn(self, rows: Labelled, judges: Labelled, folder: Path) -> None:
        self.step(
            folder,
            fit,
            pairs(rows),
            objective="sequence-classification",
            model=self.folder,
            epochs=self.recipe.epochs,
            validation=pairs(judges),
            **self.place,
        )


def longest(recipe: Typos) -> int:
    """Of a text, some of whose letters are doubled."""
    return recipe.characters + recipe.characters // 8


def pairs(labelled: Labelled) -> list[tuple[str, str]]:
    return list(zip(*labelled, strict=True))


def scores(
    guesses: dict[str, Guess], held_out: Labelled, recipe: Typos, report: Callable[[str], None]
) -> dict[str, dict[str, list[float]]]:
    """For each kind of errors and each of those who guess the shares of texts told rightly, one
    for each rate."""
    texts, answers = held_out
    found: dict[str, dict[str, list[float]]] = {}
    for kind, rates in RATES.items():
        found[kind] = {name: [] for name in guesses}
        for rate in rates:
            given = mistyped(texts, KINDS[kind](rate), recipe.seed + 1)
            for name, guessed in guesses.items():
                found[kind][name].append(label_scores(answers, guessed(given))["accuracy"])
            report(
                f"{kind} {rate:.0%}: "
                + ", ".join(f"{name} {own[-1]:.3f}" for name, own in found[kind].items())
            )
    return found


def size(folder: Path) -> int:
    return sum(tensor.size for tensor in read_checkpoint(folder).tensors.values())


def _write(folder: str | Path, trained: Path, facts: dict[str, Any]) -> None:
    """In half the space: eleven bits of each number are kept, and computed with in float32."""
    found = read_checkpoint(trained)
    beside = {
        name: (trained / name).read_bytes()
        for name in TOKENIZER_FILES
        if is_file(trained / name)
    }
    beside[RECIPE_FILE] = (json.dumps(facts, indent=2) + "\n").encode()
    parts = (found.config, found.tensors, beside)
    write_checkpoint(folder, *parts, "float16", {"dtype": "float32"})
