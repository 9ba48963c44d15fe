"""What processes say to each other, by torch.distributed: reference/ranks.py asks it."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from reference.errors import InputError, shown

# As long as others may be busy with what one does alone: scoring what is held out, for one.
PATIENCE = timedelta(hours=1)


def join() -> None:
    """Meet the other processes, at the address in the environment; a program that has met them
    by itself is left as it is. Arrays of processors go by gloo, those of GPUs by nccl."""
    if dist.is_initialized():
        return
    on_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpus else "gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as problem:
        raise InputError(
            f"the processes that WORLD_SIZE speaks of cannot meet: {problem}. torchrun "
            "sets what they need; without it, unset WORLD_SIZE"
        ) from None
    atexit.register(_leave)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def gathered(value: Any) -> list[Any]:
    """What each process has for the value, in the order of their ranks."""
    join()
    found = [None] * dist.get_world_size()
    with _answered():
        dist.all_gather_object(found, value)
    return found


def add_up(parameters: Mapping[str, Tensor]) -> None:
    """The gradient of each parameter becomes the sum over all processes. One that a gradient
    has reached in any of them has one in each."""
    own = {key for key, parameter in parameters.items() if parameter.grad is not None}
    reached = set().union(*gathered(own))
    shared = [parameters[key] for key in sorted(reached)]  # the same order everywhere
    for parameter in shared:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        parameter.grad = parameter.grad.contiguous()
    with _answered():
        sums = [dist.all_reduce(parameter.grad, async_op=True) for parameter in shared]
        for one in sums:
            one.wait()


def own_device(device: Any, place: int) -> Any:
    """The GPU of the process at that place of its machine, or the CPU."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    own = f"cuda:{place}"
    if device == "cuda":
        return own
    if device not in (None, "cpu", own):
        raise InputError(
            f"device is {shown(device)}, one for several processes; 'cuda' gives each a GPU of "
            "its own"
        )
    return device


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except RuntimeError as problem:
        first = str(problem).partition("\n")[0]
        raise InputError(
            "another process of this run has ended or does not answer any more, so the run "
            f"ends; it can be resumed from its last checkpoint ({first:.200})"
        ) from None
