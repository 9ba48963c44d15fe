"""Whole runs of training: the losses of a port, step by step, beside the oracle's.

The oracle is Transformers' model and torch.optim.AdamW in a loop written by hand. It is not
Transformers' Trainer, which scales the gradients of accumulated batches wrongly for most heads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from reference import learning
from reference.backend import BACKENDS, Learner, learner
from reference.checkpoint import Checkpoint, locate, read_checkpoint
from reference.checks import check_name, check_number, check_whole
from reference.dropout import Dropout
from reference.errors import InputError
from reference.families.tasks import BASE, MASKED_SEQUENCE
from reference.learning import AdamW, Example
from reference.parity.batch import Batch, random_batch
from reference.parity.dropping import dropping_as
from reference.parity.gate import (
    EPSILONS,
    FLOAT64_DEFAULT,
    FLOAT64_TOLERANCE,
    LEAST_EPSILONS,
    factor,
)
from reference.parity.oracle import Oracle, oracle_for
from reference.parity.report import Divergence, Report, Row

Groups = list[list[Example]]  # one a step; of several batches if their gradients are added up

# So many runs of the oracle in float32, alike but for the order in which they add numbers up.
DRAWS = 4


def loss_trajectory(
    folder: str | os.PathLike[str],
    backend: str,
    batches: Sequence[Any],
    learning_rate: float | Sequence[float] = 1e-3,
    clip: float | None = 1.0,
    weight_decay: float = 0.01,
    dtype: str = "float32",
    dropout: int | None = None,
) -> list[float]:
    """The function behind reference.parity.loss_trajectory."""
    checkpoint = read_checkpoint(locate(folder))
    groups = check_groups(checkpoint, batches)
    rates = check_rates(learning_rate, len(groups))
    clip, seed = check_clip(clip), check_seed(dropout)
    subject = start(checkpoint, backend, weight_decay, dtype, groups)
    return [
        learning.take_step(subject, group, rate, clip, seed)
        for group, rate in zip(groups, rates, strict=True)
    ]


def start(
    checkpoint: Checkpoint, backend: str, weight_decay: float, dtype: str, groups: Groups
) -> Learner:
    subject = learner(
        backend,
        checkpoint.config,
        checkpoint.architecture,
        checkpoint.tensors,
        AdamW(weight_decay=weight_decay),
        dtype,
    )
    if dtype == "float64" and hasattr(subject.model, "use_rope_tables"):
        # The oracle takes its cosines in float32 even here.
        longest = max(example.inputs.longest for group in groups for example in group)
        subject.model.use_rope_tables(oracle_for(checkpoint).rope_tables(longest) or None)
    return subject


def oracle_trajectory(
    oracle: Oracle,
    groups: Groups,
    rates: Sequence[float],
    clip: float | None = 1.0,
    weight_decay: float = 0.01,
    dropout: int | None = None,
    orders: Sequence[Sequence[np.ndarray | None]] | None = None,
) -> list[float]:
    """The same of the oracle, whose model is changed by it.

    orders: for each batch the places of its rows in the batch that is dropped from, where they
        were put in another order.
    """
    parameters = list(oracle.model.parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if (p.dim() > 1) == wide], "weight_decay": decay}
            for wide, decay in [(True, weight_decay), (False, 0.0)]
        ],
        lr=rates[0],
        foreach=False,
    )
    losses = []
    for step, (group, rate) in enumerate(zip(groups, rates, strict=True)):
        for settings in optimizer.param_groups:
            settings["lr"] = rate
        counts = [example.count for example in group]
        loss = 0.0
        for place, (example, count) in enumerate(zip(group, counts, strict=True)):
            drawn = None if dropout is None else Dropout(dropout, step, place)
            order = None if orders is None else orders[step][place]
            with dropping_as(oracle.model, drawn, order):
                part = oracle.loss(Batch(example.inputs), example.labels)
            part = part * (count / sum(counts))
            part.backward()
            loss += part.item()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss)
    return losses


def compare_training(
    model: str | os.PathLike[str],
    backends: Sequence[str] = BACKENDS,
    dtype: str = "float32",
    batches: Sequence[Any] | None = None,
    steps: int = 50,
    learning_rate: float | Sequence[float] = 1e-3,
    clip: float | None = 1.0,
    weight_decay: float = 0.01,
    seed: int = 0,
    dropout: int | None = None,
) -> Report:
    """The function behind reference.parity.compare_training."""
    check_name(dtype, ("float32", "float64"), "dtype", "not available for training")
    checkpoint = read_checkpoint(locate(model))
    groups = (
        random_groups(checkpoint, steps, seed)
        if batches is None
        else check_groups(checkpoint, batches)
    )
    rates = check_rates(learning_rate, len(groups))
    settings = (clip, weight_decay)
    oracle = oracle_for(checkpoint)
    seed = check_seed(dropout)
    truth = np.array(oracle_trajectory(oracle, groups, rates, *settings, seed))
    noise = None
    if dtype == "float32":
        noise = noise_floors(checkpoint, truth, groups, rates, *settings, seed)
    rows: list[Row] = []
    for backend in backends:
        floors = float64_floors(truth, backend) if noise is None else noise
        found = loss_trajectory(model, backend, groups, rates, *settings, dtype, seed)
        rows += _rows(backend, np.array(found), truth, floors, dtype)
    divergences = {backend: _first(backend, rows) for backend in backends}
    return Report(
        os.fspath(model),
        dtype,
        factor(dtype),
        tuple(rows),
        divergences,
        oracle=oracle.name,
    )


def noise_floors(
    checkpoint: Checkpoint,
    truth: np.ndarray,
    groups: Groups,
    rates: Sequence[float],
    clip: float | None,
    weight_decay: float,
    dropout: int | None = None,
) -> np.ndarray:
    """How far Transformers itself is from the truth in float32, up to each step.

    A difference of a step is carried on by all that follow, and grows; so the floor of a step
    is the largest error so far. One run is one draw of its roundings, and lucky now and then.
    The rows of a batch in another order are the same batch, with its sums rounded elsewhere:
    the floor is the largest error of several such runs.
    """
    largest = np.zeros(len(truth))
    for draw in range(DRAWS):
        orders = [[_order(example, draw) for example in group] for group in groups]
        shuffled = [
            [_in_order(*pair) for pair in zip(group, places, strict=True)]
            for group, places in zip(groups, orders, strict=True)
        ]
        oracle = oracle_for(checkpoint, "float32")
        options = (clip, weight_decay, dropout, orders)
        found = np.array(oracle_trajectory(oracle, shuffled, rates, *options))
        largest = np.maximum(largest, np.abs(found - truth))
    least = LEAST_EPSILONS * EPSILONS["float32"] * np.abs(truth)
    return np.maximum(np.maximum.accumulate(largest), least)


def float64_floors(truth: np.ndarray, backend: str) -> np.ndarray:
    return FLOAT64_TOLERANCE.get(backend, FLOAT64_DEFAULT) * np.abs(truth)


def random_groups(checkpoint: Checkpoint, steps: int, seed: int = 0) -> Groups:
    """One batch a step, of random words with random labels, in texts of unequal length."""
    config, task = checkpoint.config, checkpoint.architecture.task
    if task is BASE:
        raise InputError(f"{checkpoint.architecture.name} has no head to be trained")
    groups = []
    for step in range(steps):
        generator = np.random.default_rng([seed, step])
        lengths = generator.integers(3, 24, size=6)
        batch = random_batch(config, lengths, "r", seed * steps + step).asked_for(task, config)
        labels = task.make_labels(config, batch.padded, generator)
        groups.append([Example(batch.padded, labels)])
    return groups


def check_groups(checkpoint: Checkpoint, batches: Sequence[Any]) -> Groups:
    """What a user gave as batches: dicts of arrays, or lists of such dicts, whose gradients are
    added up."""
    if not isinstance(batches, (list, tuple)) or not batches:
        raise InputError(
            "batches must be a list of dicts with input_ids, attention_mask and labels; or of "
            "lists of them, which are one step each"
        )
    groups = []
    for step, given in enumerate(batches):
        group = list(given) if isinstance(given, (list, tuple)) else [given]
        if not group:
            raise InputError(f"batches[{step}] is empty")
        groups.append([_example(checkpoint, one, f"batches[{step}]") for one in group])
        if not sum(example.count for example in groups[-1]):
            raise InputError(f"batches[{step}] has no label that counts")
    return groups


def check_rates(learning_rate: float | Sequence[float], steps: int) -> list[float]:
    """One for every step."""
    if isinstance(learning_rate, (list, tuple, np.ndarray)):
        if len(learning_rate) != steps:
            raise InputError(f"there are {len(learning_rate)} learning rates for {steps} steps")
        return [check_number("a learning rate", rate, least=0.0) for rate in learning_rate]
    return [check_number("learning_rate", learning_rate, least=0.0)] * steps


def check_clip(clip: float | None) -> float | None:
    if clip is not None and check_number("clip", clip, least=0.0) == 0:
        raise InputError("clip is 0, which leaves nothing of a gradient; None does not clip")
    return clip


def check_seed(dropout: int | None) -> int | None:
    return None if dropout is None else check_whole("dropout", dropout, least=0)


KEYS = ("input_ids", "attention_mask", "token_type_ids", "labels")
DETECTION_KEYS = ("mask_indices", "mask_ends")


def _example(checkpoint: Checkpoint, given: Any, name: str) -> Example:
    if isinstance(given, Example):
        return given
    if not isinstance(given, Mapping) or not {"input_ids", "labels"} <= set(given):
        raise InputError(f"{name} must be a dict with input_ids and labels")
    config, task = checkpoint.config, checkpoint.architecture.task
    known = (*KEYS, *DETECTION_KEYS) if task is MASKED_SEQUENCE else KEYS
    if unknown := [key for key in given if key not in known]:
        raise InputError(f"{name} has {unknown[0]!r:.80}; the keys are {', '.join(known)}")
    arrays = {key: given.get(key) for key in known if key != "labels"}
    inputs = task.check_inputs(config, **arrays)
    return Example(inputs, task.check_labels(config, inputs, given["labels"]))


def _order(example: Example, draw: int) -> np.ndarray | None:
    """Another one for each draw; the first is as it is."""
    return np.random.default_rng(draw).permutation(len(example.labels)) if draw else None


def _in_order(example: Example, order: np.ndarray | None) -> Example:
    if order is None:
        return example
    return Example(example.inputs.in_order(order), example.labels[order])


def _rows(
    backend: str, found: np.ndarray, truth: np.ndarray, floors: np.ndarray, dtype: str
) -> list[Row]:
    errors = np.where(np.isfinite(found), np.abs(found - truth), np.inf)
    return [
        Row(
            backend,
            f"losses.{n}",
            error,
            floor,
            error / floor,
            error / floor <= factor(dtype),
        )
        for n, (error, floor) in enumerate(zip(errors.tolist(), floors.tolist(), strict=True))
    ]


def _first(backend: str, rows: Sequence[Row]) -> Divergence | None:
    wrong = next((row for row in rows if row.backend == backend and not row.passed), None)
    if wrong is None:
        return None
    step = wrong.tensor.removeprefix("losses.")
    return Divergence(None, wrong.tensor, f"the loss of step {step}, the first that departs")
