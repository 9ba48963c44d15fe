"""A head that tells what a docstring leaves unsaid of each parameter, and what it is held
against.

A text has many parameters, and each of them is a detection. Its labels are the kinds of value
that it takes, of which there may be several, and whether it may be left out. What was declared
is taken out of the text, so that a name and its description are all that there is to go by.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import reference
from reference.annotated import Annotated
from reference.checkpoint import read_checkpoint, write_checkpoint
from reference.declarations import LABELS, class_of, declarations, labels_of
from reference.errors import InputError
from reference.files import is_file
from reference.text import TOKENIZER_FILES
from reference.training.fine_tuning import split
from reference.training.fitting import fit
from reference.training.logistic import Bags, Logistic
from reference.training.recipe import Declarations
from reference.training.run import RECIPE_FILE
from reference.training.scores import f1, label_scores, many_label_scores

# So many words before a name and after it are what the baseline sees of a text.
BEFORE, AFTER = 5, 30
# In characters, of which a token has two or three.
PIECE, LONGEST = 600, 900
RARE = 3  # a word that fewer names have about them is none of the baseline's
BINS = 10
_WORD = re.compile(r"[a-z]+|\d+")


@dataclass(frozen=True)
class Told:
    """A text, its parameters, and the labels of each; those of one of which nothing was
    declared are None."""

    text: str
    spans: list[tuple[int, int]]
    labels: list[list[str] | None]

    @classmethod
    def of(cls, found: Annotated) -> Told:
        labels = [labels_of(declared) for *_, declared in found.spans]
        spans = [(start, end) for start, end, _ in found.spans]
        return cls(found.text, spans, [None if own is None else list(own) for own in labels])

    @property
    def counted(self) -> list[int]:
        return [number for number, own in enumerate(self.labels) if own is not None]

    def pieces(self) -> Iterator[Told]:
        """One after another, each as long as a model reads at a time: so many parameters, from
        a name to before the next, with what is written of them."""
        starts, place = [0], 0
        for number, (start, _) in enumerate(self.spans):
            following = self.spans[number + 1][0] if number + 1 < len(self.spans) else start
            if number and start > place and following - place > PIECE:
                starts.append(number)
                place = start
        for first, last in pairwise([*starts, len(self.spans)]):
            begin = self.spans[first][0] if first else 0
            end = self.spans[last][0] if last < len(self.spans) else len(self.text)
            end = min(end, max(begin + LONGEST, self.spans[last - 1][1]))
            spans = [(start - begin, stop - begin) for start, stop in self.spans[first:last]]
            yield Told(self.text[begin:end], spans, self.labels[first:last])

    def sample(self, single: bool = False) -> tuple[str, list[tuple[int, int, Any]]]:
        """As `fit` takes it; with one class for each parameter, or with all labels."""
        as_told = lambda own: class_of(tuple(own)) if single and own is not None else own
        labels = [as_told(own) for own in self.labels]
        return self.text, [(*span, own) for span, own in zip(self.spans, labels, strict=True)]


def read() -> Iterator[tuple[str, str, Told]]:
    """Module, text and parameters."""
    return ((module, found.text, Told.of(found)) for module, found in declarations())


def make(
    folder: str | Path,
    recipe: Declarations,
    report: Callable[[str], None],
    given: Iterable[tuple[str, str, Told]] | None = None,
    backend: str = "torch",
    device: str | None = None,
    checkpoint_steps: int = 500,
    resume: bool = False,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Train with `fit`, choose thresholds, and write the checkpoint with its recipe and scores,
    which are returned. `given` are modules, texts and parameters instead of those of installed
    packages."""
    (_, own), (_, held_out), dropped = split(read() if given is None else given, recipe)
    chosen_by = max(1, round(recipe.chosen_by * len(own)))
    choosing = own[:: len(own) // chosen_by or 1][:chosen_by]
    kept = {id(one) for one in choosing}
    training = [one for one in own if id(one) not in kept]
    training, choosing, held_out = (
        [piece for one in some for piece in one.pieces() if piece.counted]
        for some in (training, choosing, held_out)
    )
    if not training or not held_out:
        raise InputError(
            f"there are {len(training)} texts to train on, {len(choosing)} to choose by and "
            f"{len(held_out)} held out; all are needed"
        )
    report(
        f"{len(training)} pieces of text; {len(choosing)} to choose by; {len(held_out)} held "
        f"out, without {dropped} texts that are much like one of those"
    )
    learn = partial(
        fit,
        objective="masked-sequence",
        model=recipe.base,
        backend=backend,
        device=device,
        show_progress=show_progress,
        checkpoint_steps=checkpoint_steps,
        **recipe.settings,
    )
    data, validation = ([one.sample() for one in some] for some in (training, choosing))
    model = learn(data, folder, kind="multilabel", validation=validation, resume=resume)
    model.calibrate(*columns(choosing))
    with tempfile.TemporaryDirectory() as draft:
        data, validation = ([one.sample(True) for one in some] for some in (training, choosing))
        single = learn(data, Path(draft) / "single", kind="multiclass", validation=validation)
        found = scores_of_classes(single, training, held_out)
    return finish(folder, recipe, model, (training, choosing, held_out), dropped, found)


def finish(
    folder: str | Path,
    recipe: Declarations,
    model: Any,
    texts: tuple[list[Told], list[Told], list[Told]],
    dropped: int,
    classes: dict[str, Any],
) -> dict[str, Any]:
    """Write what `fit` has written again in half the space, with thresholds in it and scores
    beside it: eleven bits of each number are kept, and computed with in float32. What is scored
    is what is written."""
    folder, (training, choosing, held_out) = Path(folder), texts
    run = json.loads((folder / RECIPE_FILE).read_text())
    beside = {
        name: (folder / name).read_bytes() for name in TOKENIZER_FILES if is_file(folder / name)
    }
    write = partial(
        write_checkpoint,
        config=model.config,
        tensors=read_checkpoint(folder).tensors,
        dtype="float16",
        more={"dtype": "float32"},
    )
    with tempfile.TemporaryDirectory() as draft:
        write(draft, beside=beside)
        scores = scores_of_labels(reference.load(draft), training, held_out)
    facts = {
        "recipe": asdict(recipe),
        "text": {
            "texts": len(training),
            "chosen_by": len(choosing),
            "held_out_texts": len(held_out),
            "held_out_dropped": dropped,
            "held_out_parameters": sum(len(one.counted) for one in held_out),
        },
        "scores": {"labels": scores, "classes": classes},
        "run": {name: run[name] for name in ("backend", "steps", "best_step", "scores")},
        "losses": run["losses"],
    }
    beside[RECIPE_FILE] = (json.dumps(facts, indent=2) + "\n").encode()
    write(folder, beside=beside)
    return facts


def columns(texts: Sequence[Told]) -> tuple[list[str], list[Any], list[Any]]:
    return (
        [one.text for one in texts],
        [one.spans for one in texts],
        [one.labels for one in texts],
    )


def asked(model: Any, texts: Sequence[Told]) -> np.ndarray:
    """The probabilities of every label for each parameter that counts."""
    whole = [one for one in texts if one.counted]
    rows = model.probabilities(*columns(whole)[:2])
    return np.concatenate([row[one.counted] for row, one in zip(rows, whole, strict=True)])


def scores_of_labels(
    model: Any, training: Sequence[Told], held_out: Sequence[Told]
) -> dict[str, Any]:
    """The model, with its thresholds and with one half for all labels; words about a name; and
    whatever most parameters have."""
    names = tuple(model.config.id2label.values())
    labels = tuple(label for label in LABELS if label in names)
    order, right = [names.index(label) for label in labels], answers(held_out, labels)
    shares = asked(model, held_out)[:, order]
    thresholds = np.array(model.config.detections.thresholds)[order]
    learned = answers(training, labels)
    often, words = learned.mean(axis=0), words_of(training, held_out, learned)
    found = {
        "model": (shares >= thresholds, shares),
        "model, one half": (shares >= 0.5, shares),
        "window of words": (words >= 0.5, words),
        "majority": (np.tile(often >= 0.5, (len(right), 1)), np.tile(often, (len(right), 1))),
    }
    return {
        name: many_label_scores(given, right > 0.5)
        | {
            "f1_by_label": dict(zip(labels, f1_of_each(given, right > 0.5), strict=True)),
            "calibration_error": calibration_error(own, right),
        }
        for name, (given, own) in found.items()
    }


def scores_of_classes(
    model: Any, training: Sequence[Told], held_out: Sequence[Told]
) -> dict[str, Any]:
    """The same of one class for each parameter."""
    known = tuple(model.config.id2label.values())
    learned = [known.index(name) for name in classes(training)]
    right = [known.index(name) if name in known else -1 for name in classes(held_out)]
    shares = asked(model, held_out)
    one_hot = lambda numbers: np.array(numbers)[:, None] == np.arange(len(known))
    words = words_of(training, held_out, one_hot(learned))
    (commonest, _), *_ = Counter(learned).most_common(1)
    found = {
        "model": shares.argmax(axis=1),
        "window of words": words.argmax(axis=1),
        "majority": np.full(len(right), commonest),
    }
    return {
        name: label_scores(right, given)
        | {
            "f1_by_label": dict(
                zip(known, f1_of_each(one_hot(given), one_hot(right)), strict=True)
            )
        }
        for name, given in found.items()
    }


def answers(texts: Sequence[Told], labels: Sequence[str] = LABELS) -> np.ndarray:
    """1 where a parameter has a label: [parameters that count, labels]."""
    rows = [[label in own for label in labels] for one in texts for own in one.labels if own]
    return np.array(rows, np.float64).reshape(-1, len(labels))


def classes(texts: Sequence[Told]) -> list[str]:
    return [class_of(tuple(own)) for one in texts for own in one.labels if own]


def f1_of_each(found: np.ndarray, right: np.ndarray) -> list[float]:
    parts = (found & right, found & ~right, ~found & right)
    counts = [part.sum(axis=0).tolist() for part in parts]
    return [f1(*one) for one in zip(*counts, strict=True)]


def calibration_error(shares: np.ndarray, right: np.ndarray) -> float:
    """How far probabilities are from how often they are right, bin by bin of a tenth, each as
    heavy as it is full."""
    bins = np.minimum((shares * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(shares[bins == number].sum() - right[bins == number].sum())
            for number in range(BINS)
        )
        / shares.size
    )


def words_of(
    training: Sequence[Told], held_out: Sequence[Told], labels: np.ndarray
) -> np.ndarray:
    """Logistic regression, a label at a time, on the words of a name and those about it without
    their order, before and after it apart: probabilities [parameters, labels]."""
    known = [window for one in training for window in _windows(one)]
    often = Counter(word for window in known for word in set(window))
    kept = (word for word, count in often.items() if count >= RARE)
    places = {word: number for number, word in enumerate(kept)}
    learned, given = (
        _bags(known, places),
        _bags([window for one in held_out for window in _windows(one)], places),
    )
    found = [
        Logistic(len(places), 2, ridge=0.05)
        .fit(learned, labels[:, number].astype(int).tolist())
        .probabilities(given)[:, 1]
        for number in range(labels.shape[1])
    ]
    return np.stack(found, axis=1)


def _windows(told: Told) -> Iterator[list[str]]:
    words = [(found.start(), found[0]) for found in _WORD.finditer(told.text.lower())]
    for number in told.counted:
        start, end = told.spans[number]
        before = [f"<{word}" for place, word in words if place < start][-BEFORE:]
        own = [f"={word}" for place, word in words if start <= place < end]
        after = [f">{word}" for place, word in words if place >= end][:AFTER]
        yield [*before, *own, f"={told.text[start:end].lower()}", *after]


def _bags(windows: Sequence[Sequence[str]], places: dict[str, int]) -> Bags:
    rows = [[places[word] for word in window if word in places] for window in windows]
    starts = np.cumsum([0, *map(len, rows)])[:-1]
    features = np.array([place for row in rows for place in row], np.int64)
    weights = [1 / np.sqrt(len(row)) for row in rows for _ in row]
    return Bags(features, np.array(weights), starts)
