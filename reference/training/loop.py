"""One plain training loop in PyTorch: the optimizer's steps over batches that somebody else
makes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from reference.inputs import Inputs
from reference.torch.port import TorchModel

Example = tuple[Inputs, torch.Tensor]  # a batch and its labels


class Schedule(Protocol):
    """What the loop asks of a recipe."""

    learning_rate: float
    weight_decay: float
    warmup: float  # the share of all steps in which the learning rate rises
    max_norm: float


@dataclass(frozen=True)
class Progress:
    """How far a run is; the loss is a running mean over some fifty steps."""

    step: int
    steps: int
    loss: float
    minutes: float

    def __str__(self) -> str:
        return (
            f"step {self.step:>6} of {self.steps}  loss {self.loss:.3f}  {self.minutes:.1f} min"
        )


def groups(
    lengths: Sequence[int], batch_tokens: int, generator: np.random.Generator
) -> list[list[int]]:
    """The places of rows of about one length together, as many as fit, in an order that chance
    decides."""
    order = sorted(range(len(lengths)), key=lambda row: lengths[row] + generator.uniform(0, 8))
    found: list[list[int]] = [[]]
    longest = 0
    for row in order:
        longest = max(longest, lengths[row])
        if found[-1] and longest * (len(found[-1]) + 1) > batch_tokens:
            found.append([])
            longest = lengths[row]
        found[-1].append(row)
    return [found[place] for place in generator.permutation(len(found))]


def learning_rate(step: int, steps: int, recipe: Schedule) -> float:
    """A straight rise, then half a cosine down to a hundredth."""
    rise = max(1, round(recipe.warmup * steps))
    if step < rise:
        return recipe.learning_rate * (step + 1) / rise
    done = (step - rise) / max(1, steps - rise)
    return recipe.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def fit(
    model: TorchModel,
    plan: Sequence[Callable[[], Example | None]],
    recipe: Schedule,
    report: Callable[[Progress], None],
) -> dict[str, np.ndarray]:
    """The tensors of the model after one step of AdamW for each batch of the plan; a batch that
    has nothing to learn from is None."""
    parameters = {key: model.network.get_parameter(key).requires_grad_() for key in model.keys}
    # Norms and biases are few and have to be where they are; only matrices are pulled towards
    # zero.
    optimizer = torch.optim.AdamW(
        [
            {
                "params": [value for value in parameters.values() if (value.dim() > 1) == wide],
                "weight_decay": decay,
            }
            for wide, decay in [(True, recipe.weight_decay), (False, 0.0)]
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    steps, started, smooth = len(plan), time.monotonic(), math.nan
    for step, make in enumerate(plan):
        example = make()
        if example is not None:
            inputs, labels = example
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps, recipe)
            loss = model.network(inputs, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters.values(), recipe.max_norm)
            optimizer.step()
            smooth = loss.item() if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss.item()
        if (step + 1) % 50 == 0 or step + 1 == steps:
            report(Progress(step + 1, steps, smooth, (time.monotonic() - started) / 60))
    return model.state()
