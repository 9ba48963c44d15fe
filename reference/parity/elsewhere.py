"""A port in a process of its own: one in another language or another environment, or one that
may take down the process that runs it."""

from __future__ import annotations

import inspect
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from reference.checks import check_names
from reference.errors import InputError, shortened
from reference.parity.stranger import BY_KEY, OPTIONS

BATCH = ("input_ids", "attention_mask", "token_type_ids")


def elsewhere(
    command: Sequence[str | os.PathLike[str]],
    timeout: float = 600.0,
    takes: Sequence[str] = (),
) -> Callable[..., dict[str, Any]]:
    """A program as a port for `compare`: called with the names of two safetensors files after
    its arguments, it reads input_ids, attention_mask and token_type_ids (int64) from the first
    and writes its tensors to the second.

    Hidden states are hidden_states.0, hidden_states.1, ... there; "trace." goes before each
    path of a trace, and "gradients." before each key of the gradients. The program has
    `timeout` seconds for a batch.

    takes: what else the program reads, where the file has it, as a port in this process says by
    its signature. With "labels", they stand beside a padded batch. With "cu_seqlens", the
    program is called once more with each batch packed: then these stand in the file, and no
    mask and no labels.
    """
    options = check_names(takes, OPTIONS, "takes")

    def port(
        input_ids: np.ndarray,
        attention_mask: np.ndarray | None,
        token_type_ids: np.ndarray,
        **given: np.ndarray | None,
    ) -> dict[str, Any]:
        arrays = {"input_ids": input_ids, "attention_mask": attention_mask}
        arrays |= {"token_type_ids": token_type_ids} | given
        with tempfile.TemporaryDirectory() as folder:
            inputs, outputs = Path(folder, "in.safetensors"), Path(folder, "out.safetensors")
            there = {name: array for name, array in arrays.items() if array is not None}
            save_file(there, inputs)
            _run([*map(os.fspath, command), str(inputs), str(outputs)], timeout)
            if not outputs.is_file():
                raise InputError(f"{command[0]} has written no {outputs.name}")
            return _grouped(load_file(outputs))

    port.__signature__ = _signature(*BATCH, *options)
    return port


def _signature(*names: str) -> inspect.Signature:
    """By which `compare` finds out what a port takes."""
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, either) for name in names])


def _run(command: list[str], timeout: float) -> None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    except OSError as problem:
        raise InputError(f"{command[0]} cannot be run: {problem.strerror}") from None
    except subprocess.TimeoutExpired:
        raise InputError(f"{command[0]} has not ended after {timeout:g} seconds") from None
    if done.returncode:
        # The end says what was wrong, of a traceback too.
        said = shortened(done.stderr.decode(errors="replace")[-200:])
        how = (
            f"was ended by signal {-done.returncode}"
            if done.returncode < 0
            else f"ended with status {done.returncode}"
        )
        raise InputError(f"{command[0]} {how}" + (f": {said}" if said else ""))


def _grouped(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """As a port in this process would return them."""
    grouped: dict[str, Any] = {}
    states: dict[int, np.ndarray] = {}
    for name, array in tensors.items():
        group, _, rest = name.partition(".")
        if group == "hidden_states" and rest.isdecimal():
            states[int(rest)] = array
        elif group in BY_KEY:
            grouped.setdefault(group, {})[rest] = array
        else:
            grouped[name] = array
    return grouped | ({"hidden_states": [states[n] for n in sorted(states)]} if states else {})
