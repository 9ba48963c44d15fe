"""fit: a model learns from data and is written to a folder, from which it comes back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from reference import ranks
from reference.backend import BACKENDS, check_place
from reference.checks import check_name
from reference.errors import InputError
from reference.training.objectives import OBJECTIVES, Objective
from reference.training.run import Run
from reference.training.settings import Settings, check_known, divided, names_of
from reference.training.start import Start, from_checkpoint, from_nothing


def fit(
    data: Any,
    output: str | os.PathLike[str],
    *,
    objective: str = "masked-lm",
    model: str | os.PathLike[str] | None = None,
    family: str | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    model_config: Mapping[str, Any] | None = None,
    validation: Any = None,
    columns: Mapping[str, str] | None = None,
    backend: str = "torch",
    device: str | None = None,
    resume: bool = False,
    show_progress: bool = False,
    **settings: Any,
) -> Any:
    """Train a model, write it to the folder `output`, and return what reference.load gives for
    that.

    data: for "masked-lm" the name of a file with a sentence a line, a list of strings or a
        Hugging Face dataset; each objective says in reference.training.objectives what it
        takes.
    objective: what is learned, a name in reference.training.objectives.OBJECTIVES.
    model: a folder or a hub id, to go on from; or
    family, tokenizer: "rope_encoder", "bert" or another family of the package, to begin anew
        with the tokenizer of that folder; `model_config` are keys of its config.json, such as
        {"num_layers": 2}.
    validation: data to score the model on; by default a share of `data`, validation_split, is
        held out.
    columns: the names of a dataset's columns, where they are not the usual ones:
        {"text": "sentence"}.
    backend, device: what computes, as in reference.load.
    resume: go on with a run that was ended, given the same arguments as it was begun with.
    show_progress: show a bar and lines on standard error.
    settings: any field of reference.training.Settings, such as batch_size, learning_rate or
        epochs, and of the objective, such as mask_prob.

    Under torchrun the processes share the work, and each is given the same arguments, all of
    the data among them: a step has as many batches from each as gradient_accumulation_steps
    says, and a batch of pairs is so many times as large. The first process writes, and all get
    the model. The backend is torch, and device "cuda" a GPU for each.

    The model that is written is the best by the held-out rows' score, or the last where nothing
    is held out. Beside it are recipe.json, with all settings and scores, and the folder logs.
    """
    return prepare(
        data,
        objective=objective,
        model=model,
        family=family,
        tokenizer=tokenizer,
        model_config=model_config,
        validation=validation,
        columns=columns,
        backend=backend,
        device=device,
        **settings,
    ).train(output, resume, show_progress)


def prepare(
    data: Any,
    *,
    objective: str = "masked-lm",
    model: str | os.PathLike[str] | None = None,
    family: str | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    model_config: Mapping[str, Any] | None = None,
    validation: Any = None,
    columns: Mapping[str, str] | None = None,
    backend: str = "torch",
    device: str | None = None,
    **settings: Any,
) -> Run:
    """All that `fit` does before the first step; nothing is written."""
    return prepare_from(
        partial(_start, model, family, tokenizer, model_config),
        data,
        objective=objective,
        validation=validation,
        columns=columns,
        backend=backend,
        device=device,
        **settings,
    )


def prepare_from(
    begin: Callable[[], Start],
    data: Any,
    *,
    objective: str,
    validation: Any = None,
    columns: Mapping[str, str] | None = None,
    backend: str = "torch",
    device: str | None = None,
    **settings: Any,
) -> Run:
    """The same, of a start that is made once all else was found sound."""
    kind = OBJECTIVES[check_name(objective, OBJECTIVES, "objective")]
    ranks.check_backend(check_name(backend, BACKENDS, "backend"))
    device = ranks.own_device(device)
    check_place(backend, "float32", device)
    known = [*names_of(Settings), *names_of(kind)]
    check_known(settings, known, f"training for {objective}")
    of_run, of_objective = divided(settings, Settings, kind)
    chosen, how = kind(**of_objective), Settings(**of_run)
    if how.patience is not None and validation is None and how.validation_split == 0:
        raise InputError("patience waits for better scores, but nothing is held out to score")
    start = begin()
    check_known(columns or {}, kind.columns, f"the columns of {objective}")
    columns = {**kind.columns, **(columns or {})}
    samples = chosen.samples(data, columns)
    if validation is None:
        training, held_out = split(chosen, samples, how.validation_split, how.seed)
    else:
        training, held_out = samples, chosen.samples(validation, columns)
    if not training or (not held_out and (validation is not None or how.validation_split)):
        raise InputError(
            f"there are {len(training)} samples to train on and {len(held_out)} held out; at "
            "least one of each is needed. validation_split=0 holds none out"
        )
    return Run(chosen, how, start, training, held_out, backend, device)


def _start(
    model: str | os.PathLike[str] | None,
    family: str | None,
    tokenizer: str | os.PathLike[str] | None,
    config: Mapping[str, Any] | None,
) -> Start:
    if (model is None) == (family is None):
        raise InputError(
            "give a model to go on from, or a family to begin anew with"
            + ("" if model is None else ", not both")
        )
    if family is not None:
        if tokenizer is None:
            raise InputError(
                f"a new {family!s:.80} needs a tokenizer, a folder that holds one; python -m "
                "reference train-tokenizer makes one"
            )
        return from_nothing(family, tokenizer, config or {})
    if tokenizer is not None or config:
        raise InputError(
            "a model that is gone on from has a tokenizer and a configuration; others go with "
            "a family"
        )
    return from_checkpoint(model)


def split(
    objective: Objective, samples: Sequence[Any], share: float, seed: int
) -> tuple[list[Any], list[Any]]:
    """Samples to train on, and a share that is held out: at least one, unless the share is 0.
    Which ones chance decides, and those of one key go the same way."""
    if not share:
        return list(samples), []
    keys = [objective.key(sample) for sample in samples]
    there = list(dict.fromkeys(keys))
    chosen = np.random.default_rng([seed, len(there)]).permutation(len(there))
    held = {there[place] for place in chosen[: max(1, round(share * len(there)))]}
    parts: tuple[list[Any], list[Any]] = ([], [])
    for sample, key in zip(samples, keys, strict=True):
        parts[key in held].append(sample)
    return parts
